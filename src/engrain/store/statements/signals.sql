-- Those of some items that exist; on a server nobody can delete them before the transaction ends. Everyone locks rows in
-- the order of their ids, so that no two wait for each other.
-- name: signal_lock
-- scope: tenant
select m.id, m.agent, m.state, s.pending_at
from memories m left join signals s on s.tenant = m.tenant and s.memory_id = m.id
where m.tenant = :tenant and m.id in (:ids) order by m.id;

-- name: signal_lock
-- scope: tenant
-- engine: postgres
select m.id, m.agent, m.state, s.pending_at
from memories m left join signals s on s.tenant = m.tenant and s.memory_id = m.id
where m.tenant = :tenant and m.id in (:ids) order by m.id for key share of m;

-- A use makes an item a little more important than it has become by then, at most once an hour, and is a reason to keep it.
-- In a home whose items do not fade nothing becomes more important either.
-- name: signal_add
-- scope: tenant
insert into signals (tenant, memory_id, shown, read, applied, helpful, unhelpful, last_shown_at, last_used_at, importance,
    weighed_at)
select m.tenant, m.id, cast(:shown as bigint), cast(:read as bigint), cast(:applied as bigint), cast(:helpful as bigint),
    cast(:unhelpful as bigint), cast(:last_shown_at as bigint), cast(:last_used_at as bigint),
    case when coalesce(s.weighed_at, 0) + 3600000000 <= a.decayed_at then {least}(10.0, {importance} + 0.1)
        else s.importance end,
    case when coalesce(s.weighed_at, 0) + 3600000000 <= a.decayed_at then a.decayed_at else s.weighed_at end
from memories m left join signals s on s.tenant = m.tenant and s.memory_id = m.id
    left join (select tenant, name, fades_since,
            case when decayed_at is not null and 'on' = (select h.value from home h where h.name = 'lifecycle')
                then cast(:last_used_at as bigint) end as decayed_at
        from agents where tenant = :tenant) a on a.tenant = m.tenant and a.name = m.agent
where m.id = :id and m.tenant = :tenant
on conflict (tenant, memory_id) do update set
    shown = signals.shown + excluded.shown, read = signals.read + excluded.read,
    applied = signals.applied + excluded.applied, helpful = signals.helpful + excluded.helpful,
    unhelpful = signals.unhelpful + excluded.unhelpful,
    last_shown_at = coalesce(excluded.last_shown_at, signals.last_shown_at),
    last_used_at = coalesce(excluded.last_used_at, signals.last_used_at),
    importance = excluded.importance, weighed_at = excluded.weighed_at,
    pending_at = case when excluded.last_used_at is null then signals.pending_at end;

-- name: signal_revive
-- scope: tenant
update signals set pending_at = null where tenant = :tenant and memory_id = :id and pending_at is not null;

-- The importance that an item has from now on.
-- name: memory_weigh
insert into signals (tenant, memory_id, importance, weighed_at)
select m.tenant, m.id, cast(:importance as double precision), cast(:now as bigint)
from memories m where m.id = :id and m.tenant = :tenant and m.agent = :agent
on conflict (tenant, memory_id) do update set importance = excluded.importance, weighed_at = excluded.weighed_at;

-- name: transition_insert
insert into transitions (tenant, seq, place, at, agent, memory_id, event, old_state, new_state, reason, actor, before,
    after)
values (:tenant, :seq, :place, :at, :agent, :memory_id, :event, :old_state, :new_state, :reason, :actor, :before, :after);

-- What happened in a tenant, in the order in which it became visible; of one agent or memory when that is given.
-- name: transition_list
-- scope: tenant
select tenant, seq, place, at, agent, memory_id, event, old_state, new_state, reason, actor, before, after
from transitions
where tenant = :tenant and (seq, place) > (cast(:after_seq as bigint), cast(:after_place as integer))
  and (cast(:agent as text) is null or agent = :agent)
  and (cast(:memory_id as text) is null or memory_id = :memory_id)
order by seq, place limit :limit;
