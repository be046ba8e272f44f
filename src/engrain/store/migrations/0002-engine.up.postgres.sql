-- Text that is ordered or compared by range sorts by code point on a server too, whatever its locale.
alter table scopes alter column name type text collate "C";
alter table memories alter column id type text collate "C";
alter table memories alter column key type text collate "C";
alter table passages alter column memory_id type text collate "C";
alter table echoes alter column memory_id type text collate "C";
alter table signals alter column memory_id type text collate "C";
alter table kv alter column key type text collate "C";
alter table decisions alter column id type text collate "C";
alter table experiences alter column id type text collate "C";
alter table q_values alter column state_key type text collate "C";
alter table q_values alter column action type text collate "C";

-- Row-level security repeats the tenant predicate of every statement below the engine's own SQL. A connection that has
-- not said its tenant sees nothing. `force` binds the owner of the tables too; a superuser is never bound: do not use one.
alter table scopes enable row level security;
alter table scopes force row level security;
create policy tenant_only on scopes using (current_setting('engrain.tenant', true) in (tenant, '*'));
alter table agents enable row level security;
alter table agents force row level security;
create policy tenant_only on agents using (current_setting('engrain.tenant', true) in (tenant, '*'));
alter table memories enable row level security;
alter table memories force row level security;
create policy tenant_only on memories using (current_setting('engrain.tenant', true) in (tenant, '*'));
alter table passages enable row level security;
alter table passages force row level security;
create policy tenant_only on passages using (current_setting('engrain.tenant', true) in (tenant, '*'));
alter table echoes enable row level security;
alter table echoes force row level security;
create policy tenant_only on echoes using (current_setting('engrain.tenant', true) in (tenant, '*'));
alter table signals enable row level security;
alter table signals force row level security;
create policy tenant_only on signals using (current_setting('engrain.tenant', true) in (tenant, '*'));
alter table kv enable row level security;
alter table kv force row level security;
create policy tenant_only on kv using (current_setting('engrain.tenant', true) in (tenant, '*'));
alter table decisions enable row level security;
alter table decisions force row level security;
create policy tenant_only on decisions using (current_setting('engrain.tenant', true) in (tenant, '*'));
alter table experiences enable row level security;
alter table experiences force row level security;
create policy tenant_only on experiences using (current_setting('engrain.tenant', true) in (tenant, '*'));
alter table q_values enable row level security;
alter table q_values force row level security;
create policy tenant_only on q_values using (current_setting('engrain.tenant', true) in (tenant, '*'));
