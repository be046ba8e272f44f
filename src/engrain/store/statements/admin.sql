-- name: stat_memories
-- scope: admin
select tenant, agent, kind, state, count(*) as n, sum(length(content)) as characters from memories
group by tenant, agent, kind, state order by tenant, agent, kind, state;

-- name: stat_decisions
-- scope: admin
select tenant, agent, task_type, mode, count(*) as n from decisions
group by tenant, agent, task_type, mode order by tenant, agent, task_type, mode;

-- name: stat_experiences
-- scope: admin
select tenant, agent, task_type, evidence, count(*) as n,
    sum(case when reward is null then 1 else 0 end) as unknown, sum(case when success = 1 then 1 else 0 end) as successes,
    avg(reward) as mean_reward
from experiences group by tenant, agent, task_type, evidence order by tenant, agent, task_type, evidence;

-- name: stat_passages
-- scope: admin
select one.embedder, one.analyzer, count(*) as n
from (select embedder, analyzer from memories where terms is not null and state = 'active'
      union all select p.embedder, p.analyzer from passages p join memories m on m.id = p.memory_id
          where m.state = 'active') one
group by one.embedder, one.analyzer order by one.embedder, one.analyzer;

-- Passages of no item, or of one that has its only passage in its own row, or is an older version.
-- name: orphan_passages
-- scope: admin
select (select count(*) from passages p where not exists (
            select 1 from memories m where m.id = p.memory_id and m.state <> 'superseded' and m.terms is null))
     + (select count(*) from memories where state = 'superseded' and terms is not null) as n;

-- name: unindexed_memories
-- scope: admin
select count(*) as n from memories m
where m.state = 'active' and m.terms is null and not exists (select 1 from passages p where p.memory_id = m.id);

-- name: orphan_experiences
-- scope: admin
select count(*) as n from experiences e where e.decision_id is not null
  and not exists (select 1 from decisions d where d.id = e.decision_id);

-- name: rebuild_batch
-- scope: admin
select id, tenant, agent, content from memories where state = 'active' and id > :after order by id limit :limit;

-- name: tenant_list
-- scope: admin
select distinct tenant from scopes order by tenant;

-- name: memory_touch
update memories set seq = :seq, shared_seq = case when shared_seq is null then null else cast(:shared_seq as bigint) end
where id = :id and tenant = :tenant and agent = :agent;

-- name: purge_echoes
-- scope: tenant
delete from echoes where tenant = :tenant;
-- name: purge_signals
-- scope: tenant
delete from signals where tenant = :tenant;
-- name: purge_passages
-- scope: tenant
delete from passages where tenant = :tenant;
-- name: purge_memories
-- scope: tenant
delete from memories where tenant = :tenant;
-- name: purge_kv
-- scope: tenant
delete from kv where tenant = :tenant;
-- name: purge_decisions
-- scope: tenant
delete from decisions where tenant = :tenant;
-- name: purge_experiences
-- scope: tenant
delete from experiences where tenant = :tenant;
-- name: purge_transitions
-- scope: tenant
delete from transitions where tenant = :tenant;
-- name: purge_daily_metrics
-- scope: tenant
delete from daily_metrics where tenant = :tenant;
-- name: purge_agents
-- scope: tenant
delete from agents where tenant = :tenant;
-- name: purge_scopes
-- scope: tenant
delete from scopes where tenant = :tenant;
