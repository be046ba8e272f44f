-- name: dream_insert
-- scope: admin
insert into dreams (id, state, reason, phase, checkpoint, seed, budget, steps, requested_at)
values (:id, 'pending', :reason, 'ingest', :checkpoint, :seed, :budget, 0, :now);

-- name: dream_find
-- scope: admin
select * from dreams where id = :id;

-- name: dream_list
-- scope: admin
select * from dreams order by requested_at desc, id desc limit :limit;

-- The last that has something to tell.
-- name: dream_last
-- scope: admin
select * from dreams where state <> 'pending' order by requested_at desc, id desc limit 1;

-- Those that are to be gone on with, begun ones first.
-- name: dream_open
-- scope: admin
select * from dreams where state in ('running', 'interrupted', 'pending')
order by case when state = 'pending' then 1 else 0 end, requested_at, id;

-- name: dream_begin
-- scope: admin
update dreams set state = 'running', holder = :holder, started_at = coalesce(started_at, :now),
    budget = :budget, ended_at = null, error = null
where id = :id;

-- name: dream_step
-- scope: admin
update dreams set phase = :phase, checkpoint = :checkpoint, steps = :steps, findings = :findings where id = :id;

-- name: dream_end
-- scope: admin
update dreams set state = :state, phase = :phase, checkpoint = :checkpoint, steps = :steps, findings = :findings,
    ended_at = :now, error = :error
where id = :id;

-- name: dream_trim
-- scope: admin
delete from dreams where requested_at < :before and state in ('completed', 'failed');

-- name: dream_findings_trim
-- scope: admin
delete from dream_findings where not exists (select 1 from dreams d where d.id = dream_findings.dream);

-- name: dream_finding_put
insert into dream_findings (dream, place, tenant, agent, task_type, finding)
values (:dream, :place, :tenant, :agent, :task_type, :finding);

-- name: dream_findings_of
-- scope: admin
select dream, finding from dream_findings where dream in (:ids) and place < :limit order by dream, place;

-- Task types whose outcomes have changed since a dream last trained on them, or that none has; and how many outcomes
-- there are. The change number is that of the tenant's sums, ``learn::`` with the task type's name.
-- name: dream_waiting
-- scope: admin
select s.tenant, substr(s.name, 8) as task_type, s.seq, s.purges, coalesce(m.seq, 0) as seen,
    coalesce(m.rows, 0) as trained, (select coalesce(sum(q.visits), 0) from q_values q where q.tenant = s.tenant
        and q.agent = '' and q.task_type = substr(s.name, 8) and q.state_key = '') as outcomes
from scopes s left join dream_marks m on m.tenant = s.tenant and m.task_type = substr(s.name, 8)
where substr(s.name, 1, 7) = 'learn::' and (m.seq is null or m.seq <> s.seq or m.purges <> s.purges)
  and (cast(:tenant as text) is null or s.tenant = :tenant)
  and (cast(:task_type as text) is null or substr(s.name, 8) = :task_type)
  and (s.tenant > :after_tenant or (s.tenant = :after_tenant and s.name > :after_name))
order by s.tenant, s.name limit :limit;

-- name: dream_mark
insert into dream_marks (tenant, task_type, seq, purges, rows, at, dream)
values (:tenant, :task_type, :seq, :purges, :rows, :now, :dream)
on conflict (tenant, task_type) do update set seq = excluded.seq, purges = excluded.purges, rows = excluded.rows,
    at = excluded.at, dream = excluded.dream;

-- What is live changes the number, too, but nothing that could be trained on.
-- name: dream_mark_shift
-- scope: tenant
update dream_marks set seq = seq + 1 where tenant = :tenant and task_type = :task_type;

-- Alerts that have been told for long enough.
-- name: alert_past
-- scope: admin
update alerts set settled_at = :now where name = :name and settled_at is null and at < :before;

-- name: purge_dream_marks
-- scope: tenant
delete from dream_marks where tenant = :tenant;

-- name: purge_dream_findings
-- scope: tenant
delete from dream_findings where tenant = :tenant;
