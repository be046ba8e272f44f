-- What went wrong before and what helped. An attempt to solve an issue, or (without a plan) a sighting of it. `signature`
-- is the raw id of the problem; `problem` is what was told of it but its message, `system` facts (JSON). `plan` names its
-- commands without what differs from case to case; `effective` is 0 when they do nothing. Of one that is `gone` only
-- what counts is left: its texts are empty.
create table fixes (
    id          text not null,
    tenant      text not null,
    agent       text not null,
    visibility  text not null check (visibility in ('private', 'team', 'public')),
    state       text not null check (state in ('kept', 'gone')),
    signature   text not null,
    type        text not null,
    target      text,
    message     text not null,
    problem     text not null,
    commands    text not null,
    plan        text,
    analysis    text,
    fixer       text,
    success     smallint,
    verified    smallint not null,
    effective   smallint not null,
    micros      bigint,
    system      text not null,
    notes       text,
    session     text,
    task_id     text,
    occurred_at bigint not null,
    created_at  bigint not null,
    updated_at  bigint not null,
    primary key (tenant, id, agent)
);
create index fixes_kept on fixes (tenant, occurred_at, id) where state = 'kept';
create index fixes_issue on fixes (tenant, signature, plan, occurred_at);
create index fixes_plan on fixes (tenant, plan, occurred_at);
create index fixes_session on fixes (tenant, session, signature, agent, visibility) where session is not null;
create index fixes_met on fixes (tenant, signature, session, agent, visibility) where session is not null;

-- Derived from fixes: their signatures, each with what it was made of (`kind`, `scope`, `text`), and with words and a
-- vector of the first problem that had it.
create table signatures (
    tenant     text not null,
    agent      text not null,
    visibility text not null,
    id         text not null,
    kind       text not null,
    title      text not null,
    scope      text not null,
    text       text not null,
    length     bigint,
    terms      bytea,
    vector     bytea,
    scale      double precision,
    embedder   text,
    analyzer   text,
    seq        bigint not null,
    shared_seq bigint,
    primary key (tenant, agent, visibility, id)
);
create index signatures_own on signatures (tenant, agent, seq);
create index signatures_shared on signatures (tenant, shared_seq) where shared_seq is not null;

-- Derived: what was tried, by plan.
create table fix_plans (
    tenant     text not null,
    agent      text not null,
    visibility text not null,
    plan       text not null,
    commands   text not null,
    analysis   text,
    at         bigint not null,
    primary key (tenant, plan, agent, visibility)
);

-- Derived: sums over fixes by what `level` says `key` and `part` are (see fixes/tallies.py). `known` is how many ended
-- in a way that counts, `solved` how many of them were verified; `claimed` count neither way. `last_id` is the latest.
create table fix_tallies (
    tenant     text not null,
    level      text not null,
    key        text not null,
    part       text not null,
    agent      text not null,
    visibility text not null,
    seen       bigint not null,
    tried      bigint not null,
    known      bigint not null,
    solved     bigint not null,
    claimed    bigint not null,
    micros     bigint not null,
    timed      bigint not null,
    first_at   bigint not null,
    last_at    bigint not null,
    last_id    text not null,
    primary key (tenant, level, key, part, agent, visibility)
);
create index fix_tallies_common on fix_tallies (tenant, key, seen) where level = 'target-issue';
create index fix_tallies_target on fix_tallies (tenant, key, solved) where level = 'plan-target';
create index fix_tallies_any on fix_tallies (tenant, key, solved) where level = 'target-plan';
create index fix_tallies_type on fix_tallies (tenant, key, solved) where level = 'plan-type';
create index fix_tallies_agent on fix_tallies (tenant, agent);

-- Issues that a person put together or took apart, for the agent who did.
create table issue_edits (
    id        text not null primary key,
    tenant    text not null,
    agent     text not null,
    kind      text not null check (kind in ('merge', 'split')),
    signature text not null,
    other     text,
    reason    text not null,
    at        bigint not null,
    undone_at bigint
);
create index issue_edits_agent on issue_edits (tenant, agent, at, id);
