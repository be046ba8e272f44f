-- What was learned offline. A policy says which action to take in a state of one task type; versions rise within a tenant
-- and task type. `agent` is '' when it is the whole tenant's. `data` (what it was trained on) and `metrics` (how it was
-- judged) are JSON. `told`, `told_total` and `told_squares` sum up the executed and verified outcomes of decisions that it
-- made; `watch` is what the regression watch made of them since it last went live (JSON).
create table policies (
    tenant       text not null,
    agent        text not null,
    task_type    text not null,
    version      bigint not null,
    state        text not null check (state in ('candidate', 'shadow', 'live', 'retired')),
    kind         text not null,
    parent       bigint not null,
    data         text not null,
    metrics      text not null,
    rule         bytea not null,
    code         text not null,
    seed         bigint not null,
    discount     double precision not null,
    dream        text,
    made_at      bigint not null,
    live_at      bigint,
    told         bigint not null default 0,
    told_total   double precision not null default 0,
    told_squares double precision not null default 0,
    watch        text not null default '{}',
    primary key (tenant, task_type, version)
);
create unique index policies_live on policies (tenant, agent, task_type) where state = 'live';

-- What became of them, and why.
create table policy_events (
    id        text not null primary key,
    tenant    text not null,
    agent     text not null,
    task_type text not null,
    version   bigint not null,
    at        bigint not null,
    event     text not null check (event in ('made', 'refused', 'shadowed', 'promoted', 'retired', 'rolled-back')),
    reason    text not null,
    actor     text not null
);
create index policy_events_task on policy_events (tenant, task_type, at, id);

-- Dream cycles: what asked for one, how far it is, what came of it. `checkpoint` is where it goes on (JSON).
create table dreams (
    id           text not null primary key,
    state        text not null check (state in ('pending', 'running', 'completed', 'interrupted', 'failed')),
    reason       text not null,
    phase        text not null,
    checkpoint   text,
    seed         bigint not null,
    budget       bigint not null,
    steps        bigint not null default 0,
    holder       text,
    requested_at bigint not null,
    started_at   bigint,
    ended_at     bigint,
    findings     text not null default '{}',
    error        text
);
create index dreams_time on dreams (requested_at, id);

-- What a dream came to of one task type, of the whole tenant (agent '') or of one agent.
create table dream_findings (
    dream     text not null,
    place     bigint not null,
    tenant    text not null,
    agent     text not null,
    task_type text not null,
    finding   text not null,
    primary key (dream, place)
);

-- Up to where the outcomes of a task type were trained on: the change number of its tenant-wide Q-values, and
-- how many outcomes there were.
create table dream_marks (
    tenant    text not null,
    task_type text not null,
    seq       bigint not null,
    purges    bigint not null,
    rows      bigint not null,
    at        bigint not null,
    dream     text not null,
    primary key (tenant, task_type)
);
