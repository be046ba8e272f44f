-- Looking for patterns in what happened, and the trajectories they are distilled from.

-- An agent's patterns whose ids begin so, or all of them.
-- name: pattern_mine
select * from patterns where tenant = :tenant and agent = :agent and substr(id, 1, length(:prefix)) = :prefix order by id;

-- name: pattern_use_own
select id, success, evidence, task_type, state_key, task_id from pattern_uses
where tenant = :tenant and agent = :agent and pattern_id = :id order by id;

-- name: pattern_use_drop
delete from pattern_uses where tenant = :tenant and agent = :agent and id = :id;

-- Whose experiences, fixes, trajectories and patterns there are.
-- name: distill_agents
-- scope: tenant
select distinct agent from experiences where tenant = :tenant
union select distinct agent from fixes where tenant = :tenant and plan is not null
union select distinct agent from trajectories where tenant = :tenant order by agent;

-- The latest outcomes of an agent's task type that are more than claims.
-- name: distill_experiences
select id, state, state_key, action, success, evidence, coalesce(task_id, episode) as task, created_at from experiences
where tenant = :tenant and agent = :agent and task_type = :task_type and success is not null and evidence <> 'claimed'
order by created_at desc, id desc limit :limit;

-- name: distill_types
select distinct task_type from experiences where tenant = :tenant and agent = :agent order by task_type;

-- Attempts whose end is known: verified, or failed.
-- name: distill_fixes
select id, signature, type, target, message, plan, commands, analysis, success, verified, effective,
    coalesce(task_id, session) as task, occurred_at from fixes
where tenant = :tenant and agent = :agent and state = 'kept' and plan is not null and effective = 1
  and (success = 0 or verified = 1)
order by occurred_at desc, id desc limit :limit;

-- name: trajectory_same
select * from trajectories where tenant = :tenant and agent = :agent and fingerprint = :fingerprint;

-- name: trajectory_insert
insert into trajectories (id, tenant, agent, fingerprint, task, task_type, task_id, steps, success, evidence, why,
    visibility, distilled, created_at, seq)
values (:id, :tenant, :agent, :fingerprint, :task, :task_type, :task_id, :steps, :success, :evidence, :why,
    :visibility, '[]', :now, :seq)
on conflict (tenant, agent, fingerprint) do nothing;

-- name: trajectory_judged
update trajectories set success = :success, evidence = :evidence, why = :why, visibility = :visibility, seq = :seq
where tenant = :tenant and agent = :agent and id = :id;

-- name: trajectory_distilled
update trajectories set distilled = :distilled where tenant = :tenant and agent = :agent and id = :id;

-- name: trajectory_list
select t.* from trajectories t where t.tenant = :tenant
  and (t.agent = :agent or t.visibility = 'public' or (t.visibility = 'team' and t.agent in (:mates)))
  and (cast(:id as text) is null or t.id = :id)
  and (cast(:task_type as text) is null or t.task_type = :task_type)
  and (cast(:success as smallint) is null or t.success = :success)
order by t.created_at desc, t.id desc limit :limit;

-- name: trajectory_mine
select * from trajectories where tenant = :tenant and agent = :agent and (cast(:task_type as text) is null or task_type = :task_type)
order by created_at desc, id desc limit :limit;
