-- An item as it leaves and comes back: its own columns and its signals as they are stored, nothing computed.
-- exchange/rows.py names these columns.
-- part: stored
m.id, m.kind, m.key, m.content, m.importance, m.tags, m.metadata, m.session, m.role, m.occurred_at, m.created_at,
    m.told_at, m.updated_at, m.expires_at, m.decay_rate, m.visibility, m.pinned, m.source, m.state, m.superseded_by,
    m.superseded_at, m.archived_at, m.archived_reason, m.promoted_at, m.redacted, m.repeats, s.shown, s.read, s.applied,
    s.helpful, s.unhelpful, s.last_shown_at, s.last_used_at, s.importance as weighed, s.weighed_at, s.pending_at,
    s.spared_until, m.fingerprint, m.seq, m.shared_seq

-- Everything of an agent, whatever its state: what leaves must not lose the archived.
-- name: exchange_all
select {stored}
from memories m left join signals s on s.tenant = m.tenant and s.memory_id = m.id
where m.tenant = :tenant and m.agent = :agent
  and (m.state, m.created_at, m.id) > (:after_state, :after_at, :after_id)
order by m.state, m.created_at, m.id limit :limit;

-- What has changed meanwhile, and so may have been missed.
-- name: exchange_changes
select {stored}
from memories m left join signals s on s.tenant = m.tenant and s.memory_id = m.id
where m.tenant = :tenant and m.agent = :agent and m.seq >= :seq and (m.seq > :seq or m.id > :after_id)
order by m.seq, m.id limit :limit;

-- name: exchange_count
select count(*) as n from memories where tenant = :tenant and agent = :agent;

-- name: exchange_echoes
select e.memory_id, e.session, e.at from echoes e
where e.tenant = :tenant and e.agent = :agent and e.memory_id in (:ids) order by e.memory_id, e.at;

-- Own items that some about to be imported may meet: by id, or active under the same key or with the same words.
-- name: exchange_known
select {stored}
from memories m left join signals s on s.tenant = m.tenant and s.memory_id = m.id
where m.tenant = :tenant and m.agent = :agent and m.id in (
    select i.id from memories i where i.tenant = :tenant and i.agent = :agent and i.id in (:ids)
    union select k.id from memories k
    where k.tenant = :tenant and k.agent = :agent and k.state = 'active' and k.key in (:keys)
    union select f.id from memories f
    where f.tenant = :tenant and f.agent = :agent and f.state = 'active' and f.fingerprint in (:fingerprints))
order by m.created_at, m.id;

-- An id that somebody has is left to whoever has it.
-- name: exchange_insert
insert into memories (id, tenant, agent, kind, key, content, fingerprint, importance, tags, metadata, session, role,
    occurred_at, created_at, told_at, updated_at, expires_at, decay_rate, visibility, pinned, source, state, superseded_by,
    superseded_at, archived_at, archived_reason, promoted_at, redacted, repeats, seq, shared_seq)
values (:id, :tenant, :agent, :kind, :key, :content, :fingerprint, :importance, :tags, :metadata, :session, :role,
    :occurred_at, :created_at, :told_at, :updated_at, :expires_at, :decay_rate, :visibility, :pinned, :source, :state,
    :superseded_by, :superseded_at, :archived_at, :archived_reason, :promoted_at, :redacted, :repeats, :seq, :shared_seq)
on conflict (id) do nothing;

-- name: exchange_replace
update memories set kind = :kind, key = :key, content = :content, fingerprint = :fingerprint, importance = :importance,
    tags = :tags, metadata = :metadata, session = :session, role = :role, occurred_at = :occurred_at,
    created_at = :created_at, told_at = :told_at, updated_at = :updated_at, expires_at = :expires_at,
    decay_rate = :decay_rate, visibility = :visibility, pinned = :pinned, source = :source, state = :state,
    superseded_by = :superseded_by, superseded_at = :superseded_at, archived_at = :archived_at,
    archived_reason = :archived_reason, promoted_at = :promoted_at, redacted = :redacted, repeats = :repeats, seq = :seq,
    shared_seq = :shared_seq
where id = :id and tenant = :tenant and agent = :agent;

-- name: exchange_chain
update memories set superseded_by = :by where tenant = :tenant and agent = :agent and superseded_by = :id;

-- name: exchange_signals
-- scope: tenant
insert into signals (tenant, memory_id, shown, read, applied, helpful, unhelpful, last_shown_at, last_used_at, importance,
    weighed_at, pending_at, spared_until)
values (:tenant, :id, :shown, :read, :applied, :helpful, :unhelpful, :last_shown_at, :last_used_at, :weighed, :weighed_at,
    :pending_at, :spared_until)
on conflict (tenant, memory_id) do update set shown = excluded.shown, read = excluded.read, applied = excluded.applied,
    helpful = excluded.helpful, unhelpful = excluded.unhelpful, last_shown_at = excluded.last_shown_at,
    last_used_at = excluded.last_used_at, importance = excluded.importance, weighed_at = excluded.weighed_at,
    pending_at = excluded.pending_at, spared_until = excluded.spared_until;

-- Everything of an agent, wherever it may have put words. Rows of what is gone go with it by their references.
-- name: erase_ids
select id from memories where tenant = :tenant and agent = :agent order by id limit :limit;

-- Adapters that learned from what is about to go are off until they are learned without it.
-- name: erase_adapter
-- scope: tenant
update adapters set version = version + 1, pending = pending + examples + 1, in_force = 0, gain = null, low = null,
    state = :nothing
where tenant = :tenant and exists (
    select 1 from recall_questions q where q.tenant = :tenant and q.agent = :agent and q.judged = 1);

-- name: erase_questions
delete from recall_questions where tenant = :tenant and agent = :agent;

-- name: erase_echoes
delete from echoes where tenant = :tenant and agent = :agent;

-- name: erase_kv
delete from kv where tenant = :tenant and agent = :agent;

-- name: erase_decisions
delete from decisions where tenant = :tenant and agent = :agent;

-- name: erase_experiences
delete from experiences where tenant = :tenant and agent = :agent;

-- name: erase_transitions
delete from transitions where tenant = :tenant and agent = :agent;

-- name: erase_metrics
delete from daily_metrics where tenant = :tenant and agent = :agent;

-- Answers that are kept for repeated requests may quote anything; none says of whom it speaks.
-- name: erase_replies
-- scope: tenant
delete from replies where tenant = :tenant;

-- name: erase_scope
-- scope: tenant
delete from scopes where tenant = :tenant and name = :name;
