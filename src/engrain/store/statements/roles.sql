-- name: role_list
-- scope: admin
select name, due_at, paused, failures, checkpoint, begun_at from roles;

-- name: role_claim
-- scope: admin
insert into roles (name, due_at, paused, failures, checkpoint) values (:name, :due_at, 0, 0, null)
on conflict (name) do nothing;

-- name: role_pause
-- scope: admin
update roles set paused = :paused where name in (:names);

-- name: role_end
-- scope: admin
update roles set due_at = :due_at, failures = :failures, checkpoint = :checkpoint where name = :name;

-- name: role_begin
-- scope: admin
update roles set begun_at = :now where name = :name;

-- name: run_begin
-- scope: admin
insert into runs (id, role, state, dry, holder, token, started_at, ended_at, findings, error, ends_by)
values (:id, :role, 'running', :dry, :holder, :token, :started_at, null, '{}', null, :ends_by);

-- The end of a run, unless somebody else has ended it, who took its lease over.
-- name: run_end
-- scope: admin
update runs set state = :state, ended_at = :now, findings = :findings, error = :error
where id = :id and token = :token and state = 'running';

-- Runs that have not ended, and whether the lease that they ran under is still held.
-- name: run_open
-- scope: admin
select r.id, r.role, r.dry, r.holder, r.token, r.started_at, o.checkpoint, case when exists (select 1 from leases l
    where l.name = 'role:' || r.role and l.token = r.token and l.expires_at > :now
        and l.expires_at <= :now + 86400000000) then 1 else 0 end as held
from runs r left join roles o on o.name = r.role where r.state = 'running';

-- name: run_latest
-- scope: admin
select holder from runs where role = :role order by started_at desc, id desc limit 1;

-- name: run_list
-- scope: admin
select id, role, state, dry, started_at, ended_at, findings, error from runs
where (cast(:role as text) is null or role = :role) and started_at >= :since
order by started_at desc, id desc limit :limit;

-- The last run of each role that changed something.
-- name: run_last
-- scope: admin
select r.id, r.role, r.state, r.dry, r.started_at, r.ended_at, r.findings, r.error from runs r
where r.id in (select max(one.id) from runs one where one.dry = 0 group by one.role);

-- name: run_trim
-- scope: admin
delete from runs where started_at < :before and state <> 'running';

-- name: alert_open
-- scope: admin
insert into alerts (id, at, name, subject, detail, settled_at)
select cast(:id as text), cast(:now as bigint), cast(:name as text), cast(:subject as text), cast(:detail as text), null
from (select 1 as one) o
where not exists (select 1 from alerts a where a.name = :name and a.subject = :subject and a.settled_at is null);

-- name: alert_settle
-- scope: admin
update alerts set settled_at = :now where name = :name and subject in (:subjects) and settled_at is null;

-- Alerts of roles that there are no more: a plug-in's that was mended or taken away.
-- name: alert_orphan
-- scope: admin
update alerts set settled_at = :now
where name = :name and settled_at is null and subject not in (:known)
  and not exists (select 1 from roles r where r.name = alerts.subject and (r.due_at >= :since or r.paused = 1));

-- name: alert_list
-- scope: admin
select id, at, name, subject, detail, settled_at from alerts
where settled_at is null or settled_at >= :since
order by at desc, id desc;

-- name: report_put
-- scope: admin
insert into reports (id, at, period, markdown, html) values (:id, :now, :period, :markdown, :html);

-- name: report_last
-- scope: admin
select at, period, markdown, html from reports order by at desc, id desc limit 1;

-- Since when items fade: what was not used while they did not has lost nothing by that.
-- name: agents_fade
-- scope: admin
update agents set fades_since = :now, decayed_at = :now;

-- name: agent_names
-- scope: admin
select tenant, name from agents order by tenant, name;

