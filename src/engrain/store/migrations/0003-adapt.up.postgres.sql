-- Adaptive recall. The questions of late, with their candidates in `items`, until they are old; and the examples: questions
-- of which a candidate was judged, their candidates in recall_answers, so that forgetting a memory forgets it here too.
-- No text of a question is kept, only its vector.
create table recall_questions (
    id       text not null primary key,
    tenant   text not null,
    agent    text not null,
    at       bigint not null,
    embedder text not null,
    ranking  text not null,
    names    text not null,
    vector   bytea not null,
    judged   smallint not null check (judged in (0, 1)),
    items    text not null,
    parts    bytea not null,
    vectors  bytea not null
);
create index recall_questions_late on recall_questions (tenant, agent, judged, at, id);
create index recall_questions_old on recall_questions (tenant, judged, at);

create table recall_answers (
    tenant      text not null,
    question_id text not null references recall_questions (id) on delete cascade,
    memory_id   text not null references memories (id) on delete cascade,
    place       integer not null,
    parts       bytea not null,
    vector      bytea not null,
    verdict     smallint not null check (verdict in (-1, 0, 1)),
    primary key (question_id, memory_id)
);
create index recall_answers_memory on recall_answers (memory_id);

-- Derived: what was learned from the examples of a tenant, stamped with what made it. `pending` counts the verdicts since.
create table adapters (
    tenant     text not null primary key,
    version    bigint not null,
    pending    bigint not null,
    examples   bigint not null,
    answers    bigint not null,
    in_force   smallint not null check (in_force in (0, 1)),
    gain       double precision,
    low        double precision,
    embedder   text,
    ranking    text,
    trained_at bigint,
    state      bytea
);

alter table recall_questions enable row level security;
alter table recall_questions force row level security;
create policy tenant_only on recall_questions using (current_setting('engrain.tenant', true) in (tenant, '*'));
alter table recall_answers enable row level security;
alter table recall_answers force row level security;
create policy tenant_only on recall_answers using (current_setting('engrain.tenant', true) in (tenant, '*'));
alter table adapters enable row level security;
alter table adapters force row level security;
create policy tenant_only on adapters using (current_setting('engrain.tenant', true) in (tenant, '*'));
alter table recall_questions alter column id type text collate "C";
alter table recall_answers alter column question_id type text collate "C";
alter table recall_answers alter column memory_id type text collate "C";
