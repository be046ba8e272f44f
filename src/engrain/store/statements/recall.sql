-- The passages of one agent's items that changed after a number; items that left the active state come without passages.
-- recall/segment.py reads both by position: the columns and their order belong together with it.
-- name: segment_changes
select m.id, m.agent, m.state, m.visibility, m.kind, m.tags, m.session, m.role, m.importance, m.told_at, m.occurred_at,
    m.expires_at, m.pinned, m.seq, p.number, p.length, p.terms, p.vector, p.scale, p.embedder, p.analyzer
from memories m left join passages p on p.memory_id = m.id and p.tenant = m.tenant
where m.tenant = :tenant and m.agent = :agent and m.seq > :seq
order by m.seq, m.told_at, m.id, p.number;

-- The same for what other agents share in the tenant.
-- name: segment_shared_changes
select m.id, m.agent, m.state, m.visibility, m.kind, m.tags, m.session, m.role, m.importance, m.told_at, m.occurred_at,
    m.expires_at, m.pinned, m.shared_seq as seq, p.number, p.length, p.terms, p.vector, p.scale, p.embedder, p.analyzer
from memories m left join passages p on p.memory_id = m.id and p.tenant = m.tenant
where m.tenant = :tenant and m.shared_seq > :seq
order by m.shared_seq, m.told_at, m.id, p.number;

-- name: segment_ids
select id from memories where tenant = :tenant and agent = :agent and state = 'active';

-- name: segment_shared_ids
select id from memories where tenant = :tenant and shared_seq is not null and state = 'active' and visibility <> 'private';

-- name: segment_signals
select s.memory_id, s.helpful, s.unhelpful, s.last_used_at from signals s
where s.tenant = :tenant and s.memory_id in (:ids);
