-- The hot side of the cold archive: batches on their way, what counts no more there, what goes with what.
-- name: batch_open
-- scope: admin
insert into archive_batches (kind, number, state, members, n, bytes, digest, opened_at, closed_at)
values (:kind, :number, 'open', :members, :n, :bytes, :digest, :now, null);

-- name: batch_list
-- scope: admin
select kind, number, members, n, bytes, digest, opened_at from archive_batches
where kind = :kind and state = 'open' order by number;

-- name: batch_any
-- scope: admin
select 1 as one from archive_batches where n > 0 limit 1;

-- name: batch_close
-- scope: admin
update archive_batches set state = 'closed', members = '', n = :n, closed_at = :now
where kind = :kind and number = :number and state = 'open';

-- name: batch_drop
-- scope: admin
delete from archive_batches where kind = :kind and number = :number and state = 'open';

-- Locks the lease of whoever archives: who closes a batch waits for its turn.
-- name: archive_hold
-- scope: admin
update leases set token = token where name = 'archive';

-- Batches count in the archive up to this one: they are closed in their order.
-- name: batch_closed
-- scope: admin
select coalesce(max(number), 0) as number, coalesce(sum(n), 0) as n, coalesce(sum(bytes), 0) as bytes
from archive_batches where kind = :kind and state = 'closed';

-- What counts, and its bytes before they were compressed.
-- name: archive_stats
-- scope: admin
select kind, cast(sum(n) as bigint) - (select count(*) from archive_gone g where g.kind = b.kind) as n,
    cast(sum(bytes) as bigint) as bytes
from archive_batches b where state = 'closed' group by kind;

-- name: batch_rows
-- scope: admin
select number, n from archive_batches where kind = :kind and state = 'closed';

-- name: batch_recount
-- scope: admin
update archive_batches set n = :n where kind = :kind and number = :number and state = 'closed';

-- name: batch_fewer
-- scope: admin
update archive_batches set n = n - :n where kind = :kind and number = :number and state = 'closed';

-- name: gone_put
insert into archive_gone (kind, place, tenant, agent, id, reason, at)
values (:kind, :place, :tenant, :agent, :id, :reason, :now)
on conflict (kind, place) do update set reason = excluded.reason;

-- name: gone_list
-- scope: admin
select place, tenant, agent, id, reason, at from archive_gone where kind = :kind order by place;

-- name: gone_count
-- scope: admin
select kind, reason, count(*) as n from archive_gone group by kind, reason;

-- name: gone_some
-- scope: tenant
select place from archive_gone where tenant = :tenant and kind = :kind and place in (:places);

-- Old copies of what is forgotten now.
-- name: gone_forget
update archive_gone set reason = 'forgotten'
where tenant = :tenant and agent = :agent and kind = :kind and id in (:ids) and reason <> 'forgotten';

-- Old copies of what replaced older versions that are forgotten now: they may say the same as those.
-- name: gone_forget_newer
update archive_gone set reason = 'forgotten'
where tenant = :tenant and agent = :agent and kind = 'memories' and reason = 'restored' and id in (
    select superseded_by from memories where tenant = :tenant and agent = :agent and id in (:ids));

-- name: gone_of
select 1 as one from archive_gone where tenant = :tenant and agent = :agent limit 1;

-- name: gone_forget_all
update archive_gone set reason = 'forgotten' where tenant = :tenant and agent = :agent and reason <> 'forgotten';

-- name: gone_drop
-- scope: admin
delete from archive_gone where kind = :kind and place in (:places);

-- name: link_put
insert into archive_links (tenant, agent, goes_with, id) values (:tenant, :agent, :goes_with, :id)
on conflict (tenant, agent, goes_with, id) do nothing;

-- name: link_list
select id from archive_links where tenant = :tenant and agent = :agent and goes_with in (:ids);

-- name: link_drop
delete from archive_links where tenant = :tenant and agent = :agent and (goes_with in (:ids) or id in (:ids));

-- What tells whether the archived items of an agent are others than before: those that wait in the store, the batches that
-- count, and what counts no more. Sums of remainders, so that they stay numbers.
-- name: archived_standing
select w.waiting, w.latest, w.whens, b.closed, b.rows, g.gone, g.places
from (select count(*) as waiting, coalesce(max(archived_at), 0) as latest,
          cast(coalesce(sum(archived_at % 1000000007), 0) as bigint) as whens
      from memories where tenant = :tenant and agent = :agent and state = 'archived' and archived_at >= 0) w
    cross join (select coalesce(max(number), 0) as closed, cast(coalesce(sum(n), 0) as bigint) as rows
      from archive_batches where kind = 'memories' and state = 'closed') b
    cross join (select count(case when kind = 'memories' then 1 end) as gone,
          cast(coalesce(sum(case when kind = 'memories' then place % 1000000007 end), 0) as bigint) as places
      from archive_gone where tenant = :tenant and agent = :agent) g;

-- The same for the archived experiences of a tenant.
-- name: experience_standing
-- scope: tenant
select (select coalesce(max(number), 0) from archive_batches where kind = 'experiences' and state = 'closed') as closed,
    (select cast(coalesce(sum(n), 0) as bigint) from archive_batches
     where kind = 'experiences' and state = 'closed') as rows,
    count(*) as gone, cast(coalesce(sum(place % 1000000007), 0) as bigint) as places
from archive_gone where tenant = :tenant and kind = 'experiences';

-- name: archived_ids
select id, archived_at from memories
where tenant = :tenant and agent = :agent and state = 'archived' and archived_at >= 0;

-- name: link_heads
select distinct goes_with from archive_links where tenant = :tenant and agent = :agent and goes_with in (:ids);

-- What is in the store again has its own chain there.
-- name: link_cut
delete from archive_links where tenant = :tenant and agent = :agent and id in (:ids);

-- name: link_move
insert into archive_links (tenant, agent, goes_with, id)
select tenant, agent, cast(:by as text), id from archive_links
where tenant = :tenant and agent = :agent and goes_with = :id
on conflict (tenant, agent, goes_with, id) do nothing;

-- name: link_erase
delete from archive_links where tenant = :tenant and agent = :agent;
