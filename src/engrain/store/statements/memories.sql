-- How an item fares by now, of its row m, its signals s and its agent a: model/fading.py says the same in Python. Fading
-- counts from the last use (or being told, or when the agent's items began to fade), up to the last decay of the agent,
-- and an archived item stays as it was. Times are µs, the shares of a day doubles.
-- part: greatest
-- engine: sqlite
max

-- part: greatest
-- engine: postgres
greatest

-- part: least
-- engine: sqlite
min

-- part: least
-- engine: postgres
least

-- part: joined
left join signals s on s.tenant = m.tenant and s.memory_id = m.id
    left join agents a on a.tenant = m.tenant and a.name = m.agent

-- part: used_at
{greatest}(m.told_at, coalesce(s.last_used_at, 0), coalesce(a.fades_since, 0))

-- part: idle
(({least}(coalesce(m.archived_at, a.decayed_at), a.decayed_at) - {used_at}) / 86400000000.0)

-- part: weighed
((s.weighed_at - {used_at}) / 86400000000.0)

-- What was never weighed anew was weighed when it was told, and so had lost nothing by then.
-- part: faded
coalesce(m.decay_rate, 0.1) * ({greatest}(0.0, {idle} - 7.0) + {greatest}(0.0, {idle} - 30.0)
        - case when s.weighed_at is null then 0.0
            else {greatest}(0.0, {weighed} - 7.0) + {greatest}(0.0, {weighed} - 30.0) end)

-- part: importance
case when a.decayed_at is null or m.pinned = 1 then coalesce(s.importance, m.importance)
        else {greatest}(1.0, coalesce(s.importance, m.importance) - {greatest}(0.0, {faded})) end

-- An item with its signals: store/rows.py reads these columns, and echoes after them, by position.
-- part: item
m.id, m.tenant, m.agent, m.kind, m.content, m.created_at, m.told_at, m.updated_at, m.key, {importance} as importance,
    m.tags, m.metadata, m.session, m.role, m.occurred_at, m.expires_at, m.decay_rate, m.visibility, m.pinned, m.source,
    case when m.state = 'active' and s.pending_at is not null then 'pending_decay' else m.state end as state,
    m.superseded_by, m.superseded_at, m.redacted, m.repeats, s.shown, s.read, s.applied, s.helpful, s.unhelpful,
    s.last_used_at, m.archived_at, m.archived_reason, m.promoted_at,
    case when m.pinned = 0 and {idle} > 7 then {least}(coalesce(m.archived_at, a.decayed_at), a.decayed_at) end
        as last_decay_at

-- Of the content of m.
-- part: bytes
-- engine: sqlite
length(cast(m.content as blob))

-- part: bytes
-- engine: postgres
octet_length(m.content)

-- name: memory_insert
insert into memories (id, tenant, agent, kind, key, content, fingerprint, importance, tags, metadata, session, role,
    occurred_at, created_at, told_at, updated_at, expires_at, decay_rate, visibility, pinned, source, state, superseded_by,
    superseded_at, redacted, repeats, seq, shared_seq, length, terms, vector, scale, embedder, analyzer)
values (:id, :tenant, :agent, :kind, :key, :content, :fingerprint, :importance, :tags, :metadata, :session, :role,
    :occurred_at, :created_at, :told_at, :updated_at, :expires_at, :decay_rate, :visibility, :pinned, :source, :state,
    :superseded_by, :superseded_at, :redacted, :repeats, :seq, :shared_seq, :length, :terms, :vector, :scale, :embedder,
    :analyzer);

-- Words and vector of an item that is one passage; nulls for one that is none, or several: those stand in passages.
-- name: memory_index
update memories set length = :length, terms = :terms, vector = :vector, scale = :scale, embedder = :embedder,
    analyzer = :analyzer
where id = :id and tenant = :tenant and agent = :agent;

-- name: passage_insert
insert into passages (memory_id, tenant, agent, number, length, terms, vector, scale, embedder, analyzer)
values (:memory_id, :tenant, :agent, :number, :length, :terms, :vector, :scale, :embedder, :analyzer);

-- name: passage_delete
delete from passages where memory_id = :id and tenant = :tenant and agent = :agent;

-- Active, unexpired items with one of these fingerprints: candidates for being the same thing told again, or an echo
-- of what was shown lately.
-- name: memory_twins
select m.id, m.kind, m.key, m.content, m.session, m.occurred_at, s.last_shown_at
from remembered m left join signals s on s.tenant = m.tenant and s.memory_id = m.id
where m.tenant = :tenant and m.agent = :agent and m.state = 'active' and m.fingerprint in (:fingerprints)
  and m.until > :now
order by m.created_at, m.id;

-- name: memory_current
select id, kind, key, created_at, expires_at, visibility from memories
where tenant = :tenant and agent = :agent and state = 'active' and key in (:keys);

-- name: memory_supersede
update memories set state = 'superseded', superseded_by = :by, superseded_at = :now, updated_at = :now, seq = :seq,
    length = null, terms = null, vector = null, scale = null, embedder = null, analyzer = null,
    shared_seq = case when shared_seq is null then null else cast(:shared_seq as bigint) end
where id = :id and tenant = :tenant and agent = :agent and state = 'active';

-- name: memory_repeat
update memories set repeats = repeats + :times where id = :id and tenant = :tenant and agent = :agent;

-- name: echo_insert
insert into echoes (tenant, memory_id, agent, session, at) values (:tenant, :id, :agent, :session, :now)
on conflict (tenant, memory_id, agent, at) do nothing;

-- name: signals_carry
insert into signals (tenant, memory_id, shown, read, applied, helpful, unhelpful, last_shown_at, last_used_at)
select tenant, cast(:to_id as text), shown, read, applied, helpful, unhelpful, last_shown_at, last_used_at from signals
where tenant = :tenant and memory_id = :from_id
on conflict (tenant, memory_id) do nothing;

-- What an agent may read by id: its own, its team's, its tenant's. The team is the one that it has now, whatever it was
-- when the caller asked for the agent.
-- name: memory_get
select {item},
    case when m.repeats = 0 then 0
         else (select count(*) from echoes e where e.tenant = :tenant and e.memory_id = m.id) end as echoes
from remembered m {joined}
where m.id = :id and m.tenant = :tenant and m.until > :now
  and (m.agent = :agent or (m.state = 'active' and (m.visibility = 'public'
       or (m.visibility = 'team' and m.agent in (
           select mate.name from agents mate join agents me on me.tenant = mate.tenant and me.team = mate.team
           where mate.tenant = :tenant and me.name = :agent)))));

-- The same for many, of which expired ones were left out before.
-- name: memory_get_many
select {item}, 0 as echoes
from remembered m {joined}
where m.id in (:ids) and m.tenant = :tenant
  and (m.agent = :agent or (m.state = 'active' and (m.visibility = 'public'
       or (m.visibility = 'team' and m.agent in (
           select mate.name from agents mate join agents me on me.tenant = mate.tenant and me.team = mate.team
           where mate.tenant = :tenant and me.name = :agent)))));

-- name: memory_lookup
select {item},
    case when m.repeats = 0 then 0
         else (select count(*) from echoes e where e.tenant = :tenant and e.memory_id = m.id) end as echoes
from remembered m {joined}
where m.tenant = :tenant and m.agent = :agent and m.kind = :kind and m.key = :key and m.state = 'active'
  and m.until > :now;

-- name: memory_history
select {item}, 0 as echoes
from remembered m {joined}
where m.tenant = :tenant and m.agent = :agent and m.kind = :kind and m.key = :key
order by case when m.state = 'active' then 0 else 1 end, m.superseded_at desc, m.id desc;

-- name: memory_list
select {item}, 0 as echoes
from remembered m {joined}
where m.tenant = :tenant and m.agent = :agent and m.state = 'active' and m.until > :now
  and (cast(:kind as text) is null or m.kind = :kind)
  and (cast(:after_id as text) is null or (m.created_at, m.id) > (cast(:after_at as bigint), :after_id))
order by m.created_at, m.id limit :limit;

-- The latest first.
-- name: memory_list_newest
select {item}, 0 as echoes
from remembered m {joined}
where m.tenant = :tenant and m.agent = :agent and m.state = 'active' and m.until > :now
  and (cast(:kind as text) is null or m.kind = :kind)
  and (cast(:after_id as text) is null or (m.created_at, m.id) < (cast(:after_at as bigint), :after_id))
order by m.created_at desc, m.id desc limit :limit;

-- Those whose key begins with something: it stands before :high.
-- name: memory_keyed
select {item}, 0 as echoes
from remembered m {joined}
where m.tenant = :tenant and m.agent = :agent and m.state = 'active' and m.until > :now
  and m.key >= :low and m.key < :high and (cast(:kind as text) is null or m.kind = :kind)
  and (cast(:after_id as text) is null or (m.created_at, m.id) > (cast(:after_at as bigint), :after_id))
order by m.created_at, m.id limit :limit;

-- name: memory_keyed_newest
select {item}, 0 as echoes
from remembered m {joined}
where m.tenant = :tenant and m.agent = :agent and m.state = 'active' and m.until > :now
  and m.key >= :low and m.key < :high and (cast(:kind as text) is null or m.kind = :kind)
  and (cast(:after_id as text) is null or (m.created_at, m.id) < (cast(:after_at as bigint), :after_id))
order by m.created_at desc, m.id desc limit :limit;

-- The sessions that items are of, the one that was written to last first; `prefix` is what their names begin with.
-- name: memory_sessions
select session, count(*) as items, min(created_at) as began_at, max(told_at) as last_at from remembered
where tenant = :tenant and agent = :agent and state = 'active' and until > :now and session is not null
  and (cast(:kind as text) is null or kind = :kind) and substr(session, 1, length(:prefix)) = :prefix
group by session order by max(told_at) desc, session limit :limit;

-- name: memory_count
select count(*) as n from remembered
where tenant = :tenant and agent = :agent and state = 'active' and until > :now
  and (cast(:kind as text) is null or kind = :kind);

-- What agents have, and until when that is so if nothing is written.
-- name: quota_used
-- scope: tenant
select m.agent, count(*) as items, sum({bytes}) as bytes, min(m.until) as until from remembered m
where m.tenant = :tenant and m.agent in (:agents) and m.state = 'active' and m.until > :now group by m.agent;

-- name: quota_of
select count(*) as items, coalesce(sum({bytes}), 0) as bytes from remembered m
where m.tenant = :tenant and m.agent = :agent and m.id in (:ids) and m.state = 'active' and m.until > :now;

-- name: quota_agents
-- scope: tenant
select a.name, s.seq from agents a join scopes s on s.tenant = a.tenant and s.name = 'agent:' || a.name
where a.tenant = :tenant;

-- name: memory_own
select {item}, 0 as echoes, m.fingerprint, m.seq, m.shared_seq
from remembered m {joined}
where m.id = :id and m.tenant = :tenant and m.agent = :agent;

-- name: memory_update
update memories set kind = :kind, content = :content, fingerprint = :fingerprint, tags = :tags, metadata = :metadata,
    session = :session, role = :role, occurred_at = :occurred_at, told_at = :told_at, updated_at = :updated_at,
    expires_at = :expires_at, decay_rate = :decay_rate, visibility = :visibility, pinned = :pinned, source = :source,
    redacted = :redacted, seq = :seq, shared_seq = :shared_seq
where id = :id and tenant = :tenant and agent = :agent;

-- Items and every older version that they superseded, also where they are in the cold archive themselves.
-- name: memory_chain
with recursive chain (id) as (
    select id from memories where id in (:ids) and tenant = :tenant and agent = :agent
    union
    select id from memories where superseded_by in (:ids) and tenant = :tenant and agent = :agent
    union
    select m.id from chain c cross join memories m
    where m.superseded_by = c.id and m.tenant = :tenant and m.agent = :agent)
select id from chain;

-- What says the same because it was promoted: nobody told it again, so it goes with what it was made of.
-- name: memory_copies
select k.id from memories m join memories k on k.tenant = :tenant and k.agent = :agent and k.fingerprint = m.fingerprint
    and k.content = m.content and k.source = 'promoted:' || m.id
where m.tenant = :tenant and m.agent = :agent and m.id in (:ids);

-- The same of an item that is in the cold archive.
-- name: memory_made
select id from memories
where tenant = :tenant and agent = :agent and fingerprint = :fingerprint and content = :content and source = :source;

-- name: memory_lock
select id, state, expires_at from memories where tenant = :tenant and agent = :agent and id in (:ids) order by id;

-- name: memory_lock
-- engine: postgres
select id, state, expires_at from memories where tenant = :tenant and agent = :agent and id in (:ids)
order by id for update;

-- name: memory_forget
delete from memories where tenant = :tenant and agent = :agent and id in (:ids);

-- name: memory_sweepable
select id, tags, state, expires_at from memories
where tenant = :tenant and agent = :agent
  and (cast(:kind as text) is null or kind = :kind)
  and (cast(:before as bigint) is null or coalesce(occurred_at, told_at) < :before);
