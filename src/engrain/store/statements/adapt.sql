-- name: question_put
insert into recall_questions (id, tenant, agent, at, embedder, ranking, names, vector, judged, items, parts, vectors)
values (:id, :tenant, :agent, :at, :embedder, :ranking, :names, :vector, :judged, :items, :parts, :vectors)
on conflict (id) do nothing;

-- The questions of an agent that nobody judged, but for the latest.
-- name: question_trim
delete from recall_questions where tenant = :tenant and agent = :agent and judged = 0 and id in (
    select q.id from recall_questions q where q.tenant = :tenant and q.agent = :agent and q.judged = 0
    order by q.at desc, q.id desc limit 1000 offset :keep);

-- Those of a tenant that are too old, or asked by a clock that was put right since; not all at once.
-- name: question_expire
-- scope: tenant
delete from recall_questions where tenant = :tenant and judged = 0 and id in (
    select q.id from recall_questions q where q.tenant = :tenant and q.judged = 0 and (q.at < :since or q.at > :until)
    limit 500);

-- name: question_recent
select id, at, names, vector, items, parts, vectors from recall_questions
where tenant = :tenant and agent = :agent and judged = 0 and at >= :since
order by at desc, id desc;

-- name: question_judged
update recall_questions set judged = 1, items = '[]', parts = :nothing, vectors = :nothing
where tenant = :tenant and agent = :agent and id = :id and judged = 0;

-- The latest judged question of an agent that had a memory among its candidates.
-- name: answer_recent
select q.id, q.at from recall_answers a join recall_questions q on q.tenant = a.tenant and q.id = a.question_id
where a.tenant = :tenant and q.agent = :agent and a.memory_id = :memory_id and q.at >= :since
order by q.at desc, q.id desc limit 1;

-- name: answer_put
-- scope: tenant
insert into recall_answers (tenant, question_id, memory_id, place, parts, vector, verdict)
values (:tenant, :question_id, :memory_id, :place, :parts, :vector, :verdict);

-- name: answer_judge
-- scope: tenant
update recall_answers set verdict = :verdict
where tenant = :tenant and question_id = :question_id and memory_id = :memory_id and verdict <> :verdict;

-- name: example_questions
-- scope: tenant
select id, at, embedder, ranking, names, vector from recall_questions where tenant = :tenant and judged = 1
order by at, id;

-- name: example_answers
-- scope: tenant
select question_id, memory_id, parts, vector, verdict from recall_answers where tenant = :tenant
order by question_id, place;

-- name: question_drop
-- scope: tenant
delete from recall_questions where tenant = :tenant and id = :id;

-- name: adapter_get
select version, pending, examples, answers, in_force, gain, low, embedder, ranking, trained_at, state
from adapters where tenant = :tenant;

-- A row that is made anew begins with another version than the one that was.
-- name: adapter_note
insert into adapters (tenant, version, pending, examples, answers, in_force) values (:tenant, :now, :more, 0, 0, 0)
on conflict (tenant) do update set pending = adapters.pending + excluded.pending;

-- name: adapter_put
update adapters set version = version + 1, pending = pending - :seen, examples = :examples, answers = :answers,
    in_force = :in_force, gain = cast(:gain as double precision), low = cast(:low as double precision),
    embedder = cast(:embedder as text), ranking = cast(:ranking as text), trained_at = cast(:now as bigint), state = :state
where tenant = :tenant and version = :version;

-- Who is learning meanwhile finds another version.
-- name: adapter_reset
update adapters set version = version + 1, pending = 0, examples = 0, answers = 0, in_force = 0, gain = null, low = null,
    embedder = null, ranking = null, trained_at = null, state = :nothing
where tenant = :tenant;

-- Some of what it was learned from is about to be forgotten: it is off until it is learned without them.
-- name: adapter_off
-- scope: tenant
update adapters set version = version + 1, pending = pending + examples + 1, in_force = 0, gain = null, low = null,
    state = :nothing
where tenant = :tenant and exists (
    select 1 from recall_answers a where a.tenant = :tenant and a.memory_id in (:ids));

-- name: adapter_counts
-- scope: tenant
select (select count(*) from recall_answers a where a.tenant = :tenant) as answers,
    (select count(distinct q.vector) from recall_questions q where q.tenant = :tenant and q.judged = 1 and exists (
        select 1 from recall_answers a where a.tenant = :tenant and a.question_id = q.id and a.verdict <> 0)) as examples;

-- name: adapter_list
-- scope: admin
select tenant, pending, examples, in_force, gain, low from adapters order by tenant;

-- name: forget_questions
-- scope: tenant
delete from recall_questions where tenant = :tenant and judged = 0;

-- name: purge_recall_questions
-- scope: tenant
delete from recall_questions where tenant = :tenant;

-- name: purge_adapters
-- scope: tenant
delete from adapters where tenant = :tenant;

-- name: question_any
-- scope: tenant
select id from recall_questions where tenant = :tenant and judged = 0 limit 1;
