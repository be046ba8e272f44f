-- What is archived becomes active again; where its key was taken, or others with that key were archived later, it becomes
-- an older version. Importance that faded is written where it was told. No memory is lost; roles, keys and metrics are.
drop view remembered;
drop index memories_archived;
drop index memories_expiry;
drop index signals_pending;
update memories set state = 'superseded' where state = 'archived' and superseded_at is not null;
update memories set state = 'active' where state = 'archived' and key is null;
update memories set state = 'superseded', superseded_at = archived_at, superseded_by = coalesce(
        (select c.id from memories c where c.tenant = memories.tenant and c.agent = memories.agent
            and c.kind = memories.kind and c.key = memories.key and c.state = 'active'),
        (select max(c.id) from memories c where c.tenant = memories.tenant and c.agent = memories.agent
            and c.kind = memories.kind and c.key = memories.key and c.state = 'archived'))
where state = 'archived' and exists (
        select 1 from memories c where c.tenant = memories.tenant and c.agent = memories.agent
            and c.kind = memories.kind and c.key = memories.key
            and (c.state = 'active' or (c.state = 'archived' and c.id > memories.id)));
update memories set state = 'active' where state = 'archived';
update memories set length = null, terms = null, vector = null, scale = null, embedder = null, analyzer = null
where state = 'superseded';
delete from passages where exists (select 1 from memories m where m.id = passages.memory_id and m.state = 'superseded');
update memories set importance = (select s.importance from signals s where s.memory_id = memories.id)
where exists (select 1 from signals s where s.memory_id = memories.id and s.importance is not null);
alter table memories drop column archived_at;
alter table memories drop column archived_reason;
alter table memories drop column promoted_at;
alter table signals drop column importance;
alter table signals drop column weighed_at;
alter table signals drop column pending_at;
alter table signals drop column spared_until;
alter table agents drop column fades_since;
alter table agents drop column decayed_at;
drop table transitions;
drop table daily_metrics;
drop table roles;
drop table runs;
drop table alerts;
drop table reports;
drop table api_keys;
drop table replies;
alter table memories drop constraint memories_state_check;
alter table memories add constraint memories_state_check check (state in ('active', 'superseded'));
