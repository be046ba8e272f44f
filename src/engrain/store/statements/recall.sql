-- A passage, wherever it stands.
-- part: passage
p.number, coalesce(m.length, p.length) as length, coalesce(m.terms, p.terms) as terms,
    coalesce(m.vector, p.vector) as vector, coalesce(m.scale, p.scale) as scale,
    coalesce(m.embedder, p.embedder) as embedder, coalesce(m.analyzer, p.analyzer) as analyzer

-- The passages of one agent's items that changed from a number on, in pieces: the next begins after the last item of the
-- one before. Items that left the active state after the number `settled` come, too, for others to drop. Those of an item stand in its own row or, when it has
-- several, in their table, where nothing is looked for otherwise.
-- recall/segment.py reads both by position: the columns and their order belong together with it.
-- name: segment_changes
select m.id, m.agent, m.state, m.visibility, m.kind, m.tags, m.session, m.role, m.importance, m.told_at, m.occurred_at,
    m.expires_at, m.seq, {passage},
    case when rtrim(m.content) like '%?' then 1 else 0 end as asks
from memories m left join passages p
    on p.tenant = m.tenant and p.memory_id = case when m.terms is null then m.id end
where m.tenant = :tenant and m.agent = :agent and m.seq >= :seq and (m.seq > :seq or m.id > :last)
  and (m.state = 'active' or m.seq > :settled)
order by m.seq, m.id, p.number limit :limit;

-- The same for what other agents share in the tenant.
-- name: segment_shared_changes
select m.id, m.agent, m.state, m.visibility, m.kind, m.tags, m.session, m.role, m.importance, m.told_at, m.occurred_at,
    m.expires_at, m.shared_seq as seq, {passage},
    case when rtrim(m.content) like '%?' then 1 else 0 end as asks
from memories m left join passages p
    on p.tenant = m.tenant and p.memory_id = case when m.terms is null then m.id end
where m.tenant = :tenant and m.shared_seq >= :seq and (m.shared_seq > :seq or m.id > :last)
  and (m.state = 'active' or m.shared_seq > :settled)
order by m.shared_seq, m.id, p.number limit :limit;

-- The same for archived items, as if they were active and never expired.
-- name: archived_passages
select m.id, m.agent, 'active' as state, m.visibility, m.kind, m.tags, m.session, m.role, m.importance, m.told_at,
    m.occurred_at, null as expires_at, 1 as seq, {passage},
    case when rtrim(m.content) like '%?' then 1 else 0 end as asks
from memories m left join passages p
    on p.tenant = m.tenant and p.memory_id = case when m.terms is null then m.id end
where m.tenant = :tenant and m.agent = :agent and m.state = 'archived' and m.id in (:ids)
order by m.id, p.number;

-- name: segment_ids
select id from memories where tenant = :tenant and agent = :agent and state = 'active';

-- name: segment_shared_ids
select id from memories where tenant = :tenant and shared_seq is not null and state = 'active' and visibility <> 'private';

-- name: segment_signals
select s.memory_id, s.helpful, s.unhelpful, s.last_used_at from signals s
where s.tenant = :tenant and s.memory_id in (:ids);
