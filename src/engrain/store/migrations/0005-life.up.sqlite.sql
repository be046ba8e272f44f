-- The life of a memory. A memory may be archived: it stays in its row, which only the archive's statements read, until a
-- cold tier takes it. SQLite cannot change a check, so the column that carries it is made anew.
drop index memories_key;
drop index memories_list;
alter table memories rename column state to old_state;
alter table memories add column state text not null default 'active' check (state in ('active', 'superseded', 'archived'));
update memories set state = old_state where old_state <> 'active';
alter table memories drop column old_state;
alter table memories add column archived_at bigint;
alter table memories add column archived_reason text;
alter table memories add column promoted_at bigint;
create unique index memories_key on memories (tenant, agent, key, kind) where key is not null and state = 'active';
create index memories_list on memories (tenant, agent, state, created_at, id);
create index memories_expiry on memories (expires_at, id) where expires_at is not null and state = 'active';
create index memories_archived on memories (tenant, agent, archived_at, id) where state = 'archived';

-- What may be read as remembered: every read path goes through it. Nothing archived is in it, and `until` is when an item
-- stops being visible, so that a statement has to ask `until > :now`.
create view remembered as
select m.*, coalesce(m.expires_at, 9223372036854775807) as until from memories m where m.state <> 'archived';

-- How an item fares: its importance at `weighed_at` (before: as told), since when it is about to be archived, and until
-- when it is spared.
alter table signals add column importance double precision;
alter table signals add column weighed_at bigint;
alter table signals add column pending_at bigint;
alter table signals add column spared_until bigint;
create index signals_pending on signals (pending_at, memory_id) where pending_at is not null;

-- Since when the importance of an agent's items fades (null: it does not), and up to when it has been let fade.
alter table agents add column fades_since bigint;
alter table agents add column decayed_at bigint;

-- Every transition of a memory's state, as one event: the numbers of one transaction are one `seq`, `place` counts in it.
create table transitions (
    tenant    text not null,
    seq       bigint not null,
    place     integer not null,
    at        bigint not null,
    agent     text not null,
    memory_id text not null,
    event     text not null,
    old_state text not null,
    new_state text not null,
    reason    text not null,
    actor     text not null,
    before    text not null,
    after     text not null,
    primary key (tenant, seq, place)
);
create index transitions_memory on transitions (tenant, agent, memory_id);
create index transitions_time on transitions (at);

-- Derived: one row for each day (UTC, as YYYY-MM-DD), agent and kind. Amounts are of the day, `memories`, `importance`
-- (the mean), `bytes` and `uses` (all so far) are of its end.
create table daily_metrics (
    tenant     text not null,
    agent      text not null,
    day        text not null,
    kind       text not null,
    memories   bigint not null,
    importance double precision,
    bytes      bigint not null,
    uses       bigint not null,
    accesses   bigint not null,
    expired    bigint not null,
    archived   bigint not null,
    promoted   bigint not null,
    made_at    bigint not null,
    primary key (tenant, agent, day, kind)
);
create index daily_metrics_day on daily_metrics (day);

-- Background roles: when each is due, and what its runs found.
create table roles (
    name       text not null primary key,
    due_at     bigint not null,
    paused     smallint not null check (paused in (0, 1)),
    failures   bigint not null,
    checkpoint text
);
create table runs (
    id         text not null primary key,
    role       text not null,
    state      text not null check (state in ('running', 'done', 'failed', 'interrupted')),
    dry        smallint not null check (dry in (0, 1)),
    holder     text not null,
    token      bigint not null,
    started_at bigint not null,
    ended_at   bigint,
    findings   text not null,
    error      text
);
create index runs_role on runs (role, started_at);
create table alerts (
    id         text not null primary key,
    at         bigint not null,
    name       text not null,
    subject    text not null,
    detail     text not null,
    settled_at bigint
);
create index alerts_open on alerts (name, subject) where settled_at is null;
create table reports (
    id       text not null primary key,
    at       bigint not null,
    period   text not null,
    markdown text not null,
    html     text not null
);

-- Keys of the REST service: only a hash of each is kept. `agents` is a JSON list, or null for all of the tenant.
create table api_keys (
    id         text not null primary key,
    digest     text not null unique,
    name       text not null,
    tenant     text not null,
    agents     text,
    rights     text not null,
    created_at bigint not null,
    expires_at bigint,
    revoked_at bigint,
    used_at    bigint
);
-- What was answered to a request that carried an idempotency key, so that a repeat is answered the same.
create table replies (
    tenant text not null,
    owner  text not null,
    key    text not null,
    digest text not null,
    status integer,
    body   text,
    at     bigint not null,
    primary key (tenant, owner, key)
);
create index replies_old on replies (at);
insert into sqlite_stat1 (tbl, idx, stat) values
    ('memories', 'memories_key', '100000 10000 100 1 1'),
    ('memories', 'memories_list', '1000000 100000 1000 900 2 1'),
    ('memories', 'memories_expiry', '100000 2 1'),
    ('memories', 'memories_archived', '200000 20000 200 2 1'),
    ('signals', 'signals_pending', '10000 2 1'),
    ('transitions', 'sqlite_autoindex_transitions_1', '1000000 100000 100 1'),
    ('transitions', 'transitions_memory', '1000000 100000 1000 2'),
    ('transitions', 'transitions_time', '1000000 50');
analyze sqlite_master;
