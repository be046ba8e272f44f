-- What SQL over the archive sees of the store, in pieces: everything, or of one agent what it may see. A team's rows are
-- told from others' by the caller.
-- name: live_memories
-- scope: admin
select m.id, m.tenant, m.agent, m.kind, m.key, {importance} as importance, m.importance as told_importance, m.tags,
    m.metadata, m.visibility, m.pinned, m.source, m.state, {bytes} as bytes, m.created_at, m.told_at, m.expires_at,
    m.archived_at, m.archived_reason as decay_reason, coalesce(s.read + s.applied + s.helpful, 0) as access_count,
    coalesce(s.helpful, 0) as helpful, coalesce(s.unhelpful, 0) as unhelpful
from memories m {joined}
where m.id > :after_id and (cast(:tenant as text) is null or m.tenant = :tenant)
  and (cast(:agent as text) is null or m.agent = :agent or m.visibility <> 'private')
order by m.id limit :limit;

-- name: live_experiences
-- scope: admin
select id, tenant, agent, decision_id, task_type, action, success, evidence, outcome, reward, episode, created_at,
    updated_at
from experiences
where id > :after_id and (cast(:tenant as text) is null or tenant = :tenant)
  and (cast(:agent as text) is null or agent = :agent)
order by id limit :limit;

-- name: live_transitions
-- scope: admin
select tenant, agent, memory_id, at as happened_at, event, old_state, new_state, reason, actor, seq, place from transitions
where (tenant, seq, place) > (:after_tenant, cast(:after_seq as bigint), cast(:after_place as integer))
  and (cast(:tenant as text) is null or tenant = :tenant) and (cast(:agent as text) is null or agent = :agent)
order by tenant, seq, place limit :limit;

-- name: live_metrics
-- scope: admin
select tenant, agent, day, kind, memories, importance, bytes, uses, accesses, expired, archived, promoted
from daily_metrics
where (tenant, agent, day, kind) > (:after_tenant, :after_agent, :after_day, :after_kind) and tenant <> '*'
  and (cast(:tenant as text) is null or tenant = :tenant) and (cast(:agent as text) is null or agent = :agent)
order by tenant, agent, day, kind limit :limit;
