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

-- Of the sums of Q-values: those of outcomes that were only claimed, those from before the last drift, and both.
alter table q_values add column claim_weight double precision not null default 0;
alter table q_values add column claim_total double precision not null default 0;
alter table q_values add column claim_squares double precision not null default 0;
alter table q_values add column old_weight double precision not null default 0;
alter table q_values add column old_total double precision not null default 0;
alter table q_values add column old_squares double precision not null default 0;
alter table q_values add column old_claim_weight double precision not null default 0;
alter table q_values add column old_claim_total double precision not null default 0;
alter table q_values add column old_claim_squares double precision not null default 0;
update q_values set
    claim_weight = coalesce((select sum(e.weight) from experiences e where e.tenant = q_values.tenant
        and e.task_type = q_values.task_type and e.action = q_values.action and q_values.agent in (e.agent, '')
        and q_values.state_key in (e.state_key, '') and e.evidence = 'claimed' and e.reward is not null), 0),
    claim_total = coalesce((select sum(round(e.weight * e.reward * 1048576) / 1048576) from experiences e
        where e.tenant = q_values.tenant and e.task_type = q_values.task_type and e.action = q_values.action
        and q_values.agent in (e.agent, '') and q_values.state_key in (e.state_key, '') and e.evidence = 'claimed'
        and e.reward is not null), 0),
    claim_squares = coalesce((select sum(round(e.weight * e.reward * e.reward * 1048576) / 1048576) from experiences e
        where e.tenant = q_values.tenant and e.task_type = q_values.task_type and e.action = q_values.action
        and q_values.agent in (e.agent, '') and q_values.state_key in (e.state_key, '') and e.evidence = 'claimed'
        and e.reward is not null), 0);

-- Drifts that were seen of an agent in a task type: its experiences with ids below `since` are old, all that
-- there were at `fell_at`. `before` and `after` are the mean rewards of the action that told.
create table drifts (
    tenant    text not null,
    agent     text not null,
    task_type text not null,
    since     text not null,
    fell_at   bigint not null,
    drifts    bigint not null,
    seen_at   bigint not null,
    action    text not null,
    before    double precision not null,
    after     double precision not null,
    primary key (tenant, agent, task_type)
);

-- What the next drift is told by: moments of an action's rewards since the last one, and the most recent of them
-- (little-endian doubles).
create table drift_tracks (
    tenant    text not null,
    agent     text not null,
    task_type text not null,
    action    text not null,
    n         bigint not null,
    total     double precision not null,
    squares   double precision not null,
    plain     double precision not null,
    recent    bytea not null,
    primary key (tenant, agent, task_type, action)
);
