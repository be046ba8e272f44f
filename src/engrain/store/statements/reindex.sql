-- Active items whose passages were made by something else than what is wanted, or that have none. One that has not its
-- only passage in its own row has no embedder there either: then its passages are looked at.
-- name: stale_count
-- scope: admin
select count(*) as n from memories m
where m.state = 'active'
  and (coalesce(m.embedder, '') <> :embedder or m.analyzer <> :analyzer or length(m.vector) <> :dim)
  and (m.terms is not null
       or not exists (select 1 from passages p where p.memory_id = m.id)
       or exists (select 1 from passages p where p.memory_id = m.id
                  and (coalesce(p.embedder, '') <> :embedder or p.analyzer <> :analyzer or length(p.vector) <> :dim)));

-- name: active_count
-- scope: admin
select count(*) as n from memories where state = 'active';

-- name: owner_list
-- scope: admin
select distinct tenant, agent from memories order by tenant, agent;

-- Stale items of one agent, or all of them, after a place in the order of memories_list.
-- name: stale_batch
select m.id, m.tenant, m.agent, m.created_at, m.content, m.seq from memories m
where m.tenant = :tenant and m.agent = :agent and m.state = 'active'
  and (m.created_at, m.id) > (cast(:last_created as bigint), :last_id)
  and (cast(:everything as bigint) = 1
       or ((coalesce(m.embedder, '') <> :embedder or m.analyzer <> :analyzer or length(m.vector) <> :dim)
           and (m.terms is not null
                or not exists (select 1 from passages p where p.memory_id = m.id and p.tenant = :tenant)
                or exists (select 1 from passages p where p.memory_id = m.id and p.tenant = :tenant
                           and (coalesce(p.embedder, '') <> :embedder or p.analyzer <> :analyzer
                                or length(p.vector) <> :dim)))))
order by m.created_at, m.id limit :limit;

-- name: memory_seqs
select id, seq, shared_seq from memories
where tenant = :tenant and agent = :agent and state = 'active' and id in (:ids);
