-- An item as its rules see it, in the order of model/life.py Life; then whether others may see it, and what tells whether
-- it was changed or used since. What does not fade counts as used now.
-- part: life
m.id, m.agent, m.tenant, m.kind,
    case when m.state = 'active' and s.pending_at is not null then 'pending_decay' else m.state end as state,
    coalesce(s.importance, m.importance) as importance, m.importance as told_importance,
    coalesce(s.weighed_at, m.told_at) as weighed_at, m.told_at, m.created_at,
    case when a.fades_since is null then cast(:now as bigint) else {used_at} end as used_at, m.decay_rate, m.pinned,
    m.expires_at, s.pending_at, s.spared_until, m.archived_at, m.archived_reason, m.superseded_at, m.promoted_at,
    coalesce(s.read + s.applied + s.helpful, 0) as uses, coalesce(s.helpful, 0) as helpful,
    coalesce(s.unhelpful, 0) as unhelpful, coalesce(s.applied, 0) as applied, m.shared_seq, m.seq, m.state as stored,
    s.pending_at as pends, s.last_used_at

-- name: life_read
-- scope: tenant
select {life} from memories m {joined} where m.tenant = :tenant and m.id in (:ids) order by m.id;

-- What tells it, and nobody changes the items before the transaction ends.
-- name: life_lock
-- scope: tenant
select m.id, m.seq, m.state, s.pending_at, s.last_used_at
from memories m left join signals s on s.tenant = m.tenant and s.memory_id = m.id
where m.tenant = :tenant and m.id in (:ids) order by m.id;

-- name: life_lock
-- scope: tenant
-- engine: postgres
select m.id, m.seq, m.state, s.pending_at, s.last_used_at
from memories m left join signals s on s.tenant = m.tenant and s.memory_id = m.id
where m.tenant = :tenant and m.id in (:ids) order by m.id for update of m;

-- What sweeps look at: everything that time has made due, in pieces, of all tenants or agent by agent.
-- name: life_expired
-- scope: admin
select {life}, m.expires_at as at from memories m {joined}
where m.state = 'active' and m.expires_at <= :now and (m.expires_at, m.id) > (cast(:after_at as bigint), :after_id)
order by m.expires_at, m.id limit :limit;

-- name: life_pending
-- scope: admin
select m.tenant, m.agent, m.id, s.pending_at as at
from signals s join memories m on m.tenant = s.tenant and m.id = s.memory_id
where s.pending_at <= :before and (s.pending_at, s.memory_id) > (cast(:after_at as bigint), :after_id)
  and m.state = 'active'
order by s.pending_at, s.memory_id limit :limit;

-- What was used or found helpful often enough to be worth a look.
-- name: life_useful
-- scope: admin
select m.tenant, m.agent, m.id, 0 as at
from signals s join memories m on m.tenant = s.tenant and m.id = s.memory_id
where s.memory_id > :after_id and (s.read + s.applied + s.helpful >= :uses or s.helpful >= :votes)
  and m.state = 'active' and m.promoted_at is null
order by s.memory_id limit :limit;

-- name: life_agents
-- scope: admin
select tenant, name, decayed_at from agents where (tenant, name) > (:after_tenant, :after_name)
order by tenant, name limit :limit;

-- The items of an agent that fade by now, each with its id when a policy might let go of it: unused for so long, and not
-- more important than that.
-- name: life_fading
select case when s.pending_at is null and {used_at} <= :before and {importance} <= :most then m.id end as id
from memories m left join signals s on s.tenant = m.tenant and s.memory_id = m.id
    join (select tenant, name, fades_since, cast(:now as bigint) as decayed_at from agents
        where tenant = :tenant and name = :agent and fades_since is not null) a on a.tenant = m.tenant and a.name = m.agent
where m.tenant = :tenant and m.agent = :agent and m.state = 'active' and m.created_at <= :fresh and m.pinned = 0
  and {used_at} <= :fresh;

-- name: life_replaced
select id from memories
where tenant = :tenant and agent = :agent and state = 'superseded' and created_at <= :before and superseded_at <= :before;

-- Not backwards, so that what has faded stays so when the clock is put back a little; but one that was years ahead for a
-- while must not make faded what is told after it was mended.
-- name: agent_decay
update agents set decayed_at = :now where tenant = :tenant and name = :agent
  and not decayed_at between :now and :now + 86400000000;

-- name: signal_pending
-- scope: tenant
insert into signals (tenant, memory_id, pending_at) values (:tenant, :id, :pending_at)
on conflict (tenant, memory_id) do update set pending_at = excluded.pending_at;

-- name: signal_spare
-- scope: tenant
update signals set spared_until = :until, pending_at = null where tenant = :tenant and memory_id = :id;

-- name: memory_archive
update memories set state = 'archived', archived_at = :now, archived_reason = :reason, seq = :seq,
    shared_seq = case when shared_seq is null then null else cast(:shared_seq as bigint) end
where id = :id and tenant = :tenant and agent = :agent;

-- What expired is invisible to everyone by time alone, so nobody has to hear of it by a change number.
-- name: memory_expire
update memories set state = 'archived', archived_at = :now, archived_reason = :reason
where id = :id and tenant = :tenant and agent = :agent;

-- name: memory_take_back
update memories set state = :state, archived_at = null, archived_reason = null, superseded_by = :superseded_by,
    superseded_at = :superseded_at, expires_at = :expires_at, updated_at = :now, seq = :seq,
    shared_seq = case when visibility = 'private' and shared_seq is null then null
        else cast(:shared_seq as bigint) end
where id = :id and tenant = :tenant and agent = :agent and state = 'archived' and seq = :was;

