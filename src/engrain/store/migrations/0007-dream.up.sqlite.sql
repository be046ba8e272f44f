-- What was done, step by step, for training: experiences with the moment and the policy of their decision, and decisions
-- of episodes that nobody has observed yet (`open_state`), which tell what an episode went on with. `policy` advised `advised_action`.
create view steps as
select e.tenant, e.agent, e.task_type, coalesce(e.decision_id, e.id) as id, e.id as experience_id, e.state, e.state_key,
    null as open_state, e.action, e.reward, e.weight, e.evidence, e.propensity, e.next_state, e.episode, e.task_id,
    d.action as advised_action, d.policy, coalesce(d.created_at, e.created_at) as decided_at, e.updated_at, e.revision
from experiences e left join decisions d on d.tenant = e.tenant and d.agent = e.agent and d.id = e.decision_id
union all
select d.tenant, d.agent, d.task_type, d.id, null, null, null, d.state, d.action, null, 0.0, 'claimed', null, null,
    d.episode, null, d.action, d.policy, d.created_at, d.created_at, 0
from decisions d
where d.episode is not null and not exists (
    select 1 from experiences e where e.tenant = d.tenant and e.agent = d.agent and e.decision_id = d.id);
