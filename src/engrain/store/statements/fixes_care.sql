-- Looking after fixes: what is exported, what is old, what is derived, what is erased.
-- Everything of an agent, to be exported, or to make what is derived of it anew.
-- name: fix_all
select * from fixes where tenant = :tenant and agent = :agent and id > :after order by id limit :limit;

-- What of them is counted.
-- name: fix_counted
select id, agent, visibility, state, signature, type, target, plan, effective, success, verified, micros, fixer, occurred_at
from fixes where tenant = :tenant and agent = :agent and id > :after order by id limit :limit;

-- name: fix_resign
update fixes set signature = :signature, plan = :plan, effective = :effective
where tenant = :tenant and agent = :agent and id = :id;

-- name: signature_all
select f.visibility, f.id, f.kind, f.title, f.scope, f.text from signatures f
where f.tenant = :tenant and f.agent = :agent order by f.id, f.visibility;

-- name: signature_index
update signatures set length = :length, terms = :terms, vector = :vector, scale = :scale, embedder = :embedder,
    analyzer = :analyzer, seq = :seq, shared_seq = case when shared_seq is null then null else cast(:shared_seq as bigint) end
where tenant = :tenant and agent = :agent and id = :id;

-- name: signature_unused
delete from signatures where tenant = :tenant and agent = :agent and not exists (
    select 1 from fixes f where f.tenant = :tenant and f.agent = :agent and f.signature = signatures.id
        and f.visibility = signatures.visibility);

-- name: plan_all
select visibility, plan, commands, analysis, at from fix_plans where tenant = :tenant and agent = :agent
order by plan, visibility;

-- name: plan_unused
delete from fix_plans where tenant = :tenant and agent = :agent and not exists (
    select 1 from fixes f where f.tenant = :tenant and f.agent = :agent and f.plan = fix_plans.plan
        and f.visibility = fix_plans.visibility);

-- What is old: verified solutions are kept longer.
-- name: fix_old
select id from fixes where tenant = :tenant and agent = :agent and state = 'kept' and occurred_at < :before
  and (occurred_at < :verified_before or not (success = 1 and verified = 1 and effective = 1))
order by occurred_at, id limit :limit;

-- name: fix_old_counts
select count(*) as n, coalesce(sum(case when success = 1 and verified = 1 and effective = 1 then 1 else 0 end), 0) as solved
from fixes where tenant = :tenant and agent = :agent and state = 'kept' and occurred_at < :before
  and (occurred_at < :verified_before or not (success = 1 and verified = 1 and effective = 1));

-- name: fix_old_agents
-- scope: admin
select f.tenant, f.agent, count(*) as n from fixes f
where f.state = 'kept' and f.occurred_at < :before
  and (f.occurred_at < :verified_before or not (f.success = 1 and f.verified = 1 and f.effective = 1))
group by f.tenant, f.agent order by f.tenant, f.agent;

-- name: fix_any
-- scope: admin
select 1 as one from fixes where state = 'kept' limit 1;

-- name: fix_clear
update fixes set state = 'gone', message = '', problem = '{}', commands = '[]', analysis = null, system = '{}', notes = null,
    session = null, task_id = null, updated_at = :now
where tenant = :tenant and agent = :agent and id in (:ids);

-- name: fix_agents
-- scope: admin
select distinct tenant, agent from fixes order by tenant, agent;

-- Whether what is derived is in step: sums, signatures, words and vectors.
-- name: fix_out_of_step
-- scope: admin
select count(*) as n from (
    select tenant, agent, sum(seen) as seen, sum(tried) as tried, sum(known) as known, sum(solved) as solved from (
        select tenant, agent, 1 as seen, case when effective = 1 and plan is not null then 1 else 0 end as tried,
            case when effective = 1 and plan is not null and (success = 0 or (success = 1 and verified = 1)) then 1 else 0 end as known,
            case when effective = 1 and plan is not null and success = 1 and verified = 1 then 1 else 0 end as solved
        from fixes
        union all
        select tenant, agent, -seen, -tried, -known, -solved from fix_tallies where level = 'type') one
    group by tenant, agent) every
where seen <> 0 or tried <> 0 or known <> 0 or solved <> 0;

-- name: fix_unsigned
-- scope: admin
select count(*) as n from fixes f where not exists (
    select 1 from signatures s where s.tenant = f.tenant and s.agent = f.agent and s.visibility = f.visibility and s.id = f.signature);

-- name: signature_foreign
-- scope: admin
select (select count(*) from fixes where state = 'kept' and signature not like :version)
    + (select count(*) from signatures where embedder is null or embedder <> :embedder or analyzer <> :analyzer) as n;

-- name: erase_fixes
delete from fixes where tenant = :tenant and agent = :agent;

-- name: erase_signatures
delete from signatures where tenant = :tenant and agent = :agent;

-- name: erase_fix_plans
delete from fix_plans where tenant = :tenant and agent = :agent;

-- name: erase_fix_tallies
delete from fix_tallies where tenant = :tenant and agent = :agent;

-- name: erase_issue_edits
delete from issue_edits where tenant = :tenant and agent = :agent;

-- name: purge_fixes
-- scope: tenant
delete from fixes where tenant = :tenant;

-- name: purge_signatures
-- scope: tenant
delete from signatures where tenant = :tenant;

-- name: purge_fix_plans
-- scope: tenant
delete from fix_plans where tenant = :tenant;

-- name: purge_fix_tallies
-- scope: tenant
delete from fix_tallies where tenant = :tenant;

-- name: purge_issue_edits
-- scope: tenant
delete from issue_edits where tenant = :tenant;
