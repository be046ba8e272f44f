-- Patterns: strategies that can be used again. Canonical; but what stands from `good` on is derived of their uses.
-- `held`: evidence (good + bad) from which on the rules may change tier or state again, after a person did. `shared_seq` is
-- set while others may see it, and after that.
create table patterns (
    id            text not null primary key,
    tenant        text not null,
    agent         text not null,
    fingerprint   text not null,
    title         text not null,
    description   text not null,
    content       text not null,
    template      text,
    kind          text not null,
    polarity      text not null check (polarity in ('do', 'avoid')),
    framework     text,
    language      text,
    domain        text,
    tags          text not null,
    task_type     text,
    tier          text not null check (tier in ('short', 'long')),
    state         text not null check (state in ('active', 'quarantined', 'deprecated', 'merged')),
    foundation    smallint not null check (foundation in (0, 1)),
    visibility    text not null check (visibility in ('private', 'team', 'public')),
    provenance    text not null,
    merged_into   text,
    held          double precision not null default 0,
    created_at    bigint not null,
    updated_at    bigint not null,
    seq           bigint not null,
    shared_seq    bigint,
    good          double precision not null default 0,
    bad           double precision not null default 0,
    lineages      bigint not null default 0,
    sure          bigint not null default 0,
    applied       bigint not null default 0,
    helpful       bigint not null default 0,
    unhelpful     bigint not null default 0,
    contrast      double precision,
    contrast_low  double precision,
    contrast_high double precision,
    shown         bigint not null default 0,
    last_used_at  bigint
);
create unique index patterns_same on patterns (tenant, agent, fingerprint);
create index patterns_change on patterns (tenant, agent, seq);
create index patterns_shared on patterns (tenant, shared_seq) where shared_seq is not null;
create index patterns_merged on patterns (merged_into) where merged_into is not null;

-- Derived: words and vectors, as `passages` has them of memories.
create table pattern_passages (
    pattern_id text not null references patterns (id) on delete cascade,
    tenant     text not null,
    number     integer not null,
    length     integer not null,
    terms      bytea not null,
    vector     bytea,
    scale      double precision,
    embedder   text,
    analyzer   text not null,
    primary key (pattern_id, number)
);

-- What became of patterns in use. `lineage` is the voice that a use belongs to; `weight` that of its evidence, 0 while
-- its end is unknown. `state_key` is that of the state, as experiences have it.
create table pattern_uses (
    id         text not null primary key,
    tenant     text not null,
    agent      text not null,
    pattern_id text not null references patterns (id) on delete cascade,
    stage      text not null check (stage in ('applied', 'helpful')),
    success    smallint check (success in (0, 1)),
    evidence   text not null check (evidence in ('claimed', 'executed', 'verified')),
    weight     double precision not null,
    lineage    text not null,
    source     text,
    task_type  text,
    state      text,
    state_key  text,
    task_id    text,
    at         bigint not null
);
create index pattern_uses_pattern on pattern_uses (tenant, pattern_id, at, id);
create index pattern_uses_task on pattern_uses (tenant, agent, task_type, at, id);

-- Derived: what each voice says of a pattern in a task type ('' where none was told), before it is capped.
create table pattern_voices (
    tenant     text not null,
    pattern_id text not null references patterns (id) on delete cascade,
    lineage    text not null,
    task_type  text not null,
    claimed    smallint not null check (claimed in (0, 1)),
    good       double precision not null,
    bad        double precision not null,
    primary key (tenant, pattern_id, lineage, task_type)
);

-- What was done to patterns and why. `before` is the row as it was (JSON), by which `undo` takes it back.
create table pattern_events (
    id         text not null primary key,
    tenant     text not null,
    agent      text not null,
    pattern_id text not null references patterns (id) on delete cascade,
    other_id   text,
    at         bigint not null,
    event      text not null,
    reason     text not null,
    actor      text not null,
    undo       smallint not null check (undo in (0, 1)),
    before     text not null,
    detail     text not null,
    undone_at  bigint
);
create index pattern_events_pattern on pattern_events (tenant, pattern_id, id);
create index pattern_events_other on pattern_events (tenant, other_id, id) where other_id is not null;

-- Patterns that have to do with each other; `agent` found it, or said so.
create table pattern_links (
    tenant  text not null,
    agent   text not null,
    source  text not null references patterns (id) on delete cascade,
    target  text not null references patterns (id) on delete cascade,
    kind    text not null check (kind in ('similar', 'duplicate', 'contradicts', 'refines', 'translates')),
    weight  double precision not null,
    made_at bigint not null,
    primary key (tenant, source, target, kind)
);
create index pattern_links_target on pattern_links (tenant, target);

-- The steps of tasks, from which patterns are distilled. `steps` and `distilled` (ids of patterns) are JSON; `fingerprint`
-- tells one that was told twice; `seq` is that of its last change.
create table trajectories (
    id          text not null primary key,
    tenant      text not null,
    agent       text not null,
    fingerprint text not null,
    task        text not null,
    task_type   text,
    task_id     text,
    steps       text not null,
    success     smallint check (success in (0, 1)),
    evidence    text not null check (evidence in ('claimed', 'executed', 'verified')),
    why         text not null,
    visibility  text not null check (visibility in ('private', 'team', 'public')),
    distilled   text not null default '[]',
    created_at  bigint not null,
    seq         bigint not null default 0
);
create unique index trajectories_same on trajectories (tenant, agent, fingerprint);
create index trajectories_time on trajectories (tenant, agent, created_at, id);
create index trajectories_task on trajectories (tenant, agent, task_type, created_at, id);
