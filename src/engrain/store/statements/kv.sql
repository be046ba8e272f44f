-- name: kv_set
insert into kv (tenant, agent, namespace, key, value, expires_at, updated_at)
values (:tenant, :agent, :namespace, :key, :value, :expires_at, :now)
on conflict (tenant, agent, namespace, key) do update set
    value = excluded.value, expires_at = excluded.expires_at, updated_at = excluded.updated_at;

-- name: kv_get
select value from kv where tenant = :tenant and agent = :agent and namespace = :namespace and key = :key
  and (expires_at is null or expires_at > :now);

-- name: kv_search
select key, value from kv where tenant = :tenant and agent = :agent and namespace = :namespace
  and key >= :low and (cast(:high as text) is null or key < :high) and (expires_at is null or expires_at > :now)
order by key limit :limit;

-- name: kv_delete
delete from kv where tenant = :tenant and agent = :agent and namespace = :namespace and key = :key
  and (expires_at is null or expires_at > :now);

-- name: kv_sweep
delete from kv where tenant = :tenant and agent = :agent and expires_at <= :now;