-- Archived items that are still here. `echoes` of one that was repeated are counted where that is shown.
-- name: archived_many
select {item}, 0 as echoes, m.fingerprint, m.seq, m.shared_seq
from memories m {joined}
where m.id in (:ids) and m.tenant = :tenant and m.agent = :agent and m.state = 'archived';

-- name: archived_list
select {item}, 0 as echoes, m.fingerprint, m.seq, m.shared_seq
from memories m {joined}
where m.tenant = :tenant and m.agent = :agent and m.state = 'archived'
  and (cast(:reason as text) is null or m.archived_reason = :reason)
  and (cast(:any as integer) = 1 or m.kind in (:kinds))
  and coalesce(m.occurred_at, m.told_at) >= coalesce(cast(:since as bigint), -9223372036854775807)
  and coalesce(m.occurred_at, m.told_at) < coalesce(cast(:until as bigint), 9223372036854775807)
  and (m.archived_at, m.id) < (cast(:before_at as bigint), :before_id)
order by m.archived_at desc, m.id desc limit :limit;

-- name: archived_old
select {life} from memories m {joined}
where m.tenant = :tenant and m.agent = :agent and m.state = 'archived' and m.archived_at <= :before
order by m.archived_at, m.id;

-- Older versions of what is about to be deleted belong to what replaced it, so that forgetting that reaches them.
-- name: memory_relink
update memories set superseded_by = (
    select m.superseded_by from memories m where m.id = :id and m.tenant = :tenant and m.agent = :agent)
where tenant = :tenant and agent = :agent and superseded_by = :id;

-- name: archived_drop
delete from memories where id = :id and tenant = :tenant and agent = :agent and state = 'archived';

-- The current item that stands where another one wants to be active: under its key, expired or not, or else the same.
-- name: memory_rival
select {item}, 0 as echoes, m.shared_seq
from memories m {joined}
where m.tenant = :tenant and m.agent = :agent and m.state = 'active' and m.kind = :kind
  and ((m.key is not null and m.key = cast(:key as text))
       or (cast(:key as text) is null and m.fingerprint = :fingerprint and m.content = :content
           and coalesce(m.session, '') = coalesce(cast(:session as text), '')
           and coalesce(m.occurred_at, 0) = coalesce(cast(:occurred_at as bigint), 0)
           and coalesce(m.expires_at, :now + 1) > :now))
order by m.id limit 1;

-- name: memory_merge
update memories set tags = :tags, metadata = :metadata, updated_at = :now, seq = :seq,
    shared_seq = case when visibility = 'private' and shared_seq is null then null
        else cast(:shared_seq as bigint) end
where id = :id and tenant = :tenant and agent = :agent;

-- name: signals_sum
insert into signals (tenant, memory_id, shown, read, applied, helpful, unhelpful, last_shown_at, last_used_at)
select tenant, cast(:to_id as text), shown, read, applied, helpful, unhelpful, last_shown_at, last_used_at from signals
where tenant = :tenant and memory_id = :from_id
on conflict (tenant, memory_id) do update set shown = signals.shown + excluded.shown, read = signals.read + excluded.read,
    applied = signals.applied + excluded.applied, helpful = signals.helpful + excluded.helpful,
    unhelpful = signals.unhelpful + excluded.unhelpful;

-- name: memory_promoted
update memories set promoted_at = :now, seq = :seq,
    shared_seq = case when shared_seq is null then null else cast(:shared_seq as bigint) end
where id = :id and tenant = :tenant and agent = :agent;

-- What a promoted item says, as knowledge of its own, unless the agent has the same as knowledge already. It is told now
-- but happened then; it does not expire.
-- name: knowledge_insert
insert into memories (id, tenant, agent, kind, key, content, fingerprint, importance, tags, metadata, session, role,
    occurred_at, created_at, told_at, updated_at, expires_at, decay_rate, visibility, pinned, source, state, superseded_by,
    superseded_at, redacted, repeats, seq, shared_seq, length, terms, vector, scale, embedder, analyzer)
select cast(:new_id as text), m.tenant, m.agent, 'knowledge', null, m.content, m.fingerprint, {importance}, m.tags,
    m.metadata, m.session, m.role, coalesce(m.occurred_at, m.told_at), cast(:now as bigint), cast(:now as bigint),
    cast(:now as bigint), null, m.decay_rate, m.visibility, 0, 'promoted:' || m.id, 'active', null, null, m.redacted, 0,
    cast(:seq as bigint), case when m.visibility = 'private' then null else cast(:shared_seq as bigint) end, m.length,
    m.terms, m.vector, m.scale, m.embedder, m.analyzer
from memories m {joined}
where m.id = :id and m.tenant = :tenant and m.agent = :agent and not exists (
    select 1 from remembered k where k.tenant = :tenant and k.agent = :agent and k.fingerprint = m.fingerprint
        and k.content = m.content and k.kind = 'knowledge' and k.state = 'active' and k.until > :now);

-- name: passages_copy
insert into passages (memory_id, tenant, agent, number, length, terms, vector, scale, embedder, analyzer)
select cast(:new_id as text), tenant, agent, number, length, terms, vector, scale, embedder, analyzer from passages
where memory_id = :id and tenant = :tenant and agent = :agent;

-- The end of the oldest so many transitions, and of replies, that are older than that.
-- name: transition_old
-- scope: admin
select max(at) as at from (select at from transitions where at < :before order by at limit :limit) old;

-- name: transition_trim
-- scope: admin
delete from transitions where at <= :at;

-- name: reply_old
-- scope: admin
select max(at) as at from (select at from replies where at < :before order by at limit :limit) old;

-- name: reply_trim
-- scope: admin
delete from replies where at <= :at;
