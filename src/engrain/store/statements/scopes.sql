-- name: scope_bump
insert into scopes (tenant, name, seq, purges) values (:tenant, :name, 1, :purges)
on conflict (tenant, name) do update set seq = scopes.seq + 1, purges = scopes.purges + excluded.purges
returning seq;

-- name: scope_state
select seq, purges from scopes where tenant = :tenant and name = :name;

-- name: scope_states
select name, seq, purges from scopes where tenant = :tenant and name in (:names);

-- name: agent_register
insert into agents (tenant, name, team, created_at, fades_since, decayed_at)
select cast(:tenant as text), cast(:agent as text), cast(:team as text), cast(:now as bigint),
    case when h.value = 'on' then cast(:now as bigint) end, case when h.value = 'on' then cast(:now as bigint) end
from (select 1 as one) o left join home h on h.name = 'lifecycle'
where true
on conflict (tenant, name) do update set team = coalesce(excluded.team, agents.team);

-- name: agent_find
select name, team, created_at from agents where tenant = :tenant and name = :agent;

-- Everyone in the team that an agent has now, itself included.
-- name: agent_team
select a.name from agents a join agents me on me.tenant = a.tenant and me.team = a.team
where a.tenant = :tenant and me.name = :agent;

-- name: agent_list
-- scope: admin
select a.tenant, a.name, a.team, a.created_at,
    (select count(*) from remembered m where m.tenant = a.tenant and m.agent = a.name and m.state = 'active'
        and m.until > :now) as memories,
    (select count(*) from experiences e where e.tenant = a.tenant and e.agent = a.name) as experiences
from agents a order by a.tenant, a.name;

-- name: lease_find
-- scope: admin
select name, holder, token, expires_at from leases where name = :name;

-- A lease that lasts for more than a day was taken under a clock that has been put back since: nobody holds it.
-- name: lease_take
-- scope: admin
insert into leases (name, holder, token, expires_at, beaten_at) values (:name, :holder, 1, :expires_at, :now)
on conflict (name) do update set holder = excluded.holder, expires_at = excluded.expires_at, beaten_at = :now,
    token = case when leases.holder = excluded.holder and leases.expires_at > :now then leases.token
            else leases.token + 1 end
where leases.holder = excluded.holder or leases.expires_at <= :now or leases.expires_at > :now + 86400000000
returning token;

-- name: lease_beat
-- scope: admin
update leases set expires_at = :expires_at, beaten_at = :now
where name = :name and holder = :holder and token = :token and expires_at > 0;

-- Locks the lease of who writes until the transaction ends, if it is still the writer's: nobody takes it meanwhile.
-- name: lease_guard
-- scope: admin
update leases set token = token where name = :name and holder = :holder and token = :token and expires_at > 0;

-- name: lease_release
-- scope: admin
update leases set expires_at = 0 where name = :name and holder = :holder and token = :token and expires_at > 0;

-- name: home_get
-- scope: admin
select value from home where name = :name;

-- name: home_set
-- scope: admin
insert into home (name, value) values (:name, :value) on conflict (name) do update set value = excluded.value;

-- name: home_claim
-- scope: admin
insert into home (name, value) values (:name, :value) on conflict (name) do nothing;

-- name: home_count
-- scope: admin
insert into home (name, value) values (:name, '1')
on conflict (name) do update set value = cast(cast(home.value as bigint) + 1 as text) returning value;
