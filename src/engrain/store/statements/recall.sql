-- The passages of one agent's items that changed from a number on, in pieces: the next begins after the last item of the
-- one before. Items that left the active state come without passages.
-- recall/segment.py reads both by position: the columns and their order belong together with it.
-- name: segment_changes
select m.id, m.agent, m.state, m.visibility, m.kind, m.tags, m.session, m.role, m.importance, m.told_at, m.occurred_at,
    m.expires_at, m.seq, p.number, p.length, p.terms, p.vector, p.scale, p.embedder, p.analyzer,
    case when rtrim(m.content) like '%?' then 1 else 0 end as asks
from memories m left join passages p on p.memory_id = m.id and p.tenant = m.tenant
where m.tenant = :tenant and m.agent = :agent and m.seq >= :seq and (m.seq > :seq or m.id > :last)
order by m.seq, m.id, p.number limit :limit;

-- The same for what other agents share in the tenant.
-- name: segment_shared_changes
select m.id, m.agent, m.state, m.visibility, m.kind, m.tags, m.session, m.role, m.importance, m.told_at, m.occurred_at,
    m.expires_at, m.shared_seq as seq, p.number, p.length, p.terms, p.vector, p.scale, p.embedder, p.analyzer,
    case when rtrim(m.content) like '%?' then 1 else 0 end as asks
from memories m left join passages p on p.memory_id = m.id and p.tenant = m.tenant
where m.tenant = :tenant and m.shared_seq >= :seq and (m.shared_seq > :seq or m.id > :last)
order by m.shared_seq, m.id, p.number limit :limit;

-- name: segment_ids
select id from memories where tenant = :tenant and agent = :agent and state = 'active';

-- name: segment_shared_ids
select id from memories where tenant = :tenant and shared_seq is not null and state = 'active' and visibility <> 'private';

-- name: segment_signals
select s.memory_id, s.helpful, s.unhelpful, s.last_used_at from signals s
where s.tenant = :tenant and s.memory_id in (:ids);
