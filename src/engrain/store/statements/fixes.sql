-- What an agent may see of others' knowledge: public of its tenant, and that of whoever is in its team now.
-- part: fix_visible
(f.agent = :agent or f.visibility = 'public'
     or (f.visibility = 'team' and f.agent in (
         select mate.name from agents mate join agents me on me.tenant = mate.tenant and me.team = mate.team
         where mate.tenant = :tenant and me.name = :agent)))

-- part: fix_sums
sum(f.seen) as seen, sum(f.tried) as tried, sum(f.known) as known, sum(f.solved) as solved, sum(f.claimed) as claimed,
    sum(f.micros) as micros, sum(f.timed) as timed, min(f.first_at) as first_at, max(f.last_at) as last_at, max(f.last_id) as last_id

-- name: fix_insert
insert into fixes (id, tenant, agent, visibility, state, signature, type, target, message, problem, commands, plan,
    analysis, fixer, success, verified, effective, micros, system, notes, session, task_id, occurred_at, created_at, updated_at)
values (:id, :tenant, :agent, :visibility, :state, :signature, :type, :target, :message, :problem, :commands, :plan,
    :analysis, :fixer, :success, :verified, :effective, :micros, :system, :notes, :session, :task_id, :occurred_at,
    :created_at, :updated_at);

-- name: fix_own
select * from fixes f where f.tenant = :tenant and f.agent = :agent and f.id = :id;

-- name: fix_seen
select f.id, f.agent, f.state, f.updated_at from fixes f where f.tenant = :tenant and f.id in (:ids) and {fix_visible};

-- name: fix_outcome
update fixes set success = :success, verified = :verified, notes = :notes, updated_at = :now
where tenant = :tenant and agent = :agent and id = :id;

-- Newest first. What is gone has nothing to show.
-- name: fix_list
select f.* from fixes f
where f.tenant = :tenant and f.state = 'kept' and {fix_visible}
  and (cast(:type as text) is null or f.type = :type)
  and (cast(:target as text) is null or f.target = :target)
  and (cast(:solved as smallint) is null or case when f.success = 1 and f.verified = 1 and f.effective = 1 then 1 else 0 end = :solved)
  and (cast(:since as bigint) is null or f.occurred_at >= :since)
order by f.occurred_at desc, f.id desc limit :limit;

-- name: fix_list_of
select f.* from fixes f
where f.tenant = :tenant and f.state <> 'gone' and f.signature in (:signatures) and {fix_visible}
  and (cast(:type as text) is null or f.type = :type)
  and (cast(:target as text) is null or f.target = :target)
  and (cast(:solved as smallint) is null or case when f.success = 1 and f.verified = 1 and f.effective = 1 then 1 else 0 end = :solved)
  and (cast(:since as bigint) is null or f.occurred_at >= :since)
order by f.occurred_at desc, f.id desc limit :limit;

-- The latest attempts behind a way to solve an issue. (Not `state = 'kept'`: an engine would then rather walk through all
-- that is kept, in the order of time.)
-- name: fix_evidence
select f.id from fixes f
where f.tenant = :tenant and f.signature in (:signatures) and f.plan = :plan and f.state <> 'gone' and {fix_visible}
order by f.occurred_at desc, f.id desc limit :limit;

-- name: tally_add
insert into fix_tallies (tenant, level, key, part, agent, visibility, seen, tried, known, solved, claimed, micros, timed,
    first_at, last_at, last_id)
values (:tenant, :level, :key, :part, :agent, :visibility, :seen, :tried, :known, :solved, :claimed, :micros, :timed,
    :first_at, :last_at, :last_id)
on conflict (tenant, level, key, part, agent, visibility) do update set seen = fix_tallies.seen + excluded.seen,
    tried = fix_tallies.tried + excluded.tried, known = fix_tallies.known + excluded.known,
    solved = fix_tallies.solved + excluded.solved, claimed = fix_tallies.claimed + excluded.claimed,
    micros = fix_tallies.micros + excluded.micros, timed = fix_tallies.timed + excluded.timed,
    first_at = case when excluded.first_at < fix_tallies.first_at then excluded.first_at else fix_tallies.first_at end,
    last_id = case when excluded.last_at >= fix_tallies.last_at then excluded.last_id else fix_tallies.last_id end,
    last_at = case when excluded.last_at > fix_tallies.last_at then excluded.last_at else fix_tallies.last_at end;