-- How an agent's memories of each kind are doing: those that are remembered now, the bytes of the content of all that
-- is kept, and how often what is current or archived was used. The limit, which is none, keeps the inner select apart,
-- so that numbers are sorted by kind and not the content that they were made of.
-- name: metric_measure
select kind, count(importance) as memories, avg(importance) as importance, sum(bytes) as bytes, sum(uses) as uses
from (
    select m.kind, {bytes} as bytes,
        case when m.state = 'active' and coalesce(m.expires_at, :now + 1) > :now then {importance} end as importance,
        case when m.superseded_at is null then coalesce(s.read + s.applied + s.helpful, 0) else 0 end as uses
    from agents a join memories m on m.tenant = a.tenant and m.agent = a.name
        left join signals s on s.tenant = m.tenant and s.memory_id = m.id
    where a.tenant = :tenant and a.name = :agent and m.tenant = :tenant
    limit 1000000000000) one
group by kind;

-- name: metric_put
-- scope: admin
insert into daily_metrics (tenant, agent, day, kind, memories, importance, bytes, uses, accesses, expired, archived,
    promoted, made_at)
values (:tenant, :agent, :day, :kind, :memories, :importance, :bytes, :uses, :accesses, :expired, :archived, :promoted,
    :made_at)
on conflict (tenant, agent, day, kind) do nothing;

-- name: metric_kinds
select kind, memories, bytes, uses, accesses, expired, archived, promoted from daily_metrics
where tenant = :tenant and agent = :agent and day = :day;

-- A day is measured when it has its totals, which are written last and are nobody's but the home's.
-- name: metric_totals
-- scope: admin
select day, memories, importance, bytes, uses, accesses, expired, archived, promoted from daily_metrics
where tenant = '*' and day >= :since order by day;

-- name: metric_days
-- scope: admin
select day, sum(memories) as memories, sum(memories * importance) as weight, sum(bytes) as bytes, sum(uses) as uses,
    sum(accesses) as accesses, sum(expired) as expired, sum(archived) as archived, sum(promoted) as promoted
from daily_metrics
where day >= :since and tenant <> '*'
  and (cast(:tenant as text) is null or tenant = :tenant) and (cast(:agent as text) is null or agent = :agent)
group by day order by day;

-- name: metric_agents
-- scope: admin
select tenant, agent, kind, memories, importance, bytes, uses, accesses, expired, archived, promoted from daily_metrics
where day = :day and tenant <> '*'
  and (cast(:tenant as text) is null or tenant = :tenant) and (cast(:agent as text) is null or agent = :agent)
order by tenant, agent, kind;

-- name: metric_trim
-- scope: admin
delete from daily_metrics where day < :before and day = (select min(day) from daily_metrics);

-- What became of memories between two moments, by their agents and kinds; of what is deleted the kind is not known.
-- name: transition_kinds
-- scope: admin
select t.tenant, t.agent, coalesce(m.kind, 'unknown') as kind, t.event, count(*) as n
from transitions t left join memories m on m.id = t.memory_id
where t.at >= :since and t.at < :until
group by t.tenant, t.agent, coalesce(m.kind, 'unknown'), t.event;

-- The same by day, numbered from 1970.
-- name: transition_days
-- scope: admin
select at / 86400000000 as day, event, count(*) as n from transitions
where at >= :since and at < :until
  and (cast(:tenant as text) is null or tenant = :tenant) and (cast(:agent as text) is null or agent = :agent)
group by at / 86400000000, event;

-- name: daemon_seen
-- scope: admin
insert into daemons (id, host, pid, version, started_at, seen_at, stop_at)
values (:id, :host, :pid, :version, :started_at, :now, null)
on conflict (id) do update set seen_at = excluded.seen_at;

-- name: daemon_asked
-- scope: admin
select stop_at from daemons where id = :id;

-- name: daemon_list
-- scope: admin
select id, host, pid, version, started_at, seen_at, stop_at from daemons order by started_at, id;

-- name: daemon_stop
-- scope: admin
update daemons set stop_at = :now where id in (:ids) and stop_at is null;

-- name: daemon_drop
-- scope: admin
delete from daemons where id in (:ids);
