
alter table archive_gone alter column id type text collate "C";
alter table archive_links alter column id type text collate "C";
alter table archive_gone enable row level security;
alter table archive_gone force row level security;
create policy tenant_only on archive_gone using (current_setting('engrain.tenant', true) in (tenant, '*'));
alter table archive_links enable row level security;
alter table archive_links force row level security;
create policy tenant_only on archive_links using (current_setting('engrain.tenant', true) in (tenant, '*'));
