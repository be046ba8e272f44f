-- name: policy_next
-- scope: tenant
select coalesce(max(version), 0) + 1 as version from policies where tenant = :tenant and task_type = :task_type;

-- name: policy_insert
insert into policies (tenant, agent, task_type, version, state, kind, parent, data, metrics, rule, code, seed, discount,
    dream, made_at)
values (:tenant, :agent, :task_type, :version, 'candidate', :kind, :parent, :data, :metrics, :rule, :code, :seed,
    :discount, :dream, :made_at);

-- The live policy of an agent and that of its whole tenant, without their rules.
-- name: policy_live
-- scope: tenant
select agent, version from policies
where tenant = :tenant and task_type = :task_type and state = 'live' and agent in (:agents);

-- name: policy_find
-- scope: tenant
select * from policies where tenant = :tenant and task_type = :task_type and version = :version;

-- name: policy_list
-- scope: admin
select tenant, agent, task_type, version, state, kind, parent, data, metrics, code, seed, discount, dream, made_at,
    live_at, told, told_total, told_squares from policies
where (cast(:tenant as text) is null or tenant = :tenant) and (cast(:task_type as text) is null or task_type = :task_type)
  and (cast(:agent as text) is null or agent = :agent) and (cast(:state as text) is null or state = :state)
order by made_at desc, tenant, task_type, version desc limit :limit;

-- name: policy_state
-- scope: tenant
update policies set state = :state, live_at = coalesce(:live_at, live_at),
    watch = case when :state = 'live' then '{}' else watch end
where tenant = :tenant and task_type = :task_type and version = :version;

-- name: policy_judged
-- scope: tenant
update policies set metrics = :metrics where tenant = :tenant and task_type = :task_type and version = :version;

-- name: policy_told
-- scope: tenant
update policies set told = told + :n, told_total = told_total + :total, told_squares = told_squares + :squares,
    watch = :watch
where tenant = :tenant and task_type = :task_type and version = :version;

-- name: policy_watched
-- scope: tenant
select agent, state, live_at, data, metrics, watch from policies
where tenant = :tenant and task_type = :task_type and version = :version;

-- Candidates of dreams that later ones have taken the place of; their events stay.
-- name: policy_trim
-- scope: tenant
delete from policies
where tenant = :tenant and task_type = :task_type and agent = :agent and state = 'candidate' and dream is not null
  and version < (select min(k.version) from (select p.version from policies p
    where p.tenant = :tenant and p.task_type = :task_type and p.agent = :agent and p.state = 'candidate'
      and p.dream is not null
    order by p.version desc limit :keep) k);

-- name: policy_event
insert into policy_events (id, tenant, agent, task_type, version, at, event, reason, actor)
values (:id, :tenant, :agent, :task_type, :version, :at, :event, :reason, :actor);

-- name: policy_events
-- scope: admin
select * from policy_events
where (cast(:tenant as text) is null or tenant = :tenant) and (cast(:task_type as text) is null or task_type = :task_type)
  and (cast(:version as bigint) is null or version = :version)
order by at desc, id desc limit :limit;

-- What last became of a version's turn to advise.
-- name: policy_fate
-- scope: tenant
select event from policy_events
where tenant = :tenant and task_type = :task_type and version = :version and event in ('promoted', 'rolled-back')
order by at desc, id desc limit 1;

-- Versions of one owner that were rolled back lately, with their rules.
-- name: policy_fallen
-- scope: tenant
select p.version, p.rule from policies p
where p.tenant = :tenant and p.task_type = :task_type and p.agent = :agent and p.state = 'retired'
  and exists (select 1 from policy_events e where e.tenant = :tenant and e.task_type = p.task_type
    and e.version = p.version and e.event = 'rolled-back' and e.at >= :since)
order by p.version desc limit :limit;

-- name: purge_policies
-- scope: tenant
delete from policies where tenant = :tenant;

-- name: purge_policy_events
-- scope: tenant
delete from policy_events where tenant = :tenant;
