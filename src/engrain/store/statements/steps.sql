-- What offline training reads. The first is plain SQL over a relation `steps`: any engine that has one can run it. It gives
-- counts and sums by (state, action, next state), in units of 2**-20, whole numbers, so that they are the same in whatever
-- order they were added up. All claims of one source in one state and action weigh as one claim together. A source is
-- a task (or episode) of an agent, or else the agent. Steps without a reward yet only tell what came after others.
-- name: step_counts
-- scope: tenant
select state_key, min(state) as state, action, next_key, next_state, cast(sum(n) as bigint) as n,
    sum(case when who is null or claims < 2 then w else round(w / claims) end) as weight,
    sum(case when who is null or claims < 2 then t else round(t / claims) end) as total,
    sum(case when who is null or claims < 2 then q else round(q / claims) end) as squares,
    cast(sum(steps) as bigint) as steps, cast(sum(told) as bigint) as told
from (
    select state_key, state, action, next_key, next_state, who, n, w, t, q, steps, told,
        sum(n) over (partition by state_key, action, who, task, run) as claims
    from (
        select state_key, min(state) as state, action, next_key, next_state, who, task, run, count(reward) as n,
            sum(case when reward is null then 0.0 else weight * 1048576 end) as w,
            sum(case when reward is null then 0.0 else round(weight * reward * 1048576) end) as t,
            sum(case when reward is null then 0.0 else round(weight * reward * reward * 1048576) end) as q,
            count(*) as steps, sum(decided_at % 1000000007 + updated_at % 998244353 + revision) as told
        from (
            select state_key, state, action, reward, weight, decided_at, updated_at, revision,
                case when evidence = 'claimed' then agent end as who, case when evidence = 'claimed' then task_id end as task,
                case when evidence = 'claimed' and task_id is null then episode end as run,
                case when next_state is null then lead(state_key) over decided end as next_key,
                coalesce(next_state, lead(open_state) over decided) as next_state
            from steps
            where tenant = :tenant and task_type = :task_type and episode is not null
              and (cast(:agent as text) is null or agent = :agent)
            window decided as (partition by agent, episode order by decided_at, id)
            union all
            select state_key, state, action, reward, weight, decided_at, updated_at, revision,
                case when evidence = 'claimed' then agent end, case when evidence = 'claimed' then task_id end, null, null,
                next_state
            from steps
            where tenant = :tenant and task_type = :task_type and episode is null
              and (cast(:agent as text) is null or agent = :agent)
        ) steps_with_next
        group by state_key, action, next_key, next_state, who, task, run
    ) by_source
) sources
group by state_key, action, next_key, next_state;

-- name: step_list
-- scope: tenant
select experience_id, id, agent, state, state_key, open_state, action, reward, weight, evidence, propensity, next_state,
    episode, task_id, advised_action, policy, decided_at, updated_at, revision
from steps
where tenant = :tenant and task_type = :task_type and (cast(:agent as text) is null or agent = :agent) and decided_at >= :since;

-- name: step_agents
-- scope: tenant
select distinct agent from experiences where tenant = :tenant and task_type = :task_type and reward is not null;

-- Everything that is known of experiences, for those who learn elsewhere; and states of decisions that nobody has observed
-- yet, without an id, which tell what came after others.
-- name: step_export
-- scope: tenant
select e.id, e.agent, e.task_type, e.decision_id, coalesce(e.decision_id, e.id) as step, e.state, d.options, e.action,
    e.propensity, d.distribution, d.action as advised_action, d.mode, d.policy, e.success, e.evidence, e.outcome, e.reward,
    e.weight, e.next_state, e.episode, e.task_id, coalesce(d.created_at, e.created_at) as decided_at, e.created_at,
    e.updated_at, e.revision
from experiences e left join decisions d on d.tenant = e.tenant and d.agent = e.agent and d.id = e.decision_id
where e.tenant = :tenant and (cast(:task_type as text) is null or e.task_type = :task_type)
  and (cast(:agent as text) is null or e.agent = :agent)
union all
select null, agent, task_type, null, id, open_state, null, null, null, null, null, null, null, null, null, null, null, null,
    null, episode, null, decided_at, null, null, null
from steps
where tenant = :tenant and open_state is not null and (cast(:task_type as text) is null or task_type = :task_type)
  and (cast(:agent as text) is null or agent = :agent);
