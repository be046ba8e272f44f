alter table policy_events alter column id type text collate "C";
alter table dreams alter column id type text collate "C";
alter table dream_findings alter column dream type text collate "C";
alter table policies enable row level security;
alter table policies force row level security;
create policy tenant_only on policies using (current_setting('engrain.tenant', true) in (tenant, '*'));
alter table policy_events enable row level security;
alter table policy_events force row level security;
create policy tenant_only on policy_events using (current_setting('engrain.tenant', true) in (tenant, '*'));
alter table dream_marks enable row level security;
alter table dream_marks force row level security;
create policy tenant_only on dream_marks using (current_setting('engrain.tenant', true) in (tenant, '*'));
alter table dream_findings enable row level security;
alter table dream_findings force row level security;
create policy tenant_only on dream_findings using (current_setting('engrain.tenant', true) in (tenant, '*'));

-- What was done, step by step, for training: experiences with the moment and the policy of their decision, and decisions
-- of episodes that nobody has observed yet (`open_state`), which tell what an episode went on with. `policy` advised `advised_action`.
create view steps with (security_invoker = true) as
select e.tenant, e.agent, e.task_type, coalesce(e.decision_id, e.id) as id, e.id as experience_id, e.state, e.state_key,
    cast(null as text) as open_state, e.action, e.reward, e.weight, e.evidence, e.propensity, e.next_state, e.episode, e.task_id,
    d.action as advised_action, d.policy, coalesce(d.created_at, e.created_at) as decided_at, e.updated_at, e.revision
from experiences e left join decisions d on d.tenant = e.tenant and d.agent = e.agent and d.id = e.decision_id
union all
select d.tenant, d.agent, d.task_type, d.id, null, null, null, d.state, d.action, null, 0.0, 'claimed', null, null,
    d.episode, null, d.action, d.policy, d.created_at, d.created_at, 0
from decisions d
where d.episode is not null and not exists (
    select 1 from experiences e where e.tenant = d.tenant and e.agent = d.agent and e.decision_id = d.id);
alter table drifts enable row level security;
alter table drifts force row level security;
create policy tenant_only on drifts using (current_setting('engrain.tenant', true) in (tenant, '*'));
alter table drift_tracks enable row level security;
alter table drift_tracks force row level security;
create policy tenant_only on drift_tracks using (current_setting('engrain.tenant', true) in (tenant, '*'));
