-- The way out of the store, and back. The columns of what leaves are called as in archive/layout.py; `stamp` is what tells
-- whether a row was changed since.
-- What waits, counted up to a limit, and batches on their way.
-- name: cold_waiting
-- scope: admin
select (select count(*) from (select 1 from memories where state = 'archived' limit :limit) a) as memories,
    (select count(*) from (select 1 from experiences where reward is not null and updated_at <= :before limit :limit) e)
        as experiences,
    (select count(*) from archive_batches where state = 'open') as batches;

-- name: cold_memories
-- scope: admin
select m.id, m.tenant, m.agent, m.kind, m.key, m.content, {importance} as importance, m.importance as told_importance,
    m.tags, m.metadata, m.session, m.role, m.occurred_at, m.created_at, m.told_at, m.updated_at, m.expires_at,
    m.decay_rate, m.visibility, m.pinned, m.source, m.superseded_by, m.superseded_at, m.promoted_at, m.redacted,
    m.repeats, case when m.shared_seq is null then 0 else 1 end as shared, m.fingerprint, s.shown, s.read, s.applied,
    s.helpful, s.unhelpful, s.last_shown_at, s.last_used_at, s.weighed_at, m.length, m.terms, m.vector, m.scale,
    m.embedder, m.analyzer, m.archived_at, m.archived_reason as decay_reason, m.seq as stamp
from memories m {joined}
where m.state = 'archived'
  and (m.tenant, m.agent, m.archived_at, m.id) > (:after_tenant, :after_agent, :after_at, :after_id)
order by m.tenant, m.agent, m.archived_at, m.id limit :limit;

-- name: cold_passages
-- scope: admin
select memory_id, number, length, terms, vector, scale, embedder, analyzer from passages
where memory_id in (:ids) order by memory_id, number;

-- name: cold_echoes
-- scope: admin
select memory_id, session, at from echoes where memory_id in (:ids) order by memory_id, at;

-- name: cold_experiences
-- scope: admin
select e.id, e.tenant, e.agent, e.decision_id, e.task_type, e.state, e.state_key, e.action, e.propensity, e.success,
    e.evidence, e.outcome, e.reward, e.reward_version, e.weight, e.next_state, e.episode, e.task_id, e.revision,
    e.created_at, e.updated_at, d.state as decision_state, d.options, d.action as advised_action,
    d.propensity as advised_propensity, d.distribution, d.value, d.low, d.high, d.mode, d.policy,
    d.episode as decision_episode, d.created_at as decided_at, e.updated_at as stamp
from experiences e left join decisions d on d.tenant = e.tenant and d.agent = e.agent and d.id = e.decision_id
where e.reward is not null and e.updated_at <= :before
  and (e.updated_at, e.id) > (:after_at, :after_id)
order by e.updated_at, e.id limit :limit;

-- What of a batch is still here, and nobody changes it before the transaction ends: everyone locks rows in the order of
-- their ids. `uses` are its signals; late ones may have come after it was archived.
-- name: cold_lock_memories
-- scope: admin
select m.id, m.seq as stamp, m.state, m.superseded_by, coalesce(s.shown + s.read + s.applied + s.helpful + s.unhelpful, 0)
    as uses
from memories m left join signals s on s.tenant = m.tenant and s.memory_id = m.id
where m.id in (:ids) order by m.id;

-- name: cold_lock_memories
-- scope: admin
-- engine: postgres
select m.id, m.seq as stamp, m.state, m.superseded_by, coalesce(s.shown + s.read + s.applied + s.helpful + s.unhelpful, 0)
    as uses
from memories m left join signals s on s.tenant = m.tenant and s.memory_id = m.id
where m.id in (:ids) order by m.id for update of m;

-- Those that somebody is revising are left out: experiences are locked in no order, so that waiting for them could be
-- waiting in a circle.
-- name: cold_lock_experiences
-- scope: admin
select id, updated_at as stamp from experiences where id in (:ids) order by id;

-- name: cold_lock_experiences
-- scope: admin
-- engine: postgres
select id, updated_at as stamp from experiences where id in (:ids) order by id for update skip locked;

-- name: cold_there_memories
-- scope: admin
select id from memories where id in (:ids);

-- name: cold_there_experiences
-- scope: admin
select id from experiences where id in (:ids);

-- name: cold_leave_memories
-- scope: admin
delete from memories where id in (:ids);

-- name: cold_leave_decisions
-- scope: admin
delete from decisions where id in (select decision_id from experiences where id in (:ids));

-- name: cold_leave_experiences
-- scope: admin
delete from experiences where id in (:ids);

-- An archived memory is a row of the store again.
-- name: memory_thaw
insert into memories (id, tenant, agent, kind, key, content, fingerprint, importance, tags, metadata, session, role,
    occurred_at, created_at, told_at, updated_at, expires_at, decay_rate, visibility, pinned, source, state, superseded_by,
    superseded_at, archived_at, archived_reason, promoted_at, redacted, repeats, seq, shared_seq, length, terms, vector, scale, embedder, analyzer)
values (:id, :tenant, :agent, :kind, :key, :content, :fingerprint, :importance, :tags, :metadata, :session, :role,
    :occurred_at, :created_at, :told_at, :updated_at, :expires_at, :decay_rate, :visibility, :pinned, :source, :state,
    :superseded_by, :superseded_at, :archived_at, :decay_reason, :promoted_at, :redacted, :repeats, :seq, :shared_seq, :length, :terms, :vector, :scale,
    :embedder, :analyzer)
on conflict (id) do nothing;

-- name: signals_thaw
insert into signals (tenant, memory_id, shown, read, applied, helpful, unhelpful, last_shown_at, last_used_at, importance,
    weighed_at)
select m.tenant, m.id, cast(:shown as bigint), cast(:read as bigint), cast(:applied as bigint), cast(:helpful as bigint),
    cast(:unhelpful as bigint), cast(:last_shown_at as bigint), cast(:last_used_at as bigint),
    cast(:weight as double precision), cast(:weighed_at as bigint)
from memories m where m.id = :id and m.tenant = :tenant and m.agent = :agent;
