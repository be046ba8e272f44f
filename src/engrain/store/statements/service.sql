-- Keys are looked up before it is known whose they are.
-- name: key_find
-- scope: admin
select id, digest, tenant, agents, rights, used_at from api_keys
where id = :id and revoked_at is null and (expires_at is null or expires_at > :now);

-- name: key_any
-- scope: admin
select id from api_keys limit 1;

-- name: key_insert
-- scope: admin
insert into api_keys (id, digest, name, tenant, agents, rights, created_at, expires_at)
values (:id, :digest, :name, :tenant, :agents, :rights, :now, :expires_at);

-- name: key_list
-- scope: admin
select id, name, tenant, agents, rights, created_at, expires_at, revoked_at, used_at from api_keys
where cast(:tenant as text) is null or tenant = :tenant
order by id;

-- name: key_revoke
-- scope: admin
update api_keys set revoked_at = coalesce(revoked_at, cast(:now as bigint))
where id = :id and (cast(:tenant as text) is null or tenant = :tenant);

-- name: key_used
-- scope: admin
update api_keys set used_at = :now where id = :id;

-- The right to answer a request under a key of idempotency: given to whoever comes first, and anew when the answer is
-- too old, or when whoever was to answer has not been heard of since `lost` and may be done over.
-- name: reply_claim
insert into replies (tenant, owner, key, digest, status, body, at)
values (:tenant, :owner, :key, :digest, null, :holder, :now)
on conflict (tenant, owner, key) do update set digest = excluded.digest, status = null, body = excluded.body,
    at = excluded.at
where replies.at <= :old or (replies.status is null and replies.at <= :lost and replies.digest = excluded.digest
    and cast(:again as integer) = 1)
returning digest;

-- name: reply_find
select digest, status, body, at from replies where tenant = :tenant and owner = :owner and key = :key;

-- name: reply_store
update replies set status = cast(:status as integer), body = :body
where tenant = :tenant and owner = :owner and key = :key and status is null and body = :holder;

-- name: reply_drop
delete from replies
where tenant = :tenant and owner = :owner and key = :key and status is null and body = :holder;

-- name: reply_alive
-- scope: admin
update replies set at = :now where status is null and body = :holder;

-- name: reply_sweep
-- scope: admin
delete from replies where at <= :old;

-- name: service_states
-- scope: admin
select state, count(*) as n from memories group by state order by state;

-- name: service_runs
-- scope: admin
select role, state, count(*) as n from runs group by role, state order by role, state;
