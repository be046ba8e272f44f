-- The cold archive: what was archived, and experiences long settled, leave the store for tables elsewhere. A batch is some
-- rows on their way: `members` is JSON, [[id, stamp], ...] in the order of their places, empty once it is closed and they
-- are gone from here. Rows of a batch count in the archive when it is closed; batches are closed in their order.
create table archive_batches (
    kind      text not null check (kind in ('memories', 'experiences')),
    number    bigint not null,
    state     text not null check (state in ('open', 'closed')),
    members   text not null,
    n         bigint not null,
    bytes     bigint not null,
    digest    text not null,
    opened_at bigint not null,
    closed_at bigint,
    primary key (kind, number)
);

-- Archived rows that count no more: restored (the store has it again), forgotten or pruned. They are listed until no file
-- of the archive has them.
create table archive_gone (
    kind   text not null,
    place  bigint not null,
    tenant text not null,
    agent  text not null,
    id     text not null,
    reason text not null check (reason in ('restored', 'forgotten', 'pruned')),
    at     bigint not null,
    primary key (kind, place)
);
create index archive_gone_item on archive_gone (tenant, agent, id);

-- Archived items that go with another one when that is forgotten: its older versions, and what it was promoted to.
create table archive_links (
    tenant   text not null,
    agent    text not null,
    goes_with text not null,
    id       text not null,
    primary key (tenant, agent, goes_with, id)
);

-- Processes that run the roles of this home.
create table daemons (
    id         text not null primary key,
    host       text not null,
    pid        bigint not null,
    version    text not null,
    started_at bigint not null,
    seen_at    bigint not null,
    stop_at    bigint
);
-- When its holder last said that it is alive.
alter table leases add column beaten_at bigint;
-- When a role last began, so that it may be run early, but not over and over.
alter table roles add column begun_at bigint;
-- When a run has to be over.
alter table runs add column ends_by bigint;
create index experiences_settled on experiences (updated_at, id) where reward is not null;
