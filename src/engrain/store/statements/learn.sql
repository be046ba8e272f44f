-- name: decision_insert
insert into decisions (id, tenant, agent, task_type, state, options, action, propensity, distribution, value, low, high,
    mode, policy, episode, created_at)
values (:id, :tenant, :agent, :task_type, :state, :options, :action, :propensity, :distribution, :value, :low, :high,
    :mode, :policy, :episode, :now);

-- name: decision_find
select * from decisions where id = :id and tenant = :tenant and agent = :agent;

-- name: decision_list
select * from decisions where tenant = :tenant and agent = :agent
  and (cast(:task_type as text) is null or task_type = :task_type)
order by created_at desc, id desc limit :limit;

-- name: experience_insert
insert into experiences (id, tenant, agent, decision_id, task_type, state, state_key, action, propensity, success,
    evidence, outcome, reward, reward_version, weight, next_state, episode, task_id, revision, created_at, updated_at)
values (:id, :tenant, :agent, :decision_id, :task_type, :state, :state_key, :action, :propensity, :success, :evidence,
    :outcome, :reward, :reward_version, :weight, :next_state, :episode, :task_id, :revision, :created_at, :updated_at);

-- name: experience_of_decision
select * from experiences where tenant = :tenant and agent = :agent and decision_id = :decision_id;

-- name: experience_revise
update experiences set action = :action, propensity = :propensity, success = :success, evidence = :evidence,
    outcome = :outcome, reward = :reward, reward_version = :reward_version, weight = :weight,
    revision = revision + 1, updated_at = :now
where id = :id and tenant = :tenant and agent = :agent;

-- name: experience_list
select * from experiences where tenant = :tenant and agent = :agent
  and (cast(:task_type as text) is null or task_type = :task_type)
order by created_at desc, id desc limit :limit;

-- name: experience_recent_decisions
select coalesce(decision_id, id) as decision from experiences
where tenant = :tenant and agent = :agent and task_type = :task_type and action = :action and reward is not null
  and (cast(:state_key as text) is null or state_key = :state_key)
order by created_at desc, id desc limit :limit;

-- Of the latest outcomes of an agent, how many were told with what came next, of decisions that nobody advised.
-- name: experience_led
select count(*) as n, sum(case when decision_id is null and next_state is not null then 1 else 0 end) as led
from (select decision_id, next_state from experiences
    where tenant = :tenant and agent = :agent and task_type = :task_type
    order by created_at desc, id desc limit :limit) latest;

-- name: experience_all
-- scope: tenant
select * from experiences where tenant = :tenant and reward is not null and id > :after order by id limit :limit;

-- name: q_add
insert into q_values (tenant, agent, task_type, state_key, action, state, visits, weight, total, squares,
    claim_weight, claim_total, claim_squares,
    old_weight, old_total, old_squares, old_claim_weight, old_claim_total, old_claim_squares, seq)
values (:tenant, :agent, :task_type, :state_key, :action, :state, :visits, :weight, :total, :squares,
    :claim_weight, :claim_total, :claim_squares,
    :old_weight, :old_total, :old_squares, :old_claim_weight, :old_claim_total, :old_claim_squares, :seq)
on conflict (tenant, agent, task_type, state_key, action) do update set
    visits = q_values.visits + excluded.visits, weight = q_values.weight + excluded.weight,
    total = q_values.total + excluded.total, squares = q_values.squares + excluded.squares,
    claim_weight = q_values.claim_weight + excluded.claim_weight,
    claim_total = q_values.claim_total + excluded.claim_total,
    claim_squares = q_values.claim_squares + excluded.claim_squares,
    old_weight = q_values.old_weight + excluded.old_weight,
    old_total = q_values.old_total + excluded.old_total,
    old_squares = q_values.old_squares + excluded.old_squares,
    old_claim_weight = q_values.old_claim_weight + excluded.old_claim_weight,
    old_claim_total = q_values.old_claim_total + excluded.old_claim_total,
    old_claim_squares = q_values.old_claim_squares + excluded.old_claim_squares,
    seq = excluded.seq;

-- name: q_changes
select state_key, action, state, visits, weight, total, squares, claim_weight, claim_total, claim_squares,
    old_weight, old_total, old_squares, old_claim_weight, old_claim_total, old_claim_squares, seq
from q_values
where tenant = :tenant and agent = :agent and task_type = :task_type and seq > :seq and state_key <> ''
order by seq desc, state_key, action limit :limit;

-- name: q_task
select state_key, action, state, visits, weight, total, squares, claim_weight, claim_total, claim_squares,
    old_weight, old_total, old_squares, old_claim_weight, old_claim_total, old_claim_squares, seq
from q_values
where tenant = :tenant and agent = :agent and task_type = :task_type and state_key = '' order by action;

