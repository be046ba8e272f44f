-- Experiences in the order in which they happened within their episode.
-- What came next: what was told, else within an episode the state of the next decision, else nothing.
with followed as (
    select *, lead(state) over (
        partition by task_type, agent, coalesce('e' || episode, 's' || step) order by decided_at, step
    ) as later
    from steps
)
select id, task_type, agent, episode, decision_id, state, options, action, propensity, distribution, advised_action, mode,
    policy, success, evidence, outcome, reward, weight, coalesce(next_state, later) as next_state,
    case when next_state is not null then 'told' when later is not null then 'episode' end as next_from, task_id,
    decided_at, created_at, updated_at, revision
from followed
where id is not null
order by task_type, agent, episode, decided_at, step
