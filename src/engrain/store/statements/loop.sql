-- Whether the loop of learning lives. How often was decided since a moment, by day; read from an index alone.
-- name: loop_decisions
-- scope: admin
select d.created_at / 86400000000 as day, count(*) as n, max(d.created_at) as last
from agents a join decisions d on d.tenant = a.tenant and d.agent = a.name
where d.created_at >= :since and (cast(:tenant as text) is null or a.tenant = :tenant)
group by d.created_at / 86400000000;

-- Outcomes that came since a moment, by the day on which they did: of advice that was followed, of options drawn blindly,
-- of another action than was advised, and of steps without advice; `proven` by more than a claim. `step` is the half of a
-- point of reward that was expected, from -2; `ruled` counts those that a policy decided.
-- name: loop_outcomes
-- scope: admin
select tenant, task_type, day, side, proven, step, count(*) as n, sum(reward) as total, sum(reward * reward) as squares,
    sum(value) as expected, sum(inside) as inside, sum(ruled) as ruled, max(updated_at) as last
from (
    select e.tenant, e.task_type, e.updated_at / 86400000000 as day, e.updated_at, e.reward, d.value,
        case when d.id is null then 'steps' when d.mode = 'abstained' or d.action <> e.action then 'other'
            else d.mode end as side,
        case when e.evidence = 'claimed' then 0 else 1 end as proven,
        case when d.value is null then -1 when d.value < -1.5 then 0 when d.value < -1 then 1 when d.value < -0.5 then 2
            when d.value < 0 then 3 when d.value < 0.5 then 4 when d.value < 1 then 5 when d.value < 1.5 then 6
            else 7 end as step,
        case when e.reward between d.low and d.high then 1 else 0 end as inside,
        case when d.policy like 'v%' then 1 else 0 end as ruled
    from experiences e
        left join decisions d on d.tenant = e.tenant and d.agent = e.agent and d.id = e.decision_id
    where e.reward is not null and e.updated_at >= :since
      and (cast(:tenant as text) is null or e.tenant = :tenant)) one
group by tenant, task_type, day, side, proven, step;

-- The last decision of all, and the last outcome that is in the store.
-- name: loop_ends
-- scope: admin
select (select max((select max(d.created_at) from decisions d where d.tenant = a.tenant and d.agent = a.name))
        from agents a where cast(:tenant as text) is null or a.tenant = :tenant) as decided,
    (select e.updated_at from experiences e
     where e.reward is not null and (cast(:tenant as text) is null or e.tenant = :tenant)
     order by e.updated_at desc limit 1) as told;

-- Up to where outcomes were trained on, and how far they are by now.
-- name: loop_marks
-- scope: admin
select m.tenant, m.task_type, m.rows, m.at, s.seq - m.seq as fresh
from dream_marks m left join scopes s on s.tenant = m.tenant and s.name = 'learn::' || m.task_type
where cast(:tenant as text) is null or m.tenant = :tenant;

-- The last dream, and whether its process is heard of.
-- name: loop_dreams
-- scope: admin
select d.state, d.phase, coalesce(d.ended_at, d.started_at, d.requested_at) as at, d.error,
    case when exists (select 1 from leases l where l.name = 'dream' and l.holder = d.holder and l.expires_at > :now)
        then 1 else 0 end as held
from dreams d order by d.requested_at desc, d.id desc limit 1;

-- name: loop_events
-- scope: admin
select event, max(at) as last, sum(case when at >= :since then 1 else 0 end) as n from policy_events
where cast(:tenant as text) is null or tenant = :tenant
group by event;

-- What tells whether archived experiences are others than before.
-- name: loop_standing
-- scope: admin
select (select coalesce(max(number), 0) from archive_batches where kind = 'experiences' and state = 'closed') as closed,
    count(*) as gone, cast(coalesce(sum(place % 1000000007), 0) as bigint) as places
from archive_gone where kind = 'experiences';

-- The record of a policy. The states of a task type in which outcomes are known, of all agents.
-- name: q_states
-- scope: tenant
select state_key, min(state) as state, sum(visits) as visits from q_values
where tenant = :tenant and task_type = :task_type and agent <> '' and state_key <> '' and visits > 0
group by state_key order by sum(visits) desc, state_key limit :limit;

-- name: decision_of_any
-- scope: tenant
select * from decisions where id = :id and tenant = :tenant;

-- name: experience_seen_since
select action, count(*) as n, avg(reward) as mean from experiences
where tenant = :tenant and agent = :agent and task_type = :task_type and created_at >= :since
  and state_key = :state_key and reward is not null
group by action order by action;