-- name: q_list
select agent, task_type, state_key, action, state, visits, weight, total, squares,
    claim_weight, claim_total, claim_squares,
    old_weight, old_total, old_squares, old_claim_weight, old_claim_total, old_claim_squares
from q_values
where tenant = :tenant and agent = :agent and (cast(:task_type as text) is null or task_type = :task_type) and visits > 0
order by task_type, state_key, action;

-- What was before a drift: every row of an agent's task type.
-- name: q_outdate
update q_values set old_weight = weight, old_total = total, old_squares = squares, old_claim_weight = claim_weight,
    old_claim_total = claim_total, old_claim_squares = claim_squares
where tenant = :tenant and agent = :agent and task_type = :task_type;

-- name: drift_find
select since, drifts, seen_at, action, after from drifts where tenant = :tenant and agent = :agent and task_type = :task_type;

-- name: drift_all
-- scope: tenant
select agent, task_type, since from drifts where tenant = :tenant;

-- name: drift_note
insert into drifts (tenant, agent, task_type, since, fell_at, drifts, seen_at, action, before, after)
values (:tenant, :agent, :task_type, :since, :at, 1, :now, :action, :before, :after)
on conflict (tenant, agent, task_type) do update set since = excluded.since, fell_at = excluded.fell_at,
    drifts = drifts.drifts + 1,
    seen_at = excluded.seen_at, action = excluded.action, before = excluded.before, after = excluded.after;

-- name: drift_list
select agent, task_type, fell_at, drifts, seen_at, action, before, after from drifts
where tenant = :tenant and agent = :agent and (cast(:task_type as text) is null or task_type = :task_type)
order by task_type;

-- Those seen lately, of everybody, the latest first.
-- name: drift_seen
-- scope: admin
select tenant, agent, task_type, fell_at, drifts, seen_at, action, before, after from drifts
where (cast(:tenant as text) is null or tenant = :tenant) and seen_at >= :since
order by seen_at desc, tenant, agent, task_type limit :limit;

-- name: purge_drifts
-- scope: tenant
delete from drifts where tenant = :tenant;

-- name: track_find
select action, n, total, squares, plain, recent from drift_tracks
where tenant = :tenant and agent = :agent and task_type = :task_type and action in (:actions);

-- name: track_put
insert into drift_tracks (tenant, agent, task_type, action, n, total, squares, plain, recent)
values (:tenant, :agent, :task_type, :action, :n, :total, :squares, :plain, :recent)
on conflict (tenant, agent, task_type, action) do update set n = excluded.n, total = excluded.total,
    squares = excluded.squares, plain = excluded.plain, recent = excluded.recent;

-- name: track_clear
delete from drift_tracks where tenant = :tenant and agent = :agent and task_type = :task_type;

-- name: purge_drift_tracks
-- scope: tenant
delete from drift_tracks where tenant = :tenant;

-- name: experience_newest
select max(id) as newest from experiences where tenant = :tenant and agent = :agent and task_type = :task_type;

-- name: q_clear
-- scope: tenant
delete from q_values where tenant = :tenant;

-- name: q_scopes
-- scope: tenant
select distinct agent, task_type from q_values where tenant = :tenant
union select distinct agent, task_type from experiences where tenant = :tenant;

-- name: q_forget
delete from q_values where tenant = :tenant and agent = :agent and task_type = :task_type;

-- Rows of actions that nobody has told of any more.
-- name: q_drop_empty
delete from q_values where tenant = :tenant and agent = :agent and task_type = :task_type and visits = 0;

-- Of an agent, by task type: what it observed, decided, and when last.
-- name: learned_tasks
select task_type, count(*) as n, count(reward) as told, sum(case when reward is not null and success = 1 then 1 else 0 end)
    as good, avg(reward) as mean, max(created_at) as last_at
from experiences where tenant = :tenant and agent = :agent and (cast(:task_type as text) is null or task_type = :task_type)
group by task_type;

-- name: learned_decisions
select task_type, count(*) as n, max(created_at) as last_at from decisions
where tenant = :tenant and agent = :agent and (cast(:task_type as text) is null or task_type = :task_type)
group by task_type;

-- By days since 1970.
-- name: learned_days
select created_at / 86400000000 as day, task_type, count(*) as n, count(reward) as told,
    sum(case when reward is not null and success = 1 then 1 else 0 end) as good, avg(reward) as mean
from experiences
where tenant = :tenant and agent = :agent and (cast(:task_type as text) is null or task_type = :task_type)
  and created_at >= :since
group by created_at / 86400000000, task_type order by day desc, task_type;

-- name: begin_anew_experiences
delete from experiences where tenant = :tenant and agent = :agent and task_type = :task_type;

-- name: begin_anew_decisions
delete from decisions where tenant = :tenant and agent = :agent and task_type = :task_type;

-- name: begin_anew_drifts
delete from drifts where tenant = :tenant and agent = :agent and task_type = :task_type;