-- Sums that a viewer sees of some keys of a level, by part, from one part on.
-- name: tally_parts
select f.key, f.part, {fix_sums} from fix_tallies f
where f.tenant = :tenant and f.level = :level and f.key in (:keys) and f.part >= :from_part and {fix_visible}
group by f.key, f.part order by f.key, f.part;

-- The same of several levels, over all these keys together.
-- name: tally_over
select f.level, f.part, {fix_sums} from fix_tallies f
where f.tenant = :tenant and f.level in (:levels) and f.key in (:keys) and {fix_visible}
group by f.level, f.part order by f.level, f.part;

-- The same of all keys of a level, with their parts from one on.
-- name: tally_level
select f.key, f.part, {fix_sums} from fix_tallies f
where f.tenant = :tenant and f.level = :level and f.part >= :from_part and {fix_visible}
group by f.key, f.part order by f.key, f.part;

-- name: tally_some
select f.part, {fix_sums} from fix_tallies f
where f.tenant = :tenant and f.level = :level and f.key = :key and f.part in (:parts) and {fix_visible}
group by f.part order by f.part;

-- The most frequent issues of a target, and what solved most: each agent's and visibility's own rows, not their sums.
-- name: tally_common
select f.part, f.seen from fix_tallies f
where f.tenant = :tenant and f.level = 'target-issue' and f.key = :key and {fix_visible}
order by f.seen desc limit :limit;

-- name: tally_best_target
select f.part from fix_tallies f
where f.tenant = :tenant and f.level = 'plan-target' and f.key = :key and {fix_visible}
order by f.solved desc limit :limit;

-- name: tally_best_any
select f.part from fix_tallies f
where f.tenant = :tenant and f.level = 'target-plan' and f.key = :key and {fix_visible}
order by f.solved desc limit :limit;

-- name: tally_best_type
select f.part from fix_tallies f
where f.tenant = :tenant and f.level = 'plan-type' and f.key = :key and {fix_visible}
order by f.solved desc limit :limit;

-- name: plan_put
insert into fix_plans (tenant, agent, visibility, plan, commands, analysis, at)
values (:tenant, :agent, :visibility, :plan, :commands, :analysis, :at)
on conflict (tenant, plan, agent, visibility) do update set commands = excluded.commands,
    analysis = coalesce(excluded.analysis, fix_plans.analysis), at = excluded.at
where excluded.at >= fix_plans.at;

-- name: plan_get
select f.plan, f.commands, f.analysis, f.at from fix_plans f
where f.tenant = :tenant and f.plan in (:plans) and {fix_visible} order by f.plan, f.at;

-- name: signature_put
insert into signatures (tenant, agent, visibility, id, kind, title, scope, text, length, terms, vector, scale, embedder, analyzer,
    seq, shared_seq)
values (:tenant, :agent, :visibility, :id, :kind, :title, :scope, :text, :length, :terms, :vector, :scale, :embedder, :analyzer,
    :seq, :shared_seq)
on conflict (tenant, agent, visibility, id) do nothing;

-- name: signature_known
select f.id, f.visibility from signatures f where f.tenant = :tenant and f.agent = :agent and f.id in (:ids);

-- name: signature_changes
select f.id, f.kind, f.title, f.scope, f.text, f.length, f.terms, f.vector, f.scale, f.embedder, f.analyzer, f.seq from signatures f
where f.tenant = :tenant and f.agent = :agent and f.seq > :seq order by f.seq, f.id;

-- name: signature_shared
select f.id, f.kind, f.title, f.scope, f.text, f.length, f.terms, f.vector, f.scale, f.embedder, f.analyzer, f.shared_seq as seq
from signatures f
where f.tenant = :tenant and f.shared_seq > :seq and f.agent <> :agent and {fix_visible} order by f.shared_seq, f.id;

-- The latest sessions in which an issue was met, and what else was met in such.
-- name: fix_sessions
select distinct f.session from fixes f
where f.tenant = :tenant and f.signature in (:signatures) and f.session is not null and {fix_visible}
order by f.session desc limit :limit;

-- name: fix_together
select f.signature, f.session from fixes f
where f.tenant = :tenant and f.session in (:sessions) and {fix_visible} limit :limit;

-- name: edit_insert
insert into issue_edits (id, tenant, agent, kind, signature, other, reason, at, undone_at)
values (:id, :tenant, :agent, :kind, :signature, :other, :reason, :at, null);

-- name: edit_list
select * from issue_edits where tenant = :tenant and agent = :agent order by at, id;

-- name: edit_undo
update issue_edits set undone_at = :now where tenant = :tenant and agent = :agent and id = :id and undone_at is null;
