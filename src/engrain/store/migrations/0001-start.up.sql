-- The first schema. One text for both engines: times are integer microseconds UTC, flags are 0/1, JSON is text that is
-- never filtered on. Canonical unless a table says "derived".

-- Change numbers. A write transaction bumps the rows of the scopes it touches and so holds their locks until its end;
-- `seq` is what other processes catch up by, `purges` counts the times that rows were removed.
create table scopes (
    tenant text not null,
    name   text not null,
    seq    bigint not null default 0,
    purges bigint not null default 0,
    primary key (tenant, name)
);

create table agents (
    tenant     text not null,
    name       text not null,
    team       text,
    created_at bigint not null,
    primary key (tenant, name)
);

create table memories (
    id            text not null primary key,
    tenant        text not null,
    agent         text not null,
    kind          text not null,
    key           text,
    content       text not null,
    fingerprint   text not null,
    importance    double precision not null,
    tags          text not null,
    metadata      text not null,
    session       text,
    role          text,
    occurred_at   bigint,
    created_at    bigint not null,
    told_at       bigint not null,
    updated_at    bigint not null,
    expires_at    bigint,
    decay_rate    double precision,
    visibility    text not null check (visibility in ('private', 'team', 'public')),
    pinned        smallint not null check (pinned in (0, 1)),
    source        text,
    state         text not null check (state in ('active', 'superseded')),
    superseded_by text,
    superseded_at bigint,
    redacted      text not null,
    repeats       bigint not null default 0,
    seq           bigint not null,
    shared_seq    bigint
);
create unique index memories_key on memories (tenant, agent, key, kind) where key is not null and state = 'active';
create index memories_fingerprint on memories (tenant, agent, fingerprint);
create index memories_change on memories (tenant, agent, seq);
create index memories_shared on memories (tenant, shared_seq) where shared_seq is not null;
create index memories_list on memories (tenant, agent, state, created_at, id);
create index memories_chain on memories (superseded_by) where superseded_by is not null;
create index memories_history on memories (tenant, agent, kind, key, updated_at) where key is not null;

-- Derived: words and vector of each passage of an active item, stamped with what made them.
create table passages (
    memory_id text not null references memories (id) on delete cascade,
    tenant    text not null,
    agent     text not null,
    number    integer not null,
    length    integer not null,
    terms     bytea not null,
    vector    bytea,
    scale     double precision,
    embedder  text,
    analyzer  text not null,
    primary key (memory_id, number)
);

-- What was told again although it had just been recalled: linked to the item instead of stored.
create table echoes (
    tenant    text not null,
    memory_id text not null references memories (id) on delete cascade,
    agent     text not null,
    session   text,
    at        bigint not null,
    primary key (memory_id, tenant, agent, at)
);

-- Signals of use: three different facts, none of them part of what is acknowledged.
create table signals (
    tenant        text not null,
    memory_id     text not null references memories (id) on delete cascade,
    shown         bigint not null default 0,
    read          bigint not null default 0,
    applied       bigint not null default 0,
    helpful       bigint not null default 0,
    unhelpful     bigint not null default 0,
    last_shown_at bigint,
    last_used_at  bigint,
    primary key (memory_id, tenant)
);

create table kv (
    tenant     text not null,
    agent      text not null,
    namespace  text not null,
    key        text not null,
    value      text not null,
    expires_at bigint,
    updated_at bigint not null,
    primary key (tenant, agent, namespace, key)
);

create table decisions (
    id           text not null primary key,
    tenant       text not null,
    agent        text not null,
    task_type    text not null,
    state        text not null,
    options      text,
    action       text,
    propensity   double precision,
    distribution text not null,
    value        double precision,
    low          double precision,
    high         double precision,
    mode         text not null check (mode in ('advised', 'explored', 'abstained')),
    policy       text not null,
    episode      text,
    created_at   bigint not null
);
create index decisions_agent on decisions (tenant, agent, created_at, id);

create table experiences (
    id             text not null primary key,
    tenant         text not null,
    agent          text not null,
    decision_id    text,
    task_type      text not null,
    state          text not null,
    state_key      text not null,
    action         text not null,
    propensity     double precision,
    success        smallint check (success in (0, 1)),
    evidence       text not null check (evidence in ('claimed', 'executed', 'verified')),
    outcome        text not null,
    reward         double precision,
    reward_version text not null,
    weight         double precision not null,
    next_state     text,
    episode        text,
    task_id        text,
    revision       integer not null default 0,
    created_at     bigint not null,
    updated_at     bigint not null
);
create unique index experiences_decision on experiences (tenant, agent, decision_id) where decision_id is not null;
create index experiences_task on experiences (tenant, agent, task_type, created_at, id);

-- Derived: additive sums, so that concurrent outcomes and later revisions commute. state_key '' is the whole task type;
-- agent '' is the whole tenant.
create table q_values (
    tenant    text not null,
    agent     text not null,
    task_type text not null,
    state_key text not null,
    action    text not null,
    state     text not null,
    visits    bigint not null,
    weight    double precision not null,
    total     double precision not null,
    squares   double precision not null,
    seq       bigint not null,
    primary key (tenant, agent, task_type, state_key, action)
);
create index q_values_change on q_values (tenant, agent, task_type, seq);

create table leases (
    name       text not null primary key,
    holder     text not null,
    token      bigint not null,
    expires_at bigint not null
);

-- Facts about the home itself: embedder, number of openings, lifecycle switch.
create table home (
    name  text not null primary key,
    value text not null
);
