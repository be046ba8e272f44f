BEGIN TRANSACTION;
CREATE TABLE adapters (
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
INSERT INTO "adapters" VALUES('acme',1767229200000001,0,1,1,0,NULL,NULL,'hash:word+char3-5/512/1/512','8c33ebcb',1767229200000000,X'');
CREATE TABLE agents (
    tenant     text not null,
    name       text not null,
    team       text,
    created_at bigint not null, fades_since bigint, decayed_at bigint,
    primary key (tenant, name)
);
INSERT INTO "agents" VALUES('acme','ann','red',1767225600000000,1767225600000000,1767225600000000);
INSERT INTO "agents" VALUES('acme','bob','red',1767225600000000,1767225600000000,1767225600000000);
INSERT INTO "agents" VALUES('other','ann',NULL,1767229200000000,1767229200000000,1767229200000000);
CREATE TABLE alerts (
    id         text not null primary key,
    at         bigint not null,
    name       text not null,
    subject    text not null,
    detail     text not null,
    settled_at bigint
);
CREATE TABLE api_keys (
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
CREATE TABLE archive_batches (
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
CREATE TABLE archive_gone (
    kind   text not null,
    place  bigint not null,
    tenant text not null,
    agent  text not null,
    id     text not null,
    reason text not null check (reason in ('restored', 'forgotten', 'pruned')),
    at     bigint not null,
    primary key (kind, place)
);
CREATE TABLE archive_links (
    tenant   text not null,
    agent    text not null,
    goes_with text not null,
    id       text not null,
    primary key (tenant, agent, goes_with, id)
);
CREATE TABLE daemons (
    id         text not null primary key,
    host       text not null,
    pid        bigint not null,
    version    text not null,
    started_at bigint not null,
    seen_at    bigint not null,
    stop_at    bigint
);
CREATE TABLE daily_metrics (
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
CREATE TABLE decisions (
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
INSERT INTO "decisions" VALUES('01kdvh35m0cmw9gncaq9ek3nnt','acme','ann','task','{"lang":"py","size":0}','["a", "b"]','a',0.5,'{"a": 0.5, "b": 0.5}',NULL,NULL,NULL,'explored','online-1','e1',1767229200000000);
INSERT INTO "decisions" VALUES('01kdvh35m0cmw9gncaq9ek3nnw','acme','ann','task','{"lang":"py","size":1}','["a", "b"]','a',7.31692674008166399346e-01,'{"a": 0.7316926740081664, "b": 0.26830732599183355}',8.21148223797319110062e-01,-1.62216660295380665779e+00,2.0,'advised','online-1','e1',1767229200000000);
INSERT INTO "decisions" VALUES('01kdvh35m0cmw9gncaq9ek3nny','acme','ann','task','{"lang":"py","size":0}','["a", "b"]','a',5.91716725400422194347e-01,'{"a": 0.5917167254004222, "b": 0.4082832745995778}',5.14401256782034743686e-01,-1.16868538369735786019e+00,2.0,'advised','online-1','e1',1767229200000000);
INSERT INTO "decisions" VALUES('01kdvh35m0cmw9gncaq9ek3np0','acme','ann','task','{"lang":"py","size":1}','["a", "b"]','a',4.08283274599577805652e-01,'{"a": 0.4082832745995778, "b": 0.5917167254004222}',-5.14401256782034743686e-01,-2.0,1.16868538369735786019e+00,'advised','online-1','e1',1767229200000000);
INSERT INTO "decisions" VALUES('01kdvh35m0cmw9gncaq9ek3np2','acme','ann','task','{"lang":"py","size":0}','["a", "b"]','b',4.62552295582370820437e-01,'{"a": 0.5374477044176292, "b": 0.4625522955823708}',2.58312416775943964886e-01,-2.0,2.0,'advised','online-1','e1',1767229200000000);
INSERT INTO "decisions" VALUES('01kdvh35m0cmw9gncaq9ek3np4','acme','ann','task','{"lang":"py","size":1}','["a", "b"]','a',7.5251602139119289081e-01,'{"a": 0.7525160213911929, "b": 0.24748397860880714}',3.09660012927924277459e-01,-1.35979324382704680473e+00,1.97911326968289547068e+00,'advised','online-1','e1',1767229200000000);
INSERT INTO "decisions" VALUES('01kdvh35m0cmw9gncaq9ek3np6','acme','ann','unknown task','{}',NULL,NULL,NULL,'{}',NULL,NULL,NULL,'abstained','online-1',NULL,1767229200000000);
CREATE TABLE dream_findings (
    dream     text not null,
    place     bigint not null,
    tenant    text not null,
    agent     text not null,
    task_type text not null,
    finding   text not null,
    primary key (dream, place)
);
CREATE TABLE dream_marks (
    tenant    text not null,
    task_type text not null,
    seq       bigint not null,
    purges    bigint not null,
    rows      bigint not null,
    at        bigint not null,
    dream     text not null,
    primary key (tenant, task_type)
);
CREATE TABLE dreams (
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
CREATE TABLE drift_tracks (
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
INSERT INTO "drift_tracks" VALUES('acme','ann','task','a',2,-6.62069331453259302122e-01,1.64869169796163594909e+00,0.0,X'D3D2D2D2D2D2F2BFEECDDC9FF975E03F');
INSERT INTO "drift_tracks" VALUES('acme','ann','task','b',1,-1.17647058823529415683e+00,1.38408304498269907334e+00,-1.17647058823529415683e+00,X'D3D2D2D2D2D2F2BF');
CREATE TABLE drifts (
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
CREATE TABLE echoes (
    tenant    text not null,
    memory_id text not null references memories (id) on delete cascade,
    agent     text not null,
    session   text,
    at        bigint not null,
    primary key (memory_id, tenant, agent, at)
);
CREATE TABLE experiences (
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
INSERT INTO "experiences" VALUES('01kdvh35m0cmw9gncaq9ek3nnv','acme','ann','01kdvh35m0cmw9gncaq9ek3nnt','task','{"lang":"py","size":0}','03070d3bff8d4a905ead6ebd91b5722b','a',0.5,1,'executed','{"evidence": "executed", "quality": 0.5, "seconds": 1.5, "success": true}',1.17647058823529415683e+00,'1',0.75,NULL,'e1',NULL,0,1767229200000000,1767229200000000);
INSERT INTO "experiences" VALUES('01kdvh35m0cmw9gncaq9ek3nnx','acme','ann','01kdvh35m0cmw9gncaq9ek3nnw','task','{"lang":"py","size":1}','eac260b4967a4e42215001804e621823','a',7.31692674008166399346e-01,0,'executed','{"evidence": "executed", "quality": 0.5, "seconds": 1.5, "success": false}',-1.17647058823529415683e+00,'1',0.75,NULL,'e1',NULL,0,1767229200000000,1767229200000000);
INSERT INTO "experiences" VALUES('01kdvh35m0cmw9gncaq9ek3nnz','acme','ann','01kdvh35m0cmw9gncaq9ek3nny','task','{"lang":"py","size":0}','03070d3bff8d4a905ead6ebd91b5722b','a',5.91716725400422194347e-01,NULL,'executed','{"evidence": "executed", "quality": 0.5, "seconds": 1.5}',NULL,'1',0.75,NULL,'e1',NULL,0,1767229200000000,1767229200000000);
INSERT INTO "experiences" VALUES('01kdvh35m0cmw9gncaq9ek3np1','acme','ann','01kdvh35m0cmw9gncaq9ek3np0','task','{"lang":"py","size":1}','eac260b4967a4e42215001804e621823','a',4.08283274599577805652e-01,1,'executed','{"evidence": "executed", "quality": 0.5, "seconds": 1.5, "success": true}',1.17647058823529415683e+00,'1',0.75,NULL,'e1',NULL,0,1767229200000000,1767229200000000);
INSERT INTO "experiences" VALUES('01kdvh35m0cmw9gncaq9ek3np3','acme','ann','01kdvh35m0cmw9gncaq9ek3np2','task','{"lang":"py","size":0}','03070d3bff8d4a905ead6ebd91b5722b','b',4.62552295582370820437e-01,0,'executed','{"evidence": "executed", "quality": 0.5, "seconds": 1.5, "success": false}',-1.17647058823529415683e+00,'1',0.75,NULL,'e1',NULL,0,1767229200000000,1767229200000000);
INSERT INTO "experiences" VALUES('01kdvh35m0cmw9gncaq9ek3np5','acme','ann','01kdvh35m0cmw9gncaq9ek3np4','task','{"lang":"py","size":1}','eac260b4967a4e42215001804e621823','a',7.5251602139119289081e-01,NULL,'executed','{"evidence": "executed", "quality": 0.5, "seconds": 1.5}',NULL,'1',0.75,NULL,'e1',NULL,0,1767229200000000,1767229200000000);
INSERT INTO "experiences" VALUES('01kdvh35m0cmw9gncaq9ek3np7','acme','bob',NULL,'task','{"size":1}','3a31823c746f04d7038cabbdf483c75b','b',NULL,1,'verified','{"evidence": "verified", "reward": 1.25, "success": true}',1.25,'1',1.0,NULL,NULL,'t7',0,1767229200000000,1767229200000000);
CREATE TABLE fix_plans (
    tenant     text not null,
    agent      text not null,
    visibility text not null,
    plan       text not null,
    commands   text not null,
    analysis   text,
    at         bigint not null,
    primary key (tenant, plan, agent, visibility)
);
INSERT INTO "fix_plans" VALUES('acme','ann','private','e18241f60b32bea2bdbc864b','["restart db"]',NULL,1767229200000000);
INSERT INTO "fix_plans" VALUES('acme','ann','team','e18241f60b32bea2bdbc864b','["restart db"]',NULL,1767229200000000);
INSERT INTO "fix_plans" VALUES('acme','ann','public','e18241f60b32bea2bdbc864b','["restart db"]',NULL,1767229200000000);
INSERT INTO "fix_plans" VALUES('acme','ann','private','5ede7faafacf0a91a969cef0','[]','rotate the logs',1767229200000000);
CREATE TABLE fix_tallies (
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
INSERT INTO "fix_tallies" VALUES('acme','fixer','claude','','ann','private',1,1,1,0,0,0,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npt');
INSERT INTO "fix_tallies" VALUES('acme','fixer-day','claude','2026-01-01','ann','private',1,1,1,0,0,0,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npt');
INSERT INTO "fix_tallies" VALUES('acme','issue','template-1-2cd49fa3369da8efb7fa','','ann','private',1,1,1,0,0,0,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npt');
INSERT INTO "fix_tallies" VALUES('acme','issue-hour','template-1-2cd49fa3369da8efb7fa','2026-01-01T01','ann','private',1,1,1,0,0,0,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npt');
INSERT INTO "fix_tallies" VALUES('acme','issue-target','template-1-2cd49fa3369da8efb7fa','db','ann','private',1,1,1,0,0,0,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npt');
INSERT INTO "fix_tallies" VALUES('acme','issue-type','template-1-2cd49fa3369da8efb7fa','timeout','ann','private',1,1,1,0,0,0,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npt');
INSERT INTO "fix_tallies" VALUES('acme','plan-issue','template-1-2cd49fa3369da8efb7fa','e18241f60b32bea2bdbc864b','ann','private',1,1,1,0,0,0,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npt');
INSERT INTO "fix_tallies" VALUES('acme','plan-target','timeoutdb','e18241f60b32bea2bdbc864b','ann','private',1,1,1,0,0,0,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npt');
INSERT INTO "fix_tallies" VALUES('acme','plan-type','timeout','e18241f60b32bea2bdbc864b','ann','private',1,1,1,0,0,0,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npt');
INSERT INTO "fix_tallies" VALUES('acme','target','db','','ann','private',1,1,1,0,0,0,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npt');
INSERT INTO "fix_tallies" VALUES('acme','target-day','db','2026-01-01','ann','private',1,1,1,0,0,0,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npt');
INSERT INTO "fix_tallies" VALUES('acme','target-issue','db','template-1-2cd49fa3369da8efb7fa','ann','private',1,1,1,0,0,0,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npt');
INSERT INTO "fix_tallies" VALUES('acme','target-plan','db','e18241f60b32bea2bdbc864b','ann','private',1,1,1,0,0,0,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npt');
INSERT INTO "fix_tallies" VALUES('acme','target-type','db','timeout','ann','private',1,1,1,0,0,0,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npt');
INSERT INTO "fix_tallies" VALUES('acme','type','timeout','','ann','private',1,1,1,0,0,0,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npt');
INSERT INTO "fix_tallies" VALUES('acme','type-day','timeout','2026-01-01','ann','private',1,1,1,0,0,0,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npt');
INSERT INTO "fix_tallies" VALUES('acme','fixer','claude','','ann','team',2,2,1,1,1,4000000,2,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npx');
INSERT INTO "fix_tallies" VALUES('acme','fixer-day','claude','2026-01-01','ann','team',2,2,1,1,1,4000000,2,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npx');
INSERT INTO "fix_tallies" VALUES('acme','issue','template-1-2cd49fa3369da8efb7fa','','ann','team',2,2,1,1,1,4000000,2,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npx');
INSERT INTO "fix_tallies" VALUES('acme','issue-hour','template-1-2cd49fa3369da8efb7fa','2026-01-01T01','ann','team',2,2,1,1,1,4000000,2,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npx');
INSERT INTO "fix_tallies" VALUES('acme','issue-target','template-1-2cd49fa3369da8efb7fa','db','ann','team',2,2,1,1,1,4000000,2,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npx');
INSERT INTO "fix_tallies" VALUES('acme','issue-type','template-1-2cd49fa3369da8efb7fa','timeout','ann','team',2,2,1,1,1,4000000,2,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npx');
INSERT INTO "fix_tallies" VALUES('acme','plan-issue','template-1-2cd49fa3369da8efb7fa','e18241f60b32bea2bdbc864b','ann','team',2,2,1,1,1,4000000,2,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npx');
INSERT INTO "fix_tallies" VALUES('acme','plan-target','timeoutdb','e18241f60b32bea2bdbc864b','ann','team',2,2,1,1,1,4000000,2,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npx');
INSERT INTO "fix_tallies" VALUES('acme','plan-type','timeout','e18241f60b32bea2bdbc864b','ann','team',2,2,1,1,1,4000000,2,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npx');
INSERT INTO "fix_tallies" VALUES('acme','target','db','','ann','team',2,2,1,1,1,4000000,2,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npx');
INSERT INTO "fix_tallies" VALUES('acme','target-day','db','2026-01-01','ann','team',2,2,1,1,1,4000000,2,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npx');
INSERT INTO "fix_tallies" VALUES('acme','target-issue','db','template-1-2cd49fa3369da8efb7fa','ann','team',2,2,1,1,1,4000000,2,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npx');
INSERT INTO "fix_tallies" VALUES('acme','target-plan','db','e18241f60b32bea2bdbc864b','ann','team',2,2,1,1,1,4000000,2,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npx');
INSERT INTO "fix_tallies" VALUES('acme','target-type','db','timeout','ann','team',2,2,1,1,1,4000000,2,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npx');
INSERT INTO "fix_tallies" VALUES('acme','type','timeout','','ann','team',2,2,1,1,1,4000000,2,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npx');
INSERT INTO "fix_tallies" VALUES('acme','type-day','timeout','2026-01-01','ann','team',2,2,1,1,1,4000000,2,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npx');
INSERT INTO "fix_tallies" VALUES('acme','fixer','claude','','ann','public',1,1,1,1,0,2000000,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npw');
INSERT INTO "fix_tallies" VALUES('acme','fixer-day','claude','2026-01-01','ann','public',1,1,1,1,0,2000000,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npw');
INSERT INTO "fix_tallies" VALUES('acme','issue','template-1-2cd49fa3369da8efb7fa','','ann','public',1,1,1,1,0,2000000,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npw');
INSERT INTO "fix_tallies" VALUES('acme','issue-hour','template-1-2cd49fa3369da8efb7fa','2026-01-01T01','ann','public',1,1,1,1,0,2000000,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npw');
INSERT INTO "fix_tallies" VALUES('acme','issue-target','template-1-2cd49fa3369da8efb7fa','db','ann','public',1,1,1,1,0,2000000,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npw');
INSERT INTO "fix_tallies" VALUES('acme','issue-type','template-1-2cd49fa3369da8efb7fa','timeout','ann','public',1,1,1,1,0,2000000,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npw');
INSERT INTO "fix_tallies" VALUES('acme','plan-issue','template-1-2cd49fa3369da8efb7fa','e18241f60b32bea2bdbc864b','ann','public',1,1,1,1,0,2000000,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npw');
INSERT INTO "fix_tallies" VALUES('acme','plan-target','timeoutdb','e18241f60b32bea2bdbc864b','ann','public',1,1,1,1,0,2000000,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npw');
INSERT INTO "fix_tallies" VALUES('acme','plan-type','timeout','e18241f60b32bea2bdbc864b','ann','public',1,1,1,1,0,2000000,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npw');
INSERT INTO "fix_tallies" VALUES('acme','target','db','','ann','public',1,1,1,1,0,2000000,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npw');
INSERT INTO "fix_tallies" VALUES('acme','target-day','db','2026-01-01','ann','public',1,1,1,1,0,2000000,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npw');
INSERT INTO "fix_tallies" VALUES('acme','target-issue','db','template-1-2cd49fa3369da8efb7fa','ann','public',1,1,1,1,0,2000000,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npw');
INSERT INTO "fix_tallies" VALUES('acme','target-plan','db','e18241f60b32bea2bdbc864b','ann','public',1,1,1,1,0,2000000,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npw');
INSERT INTO "fix_tallies" VALUES('acme','target-type','db','timeout','ann','public',1,1,1,1,0,2000000,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npw');
INSERT INTO "fix_tallies" VALUES('acme','type','timeout','','ann','public',1,1,1,1,0,2000000,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npw');
INSERT INTO "fix_tallies" VALUES('acme','type-day','timeout','2026-01-01','ann','public',1,1,1,1,0,2000000,1,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npw');
INSERT INTO "fix_tallies" VALUES('acme','issue','template-1-72f77257abe944f3dc70','','ann','private',1,1,1,1,0,0,0,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npy');
INSERT INTO "fix_tallies" VALUES('acme','issue-hour','template-1-72f77257abe944f3dc70','2026-01-01T01','ann','private',1,1,1,1,0,0,0,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npy');
INSERT INTO "fix_tallies" VALUES('acme','issue-type','template-1-72f77257abe944f3dc70','error','ann','private',1,1,1,1,0,0,0,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npy');
INSERT INTO "fix_tallies" VALUES('acme','plan-issue','template-1-72f77257abe944f3dc70','5ede7faafacf0a91a969cef0','ann','private',1,1,1,1,0,0,0,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npy');
INSERT INTO "fix_tallies" VALUES('acme','plan-type','error','5ede7faafacf0a91a969cef0','ann','private',1,1,1,1,0,0,0,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npy');
INSERT INTO "fix_tallies" VALUES('acme','type','error','','ann','private',1,1,1,1,0,0,0,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npy');
INSERT INTO "fix_tallies" VALUES('acme','type-day','error','2026-01-01','ann','private',1,1,1,1,0,0,0,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npy');
INSERT INTO "fix_tallies" VALUES('acme','issue','template-1-bed45c0e616a1bf125f4','','bob','private',1,0,0,0,0,0,0,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npz');
INSERT INTO "fix_tallies" VALUES('acme','issue-hour','template-1-bed45c0e616a1bf125f4','2026-01-01T01','bob','private',1,0,0,0,0,0,0,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npz');
INSERT INTO "fix_tallies" VALUES('acme','issue-type','template-1-bed45c0e616a1bf125f4','error','bob','private',1,0,0,0,0,0,0,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3npz');
INSERT INTO "fix_tallies" VALUES('acme','type','error','','bob','private',2,0,0,0,0,0,0,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3nq0');
INSERT INTO "fix_tallies" VALUES('acme','type-day','error','2026-01-01','bob','private',2,0,0,0,0,0,0,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3nq0');
INSERT INTO "fix_tallies" VALUES('acme','issue','template-1-e6455a52ee5638017b9a','','bob','private',1,0,0,0,0,0,0,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3nq0');
INSERT INTO "fix_tallies" VALUES('acme','issue-hour','template-1-e6455a52ee5638017b9a','2026-01-01T01','bob','private',1,0,0,0,0,0,0,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3nq0');
INSERT INTO "fix_tallies" VALUES('acme','issue-type','template-1-e6455a52ee5638017b9a','error','bob','private',1,0,0,0,0,0,0,1767229200000000,1767229200000000,'01kdvh35m0cmw9gncaq9ek3nq0');
CREATE TABLE fixes (
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
INSERT INTO "fixes" VALUES('01kdvh35m0cmw9gncaq9ek3npt','acme','ann','private','kept','template-1-2cd49fa3369da8efb7fa','timeout','db','db-0 did not answer in 0 s','{}','["restart db","echo done"]','e18241f60b32bea2bdbc864b',NULL,'claude',0,0,1,0,'{}',NULL,'s1',NULL,1767229200000000,1767229200000000,1767229200000000);
INSERT INTO "fixes" VALUES('01kdvh35m0cmw9gncaq9ek3npv','acme','ann','team','kept','template-1-2cd49fa3369da8efb7fa','timeout','db','db-1 did not answer in 1 s','{}','["restart db","echo done"]','e18241f60b32bea2bdbc864b',NULL,'claude',1,0,1,1000000,'{}',NULL,'s1',NULL,1767229200000000,1767229200000000,1767229200000000);
INSERT INTO "fixes" VALUES('01kdvh35m0cmw9gncaq9ek3npw','acme','ann','public','kept','template-1-2cd49fa3369da8efb7fa','timeout','db','db-2 did not answer in 2 s','{}','["restart db","echo done"]','e18241f60b32bea2bdbc864b',NULL,'claude',1,1,1,2000000,'{}',NULL,'s1',NULL,1767229200000000,1767229200000000,1767229200000000);
INSERT INTO "fixes" VALUES('01kdvh35m0cmw9gncaq9ek3npx','acme','ann','team','kept','template-1-2cd49fa3369da8efb7fa','timeout','db','db-3 did not answer in 3 s','{}','["restart db","echo done"]','e18241f60b32bea2bdbc864b',NULL,'claude',1,1,1,3000000,'{}',NULL,'s1',NULL,1767229200000000,1767229200000000,1767229200000000);
INSERT INTO "fixes" VALUES('01kdvh35m0cmw9gncaq9ek3npy','acme','ann','private','kept','template-1-72f77257abe944f3dc70','error',NULL,'no room left on disk','{}','[]','5ede7faafacf0a91a969cef0','rotate the logs',NULL,1,1,1,NULL,'{"os":"Linux"}','later',NULL,NULL,1767229200000000,1767229200000000,1767229200000001);
INSERT INTO "fixes" VALUES('01kdvh35m0cmw9gncaq9ek3npz','acme','bob','private','kept','template-1-bed45c0e616a1bf125f4','error',NULL,'the disk is full','{}','[]',NULL,NULL,NULL,NULL,0,0,NULL,'{}',NULL,NULL,NULL,1767229200000000,1767229200000000,1767229200000000);
INSERT INTO "fixes" VALUES('01kdvh35m0cmw9gncaq9ek3nq0','acme','bob','private','kept','template-1-e6455a52ee5638017b9a','error',NULL,'no inodes left','{}','[]',NULL,NULL,NULL,NULL,0,0,NULL,'{}',NULL,NULL,NULL,1767229200000000,1767229200000000,1767229200000000);
CREATE TABLE home (
    name  text not null primary key,
    value text not null
);
INSERT INTO "home" VALUES('created_at','1767225600000000');
INSERT INTO "home" VALUES('embedder','hash:word+char3-5/512/1');
INSERT INTO "home" VALUES('lifecycle','on');
INSERT INTO "home" VALUES('openings','2');
CREATE TABLE issue_edits (
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
INSERT INTO "issue_edits" VALUES('01kdvh35m0cmw9gncaq9ek3nq1','acme','bob','merge','template-1-bed45c0e616a1bf125f4','template-1-e6455a52ee5638017b9a','the same',1767229200000000,NULL);
CREATE TABLE kv (
    tenant     text not null,
    agent      text not null,
    namespace  text not null,
    key        text not null,
    value      text not null,
    expires_at bigint,
    updated_at bigint not null,
    primary key (tenant, agent, namespace, key)
);
INSERT INTO "kv" VALUES('acme','ann','space','key','{"deep":[1,2.5,null,"ü"]}',NULL,1767229200000000);
INSERT INTO "kv" VALUES('acme','ann','default','forever','true',NULL,1767229200000000);
CREATE TABLE leases (
    name       text not null primary key,
    holder     text not null,
    token      bigint not null,
    expires_at bigint not null
, beaten_at bigint);
CREATE TABLE memories (
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
    superseded_by text,
    superseded_at bigint,
    redacted      text not null,
    repeats       bigint not null default 0,
    seq           bigint not null,
    shared_seq    bigint
, length integer, terms blob, vector blob, scale double precision, embedder text, analyzer text, state text not null default 'active' check (state in ('active', 'superseded', 'archived')), archived_at bigint, archived_reason text, promoted_at bigint);
INSERT INTO "memories" VALUES('01kdvdna00cm1cqvxep5g9dm24','acme','ann','fact','retry','the upload is retried once on 503','b1c801862187be5f89226adeeb35c263',7.5,'["net"]','{}',NULL,NULL,NULL,1767225600000000,1767225600000000,1767229200000000,NULL,NULL,'private',0,NULL,'01kdvh35m0cmw9gncaq9ek3nnh',1767229200000000,'[]',0,2,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'superseded',NULL,NULL,NULL);
INSERT INTO "memories" VALUES('01kdvh35m0cmw9gncaq9ek3nnh','acme','ann','fact','retry','the upload is retried three times on 503','69ac12299a05ee0fc8e0541bf6dd2c8f',5.0,'[]','{"n":[1,null,"ü"]}','s1','user',1735787045000006,1767225600000000,1767229200000000,1767229200000000,2082589200000000,0.5,'team',1,'a file',NULL,NULL,'[]',0,3,4,5,X'1FE6BD1787415733F5D8C5464598946F8CA977BD01000100010001000100',X'0000000000EE000000000000000000000000000000F200000000000010F0009A0012F2001200000000F20000000000000000000000F20000000000F2000000000000000000EE00000000000000000000000000000000000000000000000000000000000000000000000012000000100000000000000000000000000000000000009A120000F0000000000000880000000000000000EE000000000000000000000000000000000000100000000000000000000E0000000000000000001900000000000000000000000012000000000000000000F0000000000000000EF00000000000E70000000000000000001200000000000000008800000000001212000000000000000000000E00F20000000000000012000000000E000012000000000E0010000000000000F200120000100000000000000000F000000000000000000000EE000000000000000000000000000000000E00000000000000000000000000000000100000000012000000000000000000000000000000001000E70000100000DF000000000000F2000000007F0000000000000000000000000000F2000000000000000000EE000000000000000000000000000000000000000000000000000000000000000000000000000000000000F200000000000000000000000000000000000000000000E7E712120E0E000000F0000012120000000000000000000000',3.45794018357992172241e-03,'hash:word+char3-5/512/1','words/1','active',NULL,NULL,NULL);
INSERT INTO "memories" VALUES('01kdvh35m0cmw9gncaq9ek3nnj','acme','ann','fact','retry','the upload is retried twice on 503','2a5f21f0f5995a78a2f04f2af17edfc3',5.0,'[]','{"n":[1,null,"ü"]}','s1','user',1735787045000006,1767225600000000,1767229200000000,1767229200000000,2082589200000000,0.5,'team',1,'a file','01kdvh35m0cmw9gncaq9ek3nnh',1767229200000000,'[]',0,3,3,NULL,NULL,NULL,NULL,NULL,NULL,'superseded',NULL,NULL,NULL);
INSERT INTO "memories" VALUES('01kdvh35m0cmw9gncaq9ek3nnk','acme','bob','context',NULL,'line 0 of a talk about parsers','a590a6c81588b077e1d6eb2f015f3b24',5.0,'[]','{}','talk',NULL,NULL,1767229200000000,1767229200000000,1767229200000000,NULL,NULL,'private',0,NULL,NULL,NULL,'[]',0,1,NULL,4,X'73C3B22FBBD5249FF6B414D121DFDBF40100010001000100',X'000000000000000000000015F1000000000015000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000EB000000000000000000000000000000000000000F00000000000000000F000000000000000F000000000000000000000000000000000000000000150000000000F100000000000000000000000000000000EB000000000000000000000000000000EB0F000000000000000000000000000000000000000000000015000000000000000000000000000000240000000000000000151500000000000000000000000000000000F100000000F100E200000000007F0000000000000000000000000000000000000000000000000000000000000000000000000000000000006A000000000000000000F1000000000000000000000000000000150000000000000000000000000000000000006A000000000000000000000000000000000000000000000F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000150000000000EB00000000000000000000000000000000000000000000000000F10000000000007F00000000000000000000000000C00F0000000000000F0000000000000000000000000000000000000000001500000000000000000000EB15000000F1000F000000000000',3.75362136401236057281e-03,'hash:word+char3-5/512/1','words/1','active',NULL,NULL,NULL);
INSERT INTO "memories" VALUES('01kdvh35m0cmw9gncaq9ek3nnm','acme','bob','context',NULL,'line 1 of a talk about parsers','895719825862fe3ba5d8c8060c2f31eb',5.0,'[]','{}','talk',NULL,NULL,1767229200000000,1767229200000000,1767229200000000,NULL,NULL,'private',0,NULL,NULL,NULL,'[]',0,1,NULL,4,X'73C3B22FB7EFDC83BBD5249FF6B414D10100010001000100',X'000000000000000000000015F1000000000015000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000EB000000000000000000000000000000000000000F00000000000000000F000000000000000F000000000000000000000000000000000000000000150000000000F1000000C0000000000000000000000000EB000000000000000000000000000000EB0F000000000000000000000000000000000000000000000015000000000000000000000000000000240000000000000000151500000000000000000000000000000000F100000000F100E200000000007F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000F1000000000000000000000000000000150000000000000000000000000000000000006A000000000000000000000000000000000000000000000F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000150000000000EB00000000000000000000000000000000000000000000000000F100006A0000007F00000000000000000000000000000F0000000000000F0000000000000000000000000000000000000000001500000000000000000000EB15000000F1000F000000000000',3.75362136401236057281e-03,'hash:word+char3-5/512/1','words/1','active',NULL,NULL,NULL);
INSERT INTO "memories" VALUES('01kdvh35m0cmw9gncaq9ek3nnn','acme','bob','context',NULL,'line 2 of a talk about parsers','cd1d62d951115d7c6f11d30f5943a26b',5.0,'[]','{}','talk',NULL,NULL,1767229200000000,1767229200000000,1767229200000000,NULL,NULL,'private',0,NULL,NULL,NULL,'[]',0,1,NULL,4,X'0DBED51A73C3B22FBBD5249FF6B414D10100010001000100',X'000000000000000000000015F1960000000015000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000EB000000000000000000000000000000000000000F00000000000000000F000000000000000F000000000000000000000000000000000000000000150000000000F100000000000000000000000000000000EB000000000000000000000000000000EB0F000000000000000000000000000000000000000000000015000000000000000000000000000000240000000000000000151500000000000000000000000000000000F100000000F100E200000000007F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000F100000000000000000000000000000015000000000000000000000000000000C000006A000000000000000000000000000000000000000000000F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000150000000000EB00000000000000000000000000000000000000000000000000F10000000000007F00000000000000000000000000000F0000000000000F0000000000000000000000000000000000000000001500000000000000000000EB15000000F1000F000000000000',3.75362136401236057281e-03,'hash:word+char3-5/512/1','words/1','active',NULL,NULL,NULL);
INSERT INTO "memories" VALUES('01kdvh35m0cmw9gncaq9ek3nnp','acme','bob','context',NULL,'everybody may know the meeting is on monday','f5dd732dbfafb67671baf5f50bc1fa26',5.0,'[]','{}',NULL,NULL,NULL,1767229200000000,1767229200000000,1767229200000000,NULL,NULL,'public',0,NULL,NULL,NULL,'[]',0,2,5,4,X'AEC13F16C3DA2EA3092DD2DFCED3F6E90100010001000100',X'0000F413000000000000000000000000F2000000000000F20002000000000E000000000000000000F10000000E000000000000000C0C00000C0000000000000000000000000000000000000000000C0000000000000F0F000000000000000000000000000E0000F100000000000000000000F10000F400000000000000000000000000000000000000000000000000000E0000000013F20000F4000000000000000000000000000000000E00000000000000F1000000000000000000000000000000007F000000001300000E00000013000F000000000000F4000000000000000000000000000000F2000000000000000000000F000013000000000000000000000000000C0F000000600000000CF10000000000000E0000000000000000000000F4000000000000000000000000000E0000000400000000F4600000000C0000000000000000000C0000000000000000000000000E00000000000000000000000000000000000F0000000000000C000E0000000000000000000000F400000C00000000000000000000000000000000000F00000000000000000000000000000000000000000000000000000000000F0000000C0000000CF1000000000000000000130C00000013000000A00000000EF2000000000000000E0000000000000000000000000000000C0000000000000C0000000000000000000000000000000000',0.00423800153657794,'hash:word+char3-5/512/1','words/1','active',NULL,NULL,NULL);
INSERT INTO "memories" VALUES('01kdvh35m0cmw9gncaq9ek3nnq','other','ann','knowledge',NULL,'word0 of a long report word1 of a long report word2 of a long report word3 of a long report word4 of a long report word5 of a long report word6 of a long report word7 of a long report word8 of a long report word9 of a long report word10 of a long report word11 of a long report word12 of a long report word13 of a long report word14 of a long report word15 of a long report word16 of a long report word17 of a long report word18 of a long report word19 of a long report word20 of a long report word21 of a long report word22 of a long report word23 of a long report word24 of a long report word25 of a long report word26 of a long report word27 of a long report word28 of a long report word29 of a long report word30 of a long report word31 of a long report word32 of a long report word33 of a long report word34 of a long report word35 of a long report word36 of a long report word37 of a long report word38 of a long report word39 of a long report word40 of a long report word41 of a long report word42 of a long report word43 of a long report word44 of a long report word45 of a long report word46 of a long report word47 of a long report word48 of a long report word49 of a long report word50 of a long report word51 of a long report word52 of a long report word53 of a long report word54 of a long report word55 of a long report word56 of a long report word57 of a long report word58 of a long report word59 of a long report word60 of a long report word61 of a long report word62 of a long report word63 of a long report word64 of a long report word65 of a long report word66 of a long report word67 of a long report word68 of a long report word69 of a long report word70 of a long report word71 of a long report word72 of a long report word73 of a long report word74 of a long report word75 of a long report word76 of a long report word77 of a long report word78 of a long report word79 of a long report','503550c416c2cddb11d79bb73c2e4952',5.0,'[]','{}',NULL,NULL,NULL,1767229200000000,1767229200000000,1767229200000000,NULL,NULL,'private',0,NULL,NULL,NULL,'[]',0,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'active',NULL,NULL,NULL);
INSERT INTO "memories" VALUES('01kdvh35m0cmw9gncaq9ek3nnr','other','ann','event',NULL,'a key [redacted:github-token] was found in the log','c00f9ca5e1d0c05c2bebcd09f3f13d38',5.0,'[]','{}',NULL,NULL,NULL,1767229200000000,1767229200000000,1767229200000000,NULL,NULL,'private',0,NULL,NULL,NULL,'["github-token"]',0,2,NULL,7,X'56B913428B5DCC4476DB8E503BA1375FE9AB7C63A9AB908AC5683F8F0100010001000100010001000100',X'00000000000000000000000000F900000000E8000000000000000000000000000000000000070700000000000000000000001100F9000000F900000700000000000000000000000000E8000000F90000000000000000000000F900EF00000000000000000000000000000000F900F900000000000000000000000007000000000000000000000000000000000000000000000000000000000018F900000000000000F000000000180707F9000000E80000000000F9F90000000000000000000700EF0000007F0000000000000000000000000000000000000000000000000000000000EF000000000000F9000000000000000000000000000007000000000000000000000007000000000000000000000000000000F900E80000EF07F90007000000F100000007000000000000000000000000000007F911000000F9000700000000000007000000000000000000070000070018000000000000000000F900000000000000000000000000EF0000110000F9000000008F0000000000F90000000000F90000000000F90000A0000000071800070000000700000011000000000000000000000000E8007800000007F9000000000007000000000000F9000000000000000000000000000000F9000000000000000000070000000000000000F90000000000000000F90000000000000000000000EF001800000000000000000000',3.95717006176710128784e-03,'hash:word+char3-5/512/1','words/1','active',NULL,NULL,NULL);
INSERT INTO "memories" VALUES('01kdvh35m0cmw9gncaq9ek3nns','acme','ann','context',NULL,'The upload is  retried three times on 503','69ac12299a05ee0fc8e0541bf6dd2c8f',5.0,'[]','{}','later',NULL,NULL,1767229200000000,1767229200000000,1767229200000000,NULL,NULL,'private',0,NULL,NULL,NULL,'[]',0,4,NULL,5,X'1FE6BD1787415733F5D8C5464598946F8CA977BD01000100010001000100',X'0000000000EE000000000000000000000000000000F200000000000010F0009A0012F2001200000000F20000000000000000000000F20000000000F2000000000000000000EE00000000000000000000000000000000000000000000000000000000000000000000000012000000100000000000000000000000000000000000009A120000F0000000000000880000000000000000EE000000000000000000000000000000000000100000000000000000000E0000000000000000001900000000000000000000000012000000000000000000F0000000000000000EF00000000000E70000000000000000001200000000000000008800000000001212000000000000000000000E00F20000000000000012000000000E000012000000000E0010000000000000F200120000100000000000000000F000000000000000000000EE000000000000000000000000000000000E00000000000000000000000000000000100000000012000000000000000000000000000000001000E70000100000DF000000000000F2000000007F0000000000000000000000000000F2000000000000000000EE000000000000000000000000000000000000000000000000000000000000000000000000000000000000F200000000000000000000000000000000000000000000E7E712120E0E000000F0000012120000000000000000000000',3.45794018357992172241e-03,'hash:word+char3-5/512/1','words/1','active',NULL,NULL,NULL);
CREATE TABLE passages (
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
INSERT INTO "passages" VALUES('01kdvh35m0cmw9gncaq9ek3nnq','other','ann',0,96,X'059BCC001C5FA10745B6A5105C72C81786E5883B68A9973B9F21E53C0911E24B10D58F4CCA42CF60D386A2678A6FA67093ABCB77D4AB1A80FFE7AC89E623C18E94867390A712DA97BFCAC599A60EA89E3CB481A22570ECA517F837AB84772FC4B340EBD2AA8486D581C830DC3122DDE002B674E7303EAFE929FAC2EE429B1DF77013C6F969D7ABFE0100010001000100010020000100010001000100010001000100010001000100010001000100010001000100010020000100010001000100010001000100010001000100',X'00FF0400000000000000EFFFFF0000FAFF00FF001200FF03FF0000000000000000010000000300FF0004FF0000000000090300FF00000000010010FF0300000000FF000000FD000000FF000000F0FF000001000100FFFFFFFFFF0000FD0000000015FF00000000000000010000EB00000000000000000000FF0000000000FF00FF0300F00001010000FF000000FFFF0015FFFF00040001FF00FE0000000000000000000000FE0403000003F000000100000000030000000100FFFF00FF0000150000100001010000FF00FDFFFF00FF00000000FDFFFF00FF0000000001010001FF00000000000000000000000000FA0000000000000000FF0000F000FF0000000000000000EC0100FFFD00FF00FF00FFFD120000FE0010FFFF000000FB00000100000000000000000000000100000000000000000000000000001200000000FF00000300000001000000FF000000FF000025FFFF050100000000000000001000010000000000FE00810300FF0001000003000000010000000000FF00000000FF0000FF006A0112010001F60000FF0011160001FCFFFFFF00000000FF010101FD00FF000000000000000000000100000000000000000600000000000000FF00000000010001000001FF0000EBEF0000FF00FF00FF03000001000000000015000000000100FF00F30000FF0000000000000F00100000000100FF00000000FF00F3',5.13128284364938735961e-03,'hash:word+char3-5/512/1','words/1');
INSERT INTO "passages" VALUES('01kdvh35m0cmw9gncaq9ek3nnq','other','ann',1,96,X'0487BE091D43D30E45B6A5100DD48E2F5521F8314CE5953668A9973BDAD59241C311FF469BE48958D386A2678B73D47992B7B97ED4AB1A80FFE7AC89BED6B790A712DA97959A0199C43C47A1EF70F1A8F6B49CAFAE41EAB1B78587B621B580C184772FC43871EDC6520C40D660849BD87940F6DF3122DDE028E6B0E703AA06EE429B1DF769D7ABFE0100010001000100010001002000010001000100010001000100010001000100010001000100010001000100010001002000010001000100010001000100010001000100',X'00FF0003FF000000FF00F00000FD00FEFF000001100001FFFF00000000FF0000FF000000000000FF0303FF0000000000000300FF0000000100001000000000FF0000000000FD00010000FF00FFEF00000000020000FF000000000000000101000310FE0000FF00000001010000EB000001000000000000000003FFFF00FF0000010000F0000100000000FFFF0000FF001500FE00000300FF00FC00FD000000000000FF0000FE0003000000F00000010000000100000000000000FF00FFFF0316000010FF030000000100000000000000FF0100FD000000FF0100FF0000000001FF000000000001FF0100000000FF000300000000FF0003FDFF00F0000000000000000001FDF00100FF0000FFFF000000001000FFFF00100000000000FBFD0001000300FEFF00000001000001010000000001000000000000030014FFFF000000FF0003000000000000FF0000FD0001000025010003FDFF0100FF0000FF00100001FF00000000FF00810300FF000000000000FF0000000100000000000000FF000000FF006A0015FF0000FDFD0000001016FFFD000001FF00000100000000000000FF00000000FF0100010000020003000000000000FF000300FF000000000000000105FD010000000000FFEAF00000FF000000FF0300FF000100FD0000150000000000FFFE00F00000000000000000011000100100000100000000FFFFFF00F3',5.14600938186049461364e-03,'hash:word+char3-5/512/1','words/1');
INSERT INTO "passages" VALUES('01kdvh35m0cmw9gncaq9ek3nnq','other','ann',2,96,X'D743CE03CE87A3049672D51A8FB6B81D1410E3280DD48E2F68A9973B9BE489588220E45F1986BF6A0042D26D58B7A4734173C9742C23DC8335E7B184076F6A8A465E71936D12C79A74D6AA9DC43C47A1AE41EAB1B78587B6850D5CB821B580C184772FC43871EDC6133D5BCF520C40D6D06E76E4E2E6ADEAFB22C0EDA3D7B6F3BA13DBF4915F6DFD0100010001000100010001002000010001000100010001000100010001000100010001000100010001000100010001002000010001000100010001000100010001000100',X'FD00010100000000FFFFF0FF00FD0000FF0000000D00FBFF00FD000100000000FF0000FF000000000005000000000000000000000100000100001000FF00000000000100FF00030000FF000000EFFF00FFFF0300000001000001010000FF00000014FF0001FFFF000001000000EF01FF010000000300FF0000FF00FF00010000FB01FDF00000FF0000FFFF00000100FD1500000001FFFC00000000FD000000FF00FFFF0000000000000000F0000000000000000000000100000000000000FF11010010000300FF00000000FFFF0000FF0300FFFF0100000001000000000000FFFF000300FF0001FF0000000100FF000100000100FF0000FB00FFF002000000010000000100EA0003FF000000FF0000FFFF1000030000100101000001FF00000000030000FF0100FF000000000400FF0100000000000300FF020011000100000000FD010100FF0000FFFFFF00000501000025000000FFFF01FD000100FF00100000FFFF0000000000810000000000000000000000000101000000000000FF0000000100006A0315FF0000FF0000FFFF101503FFFA00010000000100000000FF0000FF000300FFFF0000000100050004000000000100000003FF0002000000000001010000000000FFFF00FFEAF100FD00000000FFFF0100FC010000050015FF00FF0000FF0000F0000000000000000000100010000000000100000000000000EF',5.14283124357461929321e-03,'hash:word+char3-5/512/1','words/1');
CREATE TABLE pattern_events (
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
INSERT INTO "pattern_events" VALUES('01kdvh35m0cmw9gncaq9ek3np9','acme','ann','01kdvh35m0cmw9gncaq9ek3np8',NULL,1767229200000000,'made','from hand','agent:ann',0,'{}','{"source":"hand"}',NULL);
INSERT INTO "pattern_events" VALUES('01kdvh35m0cmw9gncaq9ek3npb','acme','ann','01kdvh35m0cmw9gncaq9ek3npa',NULL,1767229200000000,'made','from hand','agent:ann',0,'{}','{"source":"hand"}',NULL);
INSERT INTO "pattern_events" VALUES('01kdvh35m0cmw9gncaq9ek3npd','acme','ann','01kdvh35m0cmw9gncaq9ek3npc',NULL,1767229200000000,'made','from hand','agent:ann',0,'{}','{"source":"hand"}',NULL);
INSERT INTO "pattern_events" VALUES('01kdvh35m0cmw9gncaq9ek3npn','acme','ann','01kdvh35m0cmw9gncaq9ek3npc','01kdvh35m0cmw9gncaq9ek3np8',1767229200000000,'merged','the same','agent:ann',1,'{"agent":"ann","content":"freeze time with a fake clock instead of sleeping in tests that wait until the deadline has passed","created_at":1767229200000000,"description":"","domain":null,"fingerprint":"ae3a585cd906d8ef77df9dfe64829e29","foundation":0,"framework":null,"held":0.0,"id":"01kdvh35m0cmw9gncaq9ek3npc","kind":"strategy","language":null,"merged_into":null,"polarity":"do","provenance":"{\"source\":\"hand\"}","seq":3,"shared_seq":null,"state":"active","tags":"[]","task_type":null,"template":"{{clock}}.tick()","tenant":"acme","tier":"short","title":"A fake clock","updated_at":1767229200000000,"visibility":"private"}','{}',NULL);
INSERT INTO "pattern_events" VALUES('01kdvh35m0cmw9gncaq9ek3npq','acme','bob','01kdvh35m0cmw9gncaq9ek3npp',NULL,1767229200000000,'made','from hand','agent:bob',0,'{}','{"source":"hand"}',NULL);
INSERT INTO "pattern_events" VALUES('01kdvh35m0cmw9gncaq9ek3npr','acme','ann','01kdvh35m0cmw9gncaq9ek3np8',NULL,1767229200000000,'quarantined','doubts','agent:ann',1,'{"agent":"ann","content":"freeze time with a fake clock instead of sleeping in tests that wait until the deadline has passed","created_at":1767229200000000,"description":"","domain":null,"fingerprint":"8ce31ed6cd37c8f92ceb9fdc0451bc16","foundation":0,"framework":"pytest","held":0.0,"id":"01kdvh35m0cmw9gncaq9ek3np8","kind":"strategy","language":null,"merged_into":null,"polarity":"do","provenance":"{\"source\":\"hand\"}","seq":1,"shared_seq":1,"state":"active","tags":"[\"time\"]","task_type":"task","template":null,"tenant":"acme","tier":"short","title":"Fake clock","updated_at":1767229200000000,"visibility":"team"}','{}',NULL);
INSERT INTO "pattern_events" VALUES('01kdvh35m0cmw9gncaq9ek3nps','acme','ann','01kdvh35m0cmw9gncaq9ek3np8',NULL,1767229200000000,'released','none','agent:ann',1,'{"agent":"ann","content":"freeze time with a fake clock instead of sleeping in tests that wait until the deadline has passed","created_at":1767229200000000,"description":"","domain":null,"fingerprint":"8ce31ed6cd37c8f92ceb9fdc0451bc16","foundation":0,"framework":"pytest","held":9.25,"id":"01kdvh35m0cmw9gncaq9ek3np8","kind":"strategy","language":null,"merged_into":null,"polarity":"do","provenance":"{\"source\":\"hand\"}","seq":5,"shared_seq":2,"state":"quarantined","tags":"[\"time\"]","task_type":"task","template":null,"tenant":"acme","tier":"short","title":"Fake clock","updated_at":1767229200000000,"visibility":"team"}','{}',NULL);
CREATE TABLE pattern_links (
    tenant  text not null,
    agent   text not null,
    source  text not null references patterns (id) on delete cascade,
    target  text not null references patterns (id) on delete cascade,
    kind    text not null check (kind in ('similar', 'duplicate', 'contradicts', 'refines', 'translates')),
    weight  double precision not null,
    made_at bigint not null,
    primary key (tenant, source, target, kind)
);
INSERT INTO "pattern_links" VALUES('acme','ann','01kdvh35m0cmw9gncaq9ek3np8','01kdvh35m0cmw9gncaq9ek3npa','contradicts',0.9507,1767229200000000);
INSERT INTO "pattern_links" VALUES('acme','ann','01kdvh35m0cmw9gncaq9ek3npa','01kdvh35m0cmw9gncaq9ek3npc','contradicts',0.9395,1767229200000000);
INSERT INTO "pattern_links" VALUES('acme','ann','01kdvh35m0cmw9gncaq9ek3np8','01kdvh35m0cmw9gncaq9ek3npc','similar',0.8958,1767229200000000);
CREATE TABLE pattern_passages (
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
INSERT INTO "pattern_passages" VALUES('01kdvh35m0cmw9gncaq9ek3np8','acme',0,16,X'ACC2330F25DB7E524598946FE583EE7D83252A8FDAE3B693CC8F19B792BE7BBE6FF1CDCD24D470CE0C7E7FD83DB942F5EC1320F70100010002000100010001000100020002000100010001000100',X'070000F70000000700120000110000000800FF00000000F90000CBF70015EFF0F50707110800000007000000000000000000000000000900F800000000F707EE000000F90081000000000015000000000900000000000000000000000000C20800000000000000F900001500000007000000F800000000000000000000EB00F800F80000000007000000000000000000071D7C0000E4F70000000000000000000000000000FE000000000000F90000F9000001080700E300000000070008000000001C00F800000000000000E4F8F9EE0000000700000009FFF90000120B0000EB000008001200000000F900000000000700350000000700001DEF0015000000F80000000000000000090000000B120000000708000000000000F900000000000010F80007C00000000000000800000000F50000000009000012EE0000070000EB070007000000CB000000000008000000F90000000000F900000000000000070000001000000700000000000000007D00000000000000000000F10000000E00EB00003E0000EB0B0000000000000000000000F712F7000000000000080000000007000000EB00000000F90000000000000007000000000008F900EE0007BEF5000700F800000000F811FF003500ED00F8F90000000700F500F835000000F7000000080700C00007000000000112000B00000707000000000000000000F9F500',3.11087747104465961456e-03,'hash:word+char3-5/512/1','words/1');
INSERT INTO "pattern_passages" VALUES('01kdvh35m0cmw9gncaq9ek3npa','acme',0,14,X'ACC2330F4598946FE583EE7D83252A8FDAE3B693CC8F19B792BE7BBE6FF1CDCD24D470CE0C7E7FD83DB942F5EC1320F7010001000100010001000100020002000100010001000100',X'080000F70000000700130000120000000800FF00000000F90000CAF70016EEF0000708120800000008000000000000000000000000000900F800000000F708ED000000F900BF00000000000B000000000900000000000000000000000000C10800000000000000F900001600000008000000F800000000000000000000EA00F800F80000000007000000000000000000071E7E0000EEF70000000000000000000000000000FE000000000000F90000F8000001080700E200000000080008000000001200F800000000000000EEF8F8ED0000000700000009FFF90000130B0000F5000008001300000000F900000000000700360000000700001EEE000B000000F80000000000000000090000000B130000000808000000000000F900000000000011F80007000000000000000800000000F50000000009000013ED0000080000F5070008000000CA000000000008000000F80000000000F900000000000000080000001000000700000000000000007F00000000000000000000F10000000F00F500003F0000EA0B0000000000000000000000F713F7000000000000080000000007000000F500000000F80000000000000008000000000008F900ED0007BD00000700F800000000F812FF003600ED00F8F900000007000000ED36000000F7000000080800BF0007000000000112000B00000707000000000000000000F90000',3.39832925237715244293e-03,'hash:word+char3-5/512/1','words/1');
INSERT INTO "pattern_passages" VALUES('01kdvh35m0cmw9gncaq9ek3npc','acme',0,15,X'ACC2330FCC98AF164598946FE583EE7D83252A8FDAE3B69392BE7BBE6FF1CDCD24D470CE0C7E7FD83DB942F5EC1320F7010001000100010001000100030002000100010001000100',X'050000FA0000000500130000060000000000FF00000000FB0000DCFA000EFAF50005050C0600000005000000000000000000000000000600FA00000000FA05ED000000FB00D5F90007000007000000000600000000000000000000000000D60600000000000000FB00000E00000005000000FA00000000000000000000F2000000FA000000000500000000000000000005147F0000F4FA0000000000000000000000070000FF000000000000FB0000FB000001000500EC00000000050006000000000C00FA00000000000000C9FAFBE6000000050000000605FB000013070000F9000006001300000000FB000000000005002400000005000014FA000E000000FA0000000000000000FF00000007130000000506000000000000FB00000000000006FA0005000000000000000000000000F90000000006000013ED0000050000F9050005000000DC000000000006000000FB0000000000FB00000000000000050000000B00000500000000000000005500000000000000000000FB0000000A00F900002A0000F2070000000000000000000007FA13FA000000000000000000000005000000F900000000FB0000000000000005000000000006FB00ED0005D300000500FA00000000FAFFFF000000F300FAFB00000005000000ED24000000FA000000000500D5000500000000010C000700000505000000000000000000FB0000',4.40929690375924110412e-03,'hash:word+char3-5/512/1','words/1');
INSERT INTO "pattern_passages" VALUES('01kdvh35m0cmw9gncaq9ek3npp','acme',0,3,X'ACC2330F83252A8F02000100',X'000000F70000001300000000000000000000000000000000000000F70000F7ED0000000000000000000000000000000000000000000009000000000000F70000000000000000000000000000000000000000000000000000000000000000000000000000000000ED00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000013F70000000000000000000000000000F7000000000000810000000000ED00130000000000000000000000000000000000000000000000000000000000000000000000ED0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000ED000000000000000000000000000000000000000000000000000000090000000000000000000000000000000000000000000000000000000000000000ED0000000000000000000000130000000000000000000000000000000000000000000000000000000000000040000000000000000000000000000000F700F7000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000F7000000000000000013000000000000000000000000000000000000000000000000',6.32518902420997619628e-03,'hash:word+char3-5/512/1','words/1');
CREATE TABLE pattern_uses (
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
INSERT INTO "pattern_uses" VALUES('01kdvh35m0cmw9gncaq9ek3npe','acme','bob','01kdvh35m0cmw9gncaq9ek3np8','applied',1,'verified',1.0,'task:t0',NULL,'task','{"size":0}','3db9eb6f9873399285273507bfcfd94b','t0',1767229200000000);
INSERT INTO "pattern_uses" VALUES('01kdvh35m0cmw9gncaq9ek3npf','acme','bob','01kdvh35m0cmw9gncaq9ek3np8','applied',1,'verified',1.0,'task:t1',NULL,'task','{"size":1}','3a31823c746f04d7038cabbdf483c75b','t1',1767229200000000);
INSERT INTO "pattern_uses" VALUES('01kdvh35m0cmw9gncaq9ek3npg','acme','bob','01kdvh35m0cmw9gncaq9ek3np8','applied',0,'verified',1.0,'task:t2',NULL,'task','{"size":0}','3db9eb6f9873399285273507bfcfd94b','t2',1767229200000000);
INSERT INTO "pattern_uses" VALUES('01kdvh35m0cmw9gncaq9ek3nph','acme','bob','01kdvh35m0cmw9gncaq9ek3np8','applied',1,'verified',1.0,'task:t3',NULL,'task','{"size":1}','3a31823c746f04d7038cabbdf483c75b','t3',1767229200000000);
INSERT INTO "pattern_uses" VALUES('01kdvh35m0cmw9gncaq9ek3npj','acme','bob','01kdvh35m0cmw9gncaq9ek3np8','applied',1,'verified',1.0,'task:t4',NULL,'task','{"size":0}','3db9eb6f9873399285273507bfcfd94b','t4',1767229200000000);
INSERT INTO "pattern_uses" VALUES('01kdvh35m0cmw9gncaq9ek3npk','acme','bob','01kdvh35m0cmw9gncaq9ek3np8','applied',1,'verified',1.0,'task:t5',NULL,'task','{"size":1}','3a31823c746f04d7038cabbdf483c75b','t5',1767229200000000);
INSERT INTO "pattern_uses" VALUES('01kdvh35m0cmw9gncaq9ek3npm','acme','ann','01kdvh35m0cmw9gncaq9ek3npc','helpful',1,'claimed',0.25,'claims:ann',NULL,NULL,NULL,NULL,NULL,1767229200000000);
CREATE TABLE pattern_voices (
    tenant     text not null,
    pattern_id text not null references patterns (id) on delete cascade,
    lineage    text not null,
    task_type  text not null,
    claimed    smallint not null check (claimed in (0, 1)),
    good       double precision not null,
    bad        double precision not null,
    primary key (tenant, pattern_id, lineage, task_type)
);
INSERT INTO "pattern_voices" VALUES('acme','01kdvh35m0cmw9gncaq9ek3np8','task:t0','task',0,1.0,0.0);
INSERT INTO "pattern_voices" VALUES('acme','01kdvh35m0cmw9gncaq9ek3np8','task:t1','task',0,1.0,0.0);
INSERT INTO "pattern_voices" VALUES('acme','01kdvh35m0cmw9gncaq9ek3np8','task:t2','task',0,0.0,1.0);
INSERT INTO "pattern_voices" VALUES('acme','01kdvh35m0cmw9gncaq9ek3np8','task:t3','task',0,1.0,0.0);
INSERT INTO "pattern_voices" VALUES('acme','01kdvh35m0cmw9gncaq9ek3np8','task:t4','task',0,1.0,0.0);
INSERT INTO "pattern_voices" VALUES('acme','01kdvh35m0cmw9gncaq9ek3np8','task:t5','task',0,1.0,0.0);
INSERT INTO "pattern_voices" VALUES('acme','01kdvh35m0cmw9gncaq9ek3npc','claims:ann','',1,0.25,0.0);
CREATE TABLE patterns (
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
INSERT INTO "patterns" VALUES('01kdvh35m0cmw9gncaq9ek3np8','acme','ann','8ce31ed6cd37c8f92ceb9fdc0451bc16','Fake clock','','freeze time with a fake clock instead of sleeping in tests that wait until the deadline has passed',NULL,'strategy','do','pytest',NULL,NULL,'["time"]','task','short','active',0,'team','{"source":"hand"}',NULL,9.25,1767229200000000,1767229200000000,6,3,5.25,1.0,7,6,6,1,0,NULL,NULL,NULL,0,1767229200000000);
INSERT INTO "patterns" VALUES('01kdvh35m0cmw9gncaq9ek3npa','acme','ann','d4ce8ed37e908d090762310a616e8492','No fake clock','','freeze time with a fake clock instead of sleeping in tests that wait until the deadline has passed',NULL,'strategy','avoid','pytest',NULL,NULL,'[]',NULL,'short','active',0,'private','{"source":"hand"}',NULL,0.0,1767229200000000,1767229200000000,2,NULL,0.0,0.0,0,0,0,0,0,NULL,NULL,NULL,0,NULL);
INSERT INTO "patterns" VALUES('01kdvh35m0cmw9gncaq9ek3npc','acme','ann','ae3a585cd906d8ef77df9dfe64829e29','A fake clock','','freeze time with a fake clock instead of sleeping in tests that wait until the deadline has passed','{{clock}}.tick()','strategy','do',NULL,NULL,NULL,'[]',NULL,'short','merged',0,'private','{"source":"hand"}','01kdvh35m0cmw9gncaq9ek3np8',0.0,1767229200000000,1767229200000000,4,NULL,0.25,0.0,1,0,0,1,0,NULL,NULL,NULL,0,1767229200000000);
INSERT INTO "patterns" VALUES('01kdvh35m0cmw9gncaq9ek3npp','acme','bob','9fcff7fd972bbc4c9e553de58cb38222','Sleep','','sleep until it is over',NULL,'strategy','do',NULL,NULL,NULL,'[]',NULL,'short','active',0,'private','{"source":"hand"}',NULL,0.0,1767229200000000,1767229200000000,1,NULL,0.0,0.0,0,0,0,0,0,NULL,NULL,NULL,0,NULL);
CREATE TABLE policies (
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
CREATE TABLE policy_events (
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
CREATE TABLE q_values (
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
    seq       bigint not null, claim_weight double precision not null default 0, claim_total double precision not null default 0, claim_squares double precision not null default 0, old_weight double precision not null default 0, old_total double precision not null default 0, old_squares double precision not null default 0, old_claim_weight double precision not null default 0, old_claim_total double precision not null default 0, old_claim_squares double precision not null default 0,
    primary key (tenant, agent, task_type, state_key, action)
);
INSERT INTO "q_values" VALUES('acme','','task','','a','{}',3,2.25,8.823528289794921875e-01,3.11418628692626953125e+00,4,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0);
INSERT INTO "q_values" VALUES('acme','ann','task','','a','{}',3,2.25,8.823528289794921875e-01,3.11418628692626953125e+00,4,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0);
INSERT INTO "q_values" VALUES('acme','ann','task','03070d3bff8d4a905ead6ebd91b5722b','a','{"lang":"py","size":0}',1,0.75,8.823528289794921875e-01,1.03806209564208984375e+00,1,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0);
INSERT INTO "q_values" VALUES('acme','ann','task','eac260b4967a4e42215001804e621823','a','{"lang":"py","size":1}',2,1.5,0.0,2.0761241912841796875e+00,4,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0);
INSERT INTO "q_values" VALUES('acme','','task','','b','{}',2,1.75,3.676471710205078125e-01,2.60056209564209,7,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0);
INSERT INTO "q_values" VALUES('acme','ann','task','','b','{}',1,0.75,-8.823528289794921875e-01,1.03806209564208984375e+00,5,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0);
INSERT INTO "q_values" VALUES('acme','ann','task','03070d3bff8d4a905ead6ebd91b5722b','b','{"lang":"py","size":0}',1,0.75,-8.823528289794921875e-01,1.03806209564208984375e+00,5,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0);
INSERT INTO "q_values" VALUES('acme','bob','task','','b','{}',1,1.0,1.25,1.5625,1,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0);
INSERT INTO "q_values" VALUES('acme','bob','task','3a31823c746f04d7038cabbdf483c75b','b','{"size":1}',1,1.0,1.25,1.5625,1,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0);
CREATE TABLE recall_answers (
    tenant      text not null,
    question_id text not null references recall_questions (id) on delete cascade,
    memory_id   text not null references memories (id) on delete cascade,
    place       integer not null,
    parts       bytea not null,
    vector      bytea not null,
    verdict     smallint not null check (verdict in (-1, 0, 1)),
    primary key (question_id, memory_id)
);
INSERT INTO "recall_answers" VALUES('acme','4515e6f42c0d8065ef8070be969a091a','01kdvh35m0cmw9gncaq9ek3nnh',0,X'AE2FAE2F412F662ED432000032000E3000809D320000',X'9C9E623B0000000000EE000000000000000000000000000000F200000000000010F0009A0012F2001200000000F20000000000000000000000F20000000000F2000000000000000000EE00000000000000000000000000000000000000000000000000000000000000000000000012000000100000000000000000000000000000000000009A120000F0000000000000880000000000000000EE000000000000000000000000000000000000100000000000000000000E0000000000000000001900000000000000000000000012000000000000000000F0000000000000000EF00000000000E70000000000000000001200000000000000008800000000001212000000000000000000000E00F20000000000000012000000000E000012000000000E0010000000000000F200120000100000000000000000F000000000000000000000EE000000000000000000000000000000000E00000000000000000000000000000000100000000012000000000000000000000000000000001000E70000100000DF000000000000F2000000007F0000000000000000000000000000F2000000000000000000EE000000000000000000000000000000000000000000000000000000000000000000000000000000000000F200000000000000000000000000000000000000000000E7E712120E0E000000F0000012120000000000000000000000',1);
CREATE TABLE recall_questions (
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
INSERT INTO "recall_questions" VALUES('4515e6f42c0d8065ef8070be969a091a','acme','ann',1767229200000000,'hash:word+char3-5/512/1/512','8c33ebcb','["words", "wide", "session", "meaning", "around", "importance", "recency", "news", "asks", "user", "spread"]',X'263FDD3B0000000000000000000000000000000000000000000000000000000014EC00810000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001400000000000000000000000000000000000000000000EC0000000000000000000000000000000000000000000000000000000000000000000014000000000000000000000000000000000000000000000000000000000000000000000000000000000000EC0000000000000000EC00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000140000000000000000000000140000000000000000EC0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000140000000000000000000000000000000000000000001400000000140000EC000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000EC000000000000000000000000000000',1,'[]',X'',X'');
INSERT INTO "recall_questions" VALUES('7d82b23b42d9ce7ff7637bc96da51b72','acme','ann',1767229200000000,'hash:word+char3-5/512/1/512','8c33ebcb','["words", "wide", "session", "meaning", "around", "importance", "recency", "news", "asks", "user", "spread"]',X'9C9E623B0000000000EE000000000000000000000000000000F200000000000010F0009A0012F2001200000000F20000000000000000000000F20000000000F2000000000000000000EE00000000000000000000000000000000000000000000000000000000000000000000000012000000100000000000000000000000000000000000009A120000F0000000000000880000000000000000EE000000000000000000000000000000000000100000000000000000000E0000000000000000001900000000000000000000000012000000000000000000F0000000000000000EF00000000000E70000000000000000001200000000000000008800000000001212000000000000000000000E00F20000000000000012000000000E000012000000000E0010000000000000F200120000100000000000000000F000000000000000000000EE000000000000000000000000000000000E00000000000000000000000000000000100000000012000000000000000000000000000000001000E70000100000DF000000000000F2000000007F0000000000000000000000000000F2000000000000000000EE000000000000000000000000000000000000000000000000000000000000000000000000000000000000F200000000000000000000000000000000000000000000E7E712120E0E000000F0000012120000000000000000000000',0,'["01kdvh35m0cmw9gncaq9ek3nnh", "01kdvh35m0cmw9gncaq9ek3nns"]',X'AE2FAE2F412F662ED432000032000E3000809D320000AE2FAE2F412F662ED4320000D4220000008000000000',X'9C9E623B0000000000EE000000000000000000000000000000F200000000000010F0009A0012F2001200000000F20000000000000000000000F20000000000F2000000000000000000EE00000000000000000000000000000000000000000000000000000000000000000000000012000000100000000000000000000000000000000000009A120000F0000000000000880000000000000000EE000000000000000000000000000000000000100000000000000000000E0000000000000000001900000000000000000000000012000000000000000000F0000000000000000EF00000000000E70000000000000000001200000000000000008800000000001212000000000000000000000E00F20000000000000012000000000E000012000000000E0010000000000000F200120000100000000000000000F000000000000000000000EE000000000000000000000000000000000E00000000000000000000000000000000100000000012000000000000000000000000000000001000E70000100000DF000000000000F2000000007F0000000000000000000000000000F2000000000000000000EE000000000000000000000000000000000000000000000000000000000000000000000000000000000000F200000000000000000000000000000000000000000000E7E712120E0E000000F00000121200000000000000000000009C9E623B0000000000EE000000000000000000000000000000F200000000000010F0009A0012F2001200000000F20000000000000000000000F20000000000F2000000000000000000EE00000000000000000000000000000000000000000000000000000000000000000000000012000000100000000000000000000000000000000000009A120000F0000000000000880000000000000000EE000000000000000000000000000000000000100000000000000000000E0000000000000000001900000000000000000000000012000000000000000000F0000000000000000EF00000000000E70000000000000000001200000000000000008800000000001212000000000000000000000E00F20000000000000012000000000E000012000000000E0010000000000000F200120000100000000000000000F000000000000000000000EE000000000000000000000000000000000E00000000000000000000000000000000100000000012000000000000000000000000000000001000E70000100000DF000000000000F2000000007F0000000000000000000000000000F2000000000000000000EE000000000000000000000000000000000000000000000000000000000000000000000000000000000000F200000000000000000000000000000000000000000000E7E712120E0E000000F0000012120000000000000000000000');
INSERT INTO "recall_questions" VALUES('cf02b2e556d95844bb7b3e211925715c','acme','bob',1767229200000000,'hash:word+char3-5/512/1/512','8c33ebcb','["words", "wide", "session", "meaning", "around", "importance", "recency", "news", "asks", "user", "spread"]',X'51FF753B000000000000000000000015F1000000000015000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000EB000000000000000000000000000000000000000F00000000000000000F000000000000000F000000000000000000000000000000000000000000150000000000F100000000000000000000000000000000EB000000000000000000000000000000EB0F000000000000000000000000000000000000000000000015000000000000000000000000000000240000000000000000151500000000000000000000000000000000F100000000F100E200000000007F0000000000000000000000000000000000000000000000000000000000000000000000000000000000006A000000000000000000F1000000000000000000000000000000150000000000000000000000000000000000006A000000000000000000000000000000000000000000000F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000150000000000EB00000000000000000000000000000000000000000000000000F10000000000007F00000000000000000000000000C00F0000000000000F0000000000000000000000000000000000000000001500000000000000000000EB15000000F1000F000000000000',0,'["01kdvh35m0cmw9gncaq9ek3nnk", "01kdvh35m0cmw9gncaq9ek3nnm", "01kdvh35m0cmw9gncaq9ek3nnn"]',X'C330C3307F30EF2F3B3400003B240631008000000000202DC3307F30802D3B3400005F230A2C008000001FA6202DC3307F307E2D3B3400005E230A2C0080000008AA',X'51FF753B000000000000000000000015F1000000000015000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000EB000000000000000000000000000000000000000F00000000000000000F000000000000000F000000000000000000000000000000000000000000150000000000F100000000000000000000000000000000EB000000000000000000000000000000EB0F000000000000000000000000000000000000000000000015000000000000000000000000000000240000000000000000151500000000000000000000000000000000F100000000F100E200000000007F0000000000000000000000000000000000000000000000000000000000000000000000000000000000006A000000000000000000F1000000000000000000000000000000150000000000000000000000000000000000006A000000000000000000000000000000000000000000000F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000150000000000EB00000000000000000000000000000000000000000000000000F10000000000007F00000000000000000000000000C00F0000000000000F0000000000000000000000000000000000000000001500000000000000000000EB15000000F1000F00000000000051FF753B000000000000000000000015F1000000000015000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000EB000000000000000000000000000000000000000F00000000000000000F000000000000000F000000000000000000000000000000000000000000150000000000F1000000C0000000000000000000000000EB000000000000000000000000000000EB0F000000000000000000000000000000000000000000000015000000000000000000000000000000240000000000000000151500000000000000000000000000000000F100000000F100E200000000007F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000F1000000000000000000000000000000150000000000000000000000000000000000006A000000000000000000000000000000000000000000000F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000150000000000EB00000000000000000000000000000000000000000000000000F100006A0000007F00000000000000000000000000000F0000000000000F0000000000000000000000000000000000000000001500000000000000000000EB15000000F1000F00000000000051FF753B000000000000000000000015F1960000000015000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000EB000000000000000000000000000000000000000F00000000000000000F000000000000000F000000000000000000000000000000000000000000150000000000F100000000000000000000000000000000EB000000000000000000000000000000EB0F000000000000000000000000000000000000000000000015000000000000000000000000000000240000000000000000151500000000000000000000000000000000F100000000F100E200000000007F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000F100000000000000000000000000000015000000000000000000000000000000C000006A000000000000000000000000000000000000000000000F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000150000000000EB00000000000000000000000000000000000000000000000000F10000000000007F00000000000000000000000000000F0000000000000F0000000000000000000000000000000000000000001500000000000000000000EB15000000F1000F000000000000');
INSERT INTO "recall_questions" VALUES('ca8b7270e2b43af9b56e0bcd89af22b6','acme','bob',1767229200000000,'hash:word+char3-5/512/1/512','8c33ebcb','["words", "wide", "session", "meaning", "around", "importance", "recency", "news", "asks", "user", "spread"]',X'51FF753B000000000000000000000015F1000000000015000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000EB000000000000000000000000000000000000000F00000000000000000F000000000000000F000000000000000000000000000000000000000000150000000000F1000000C0000000000000000000000000EB000000000000000000000000000000EB0F000000000000000000000000000000000000000000000015000000000000000000000000000000240000000000000000151500000000000000000000000000000000F100000000F100E200000000007F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000F1000000000000000000000000000000150000000000000000000000000000000000006A000000000000000000000000000000000000000000000F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000150000000000EB00000000000000000000000000000000000000000000000000F100006A0000007F00000000000000000000000000000F0000000000000F0000000000000000000000000000000000000000001500000000000000000000EB15000000F1000F000000000000',0,'["01kdvh35m0cmw9gncaq9ek3nnm", "01kdvh35m0cmw9gncaq9ek3nnk", "01kdvh35m0cmw9gncaq9ek3nnn"]',X'33313331E93055309F3400009F24112D008000000000992D3331E930002E9F3400000624C830008000004EA7992D3331E930FF2D9F34000006246A2C0080000096AA',X'51FF753B000000000000000000000015F1000000000015000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000EB000000000000000000000000000000000000000F00000000000000000F000000000000000F000000000000000000000000000000000000000000150000000000F1000000C0000000000000000000000000EB000000000000000000000000000000EB0F000000000000000000000000000000000000000000000015000000000000000000000000000000240000000000000000151500000000000000000000000000000000F100000000F100E200000000007F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000F1000000000000000000000000000000150000000000000000000000000000000000006A000000000000000000000000000000000000000000000F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000150000000000EB00000000000000000000000000000000000000000000000000F100006A0000007F00000000000000000000000000000F0000000000000F0000000000000000000000000000000000000000001500000000000000000000EB15000000F1000F00000000000051FF753B000000000000000000000015F1000000000015000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000EB000000000000000000000000000000000000000F00000000000000000F000000000000000F000000000000000000000000000000000000000000150000000000F100000000000000000000000000000000EB000000000000000000000000000000EB0F000000000000000000000000000000000000000000000015000000000000000000000000000000240000000000000000151500000000000000000000000000000000F100000000F100E200000000007F0000000000000000000000000000000000000000000000000000000000000000000000000000000000006A000000000000000000F1000000000000000000000000000000150000000000000000000000000000000000006A000000000000000000000000000000000000000000000F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000150000000000EB00000000000000000000000000000000000000000000000000F10000000000007F00000000000000000000000000C00F0000000000000F0000000000000000000000000000000000000000001500000000000000000000EB15000000F1000F00000000000051FF753B000000000000000000000015F1960000000015000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000EB000000000000000000000000000000000000000F00000000000000000F000000000000000F000000000000000000000000000000000000000000150000000000F100000000000000000000000000000000EB000000000000000000000000000000EB0F000000000000000000000000000000000000000000000015000000000000000000000000000000240000000000000000151500000000000000000000000000000000F100000000F100E200000000007F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000F100000000000000000000000000000015000000000000000000000000000000C000006A000000000000000000000000000000000000000000000F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000150000000000EB00000000000000000000000000000000000000000000000000F10000000000007F00000000000000000000000000000F0000000000000F0000000000000000000000000000000000000000001500000000000000000000EB15000000F1000F000000000000');
INSERT INTO "recall_questions" VALUES('26b6bd9a1cbdb5cf85d8396a7626dfd5','acme','bob',1767229200000000,'hash:word+char3-5/512/1/512','8c33ebcb','["words", "wide", "session", "meaning", "around", "importance", "recency", "news", "asks", "user", "spread"]',X'51FF753B000000000000000000000015F1960000000015000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000EB000000000000000000000000000000000000000F00000000000000000F000000000000000F000000000000000000000000000000000000000000150000000000F100000000000000000000000000000000EB000000000000000000000000000000EB0F000000000000000000000000000000000000000000000015000000000000000000000000000000240000000000000000151500000000000000000000000000000000F100000000F100E200000000007F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000F100000000000000000000000000000015000000000000000000000000000000C000006A000000000000000000000000000000000000000000000F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000150000000000EB00000000000000000000000000000000000000000000000000F10000000000007F00000000000000000000000000000F0000000000000F0000000000000000000000000000000000000000001500000000000000000000EB15000000F1000F000000000000',0,'["01kdvh35m0cmw9gncaq9ek3nnn", "01kdvh35m0cmw9gncaq9ek3nnk", "01kdvh35m0cmw9gncaq9ek3nnm"]',X'33313331E93055309F3400009F24112D008000000000992D3331E930FF2D9F3400000624C730008000004EA7992D3331E930002E9F34000006246A2C0080000096AA',X'51FF753B000000000000000000000015F1960000000015000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000EB000000000000000000000000000000000000000F00000000000000000F000000000000000F000000000000000000000000000000000000000000150000000000F100000000000000000000000000000000EB000000000000000000000000000000EB0F000000000000000000000000000000000000000000000015000000000000000000000000000000240000000000000000151500000000000000000000000000000000F100000000F100E200000000007F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000F100000000000000000000000000000015000000000000000000000000000000C000006A000000000000000000000000000000000000000000000F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000150000000000EB00000000000000000000000000000000000000000000000000F10000000000007F00000000000000000000000000000F0000000000000F0000000000000000000000000000000000000000001500000000000000000000EB15000000F1000F00000000000051FF753B000000000000000000000015F1000000000015000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000EB000000000000000000000000000000000000000F00000000000000000F000000000000000F000000000000000000000000000000000000000000150000000000F100000000000000000000000000000000EB000000000000000000000000000000EB0F000000000000000000000000000000000000000000000015000000000000000000000000000000240000000000000000151500000000000000000000000000000000F100000000F100E200000000007F0000000000000000000000000000000000000000000000000000000000000000000000000000000000006A000000000000000000F1000000000000000000000000000000150000000000000000000000000000000000006A000000000000000000000000000000000000000000000F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000150000000000EB00000000000000000000000000000000000000000000000000F10000000000007F00000000000000000000000000C00F0000000000000F0000000000000000000000000000000000000000001500000000000000000000EB15000000F1000F00000000000051FF753B000000000000000000000015F1000000000015000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000EB000000000000000000000000000000000000000F00000000000000000F000000000000000F000000000000000000000000000000000000000000150000000000F1000000C0000000000000000000000000EB000000000000000000000000000000EB0F000000000000000000000000000000000000000000000015000000000000000000000000000000240000000000000000151500000000000000000000000000000000F100000000F100E200000000007F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000F1000000000000000000000000000000150000000000000000000000000000000000006A000000000000000000000000000000000000000000000F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000150000000000EB00000000000000000000000000000000000000000000000000F100006A0000007F00000000000000000000000000000F0000000000000F0000000000000000000000000000000000000000001500000000000000000000EB15000000F1000F000000000000');
INSERT INTO "recall_questions" VALUES('395985f46fd13a8de93d89bfa9395833','acme','bob',1767229200000000,'hash:word+char3-5/512/1/512','8c33ebcb','["words", "wide", "session", "meaning", "around", "importance", "recency", "news", "asks", "user", "spread"]',X'EFDE8A3B0000F413000000000000000000000000F2000000000000F20002000000000E000000000000000000F10000000E000000000000000C0C00000C0000000000000000000000000000000000000000000C0000000000000F0F000000000000000000000000000E0000F100000000000000000000F10000F400000000000000000000000000000000000000000000000000000E0000000013F20000F4000000000000000000000000000000000E00000000000000F1000000000000000000000000000000007F000000001300000E00000013000F000000000000F4000000000000000000000000000000F2000000000000000000000F000013000000000000000000000000000C0F000000600000000CF10000000000000E0000000000000000000000F4000000000000000000000000000E0000000400000000F4600000000C0000000000000000000C0000000000000000000000000E00000000000000000000000000000000000F0000000000000C000E0000000000000000000000F400000C00000000000000000000000000000000000F00000000000000000000000000000000000000000000000000000000000F0000000C0000000CF1000000000000000000130C00000013000000A00000000EF2000000000000000E0000000000000000000000000000000C0000000000000C0000000000000000000000000000000000',0,'["01kdvh35m0cmw9gncaq9ek3nnp"]',X'C330C3307F30EF2F3B3400003B240631008000000000',X'EFDE8A3B0000F413000000000000000000000000F2000000000000F20002000000000E000000000000000000F10000000E000000000000000C0C00000C0000000000000000000000000000000000000000000C0000000000000F0F000000000000000000000000000E0000F100000000000000000000F10000F400000000000000000000000000000000000000000000000000000E0000000013F20000F4000000000000000000000000000000000E00000000000000F1000000000000000000000000000000007F000000001300000E00000013000F000000000000F4000000000000000000000000000000F2000000000000000000000F000013000000000000000000000000000C0F000000600000000CF10000000000000E0000000000000000000000F4000000000000000000000000000E0000000400000000F4600000000C0000000000000000000C0000000000000000000000000E00000000000000000000000000000000000F0000000000000C000E0000000000000000000000F400000C00000000000000000000000000000000000F00000000000000000000000000000000000000000000000000000000000F0000000C0000000CF1000000000000000000130C00000013000000A00000000EF2000000000000000E0000000000000000000000000000000C0000000000000C0000000000000000000000000000000000');
INSERT INTO "recall_questions" VALUES('b23a226574870bd65cba315c04004416','other','ann',1767229200000000,'hash:word+char3-5/512/1/512','8c33ebcb','["words", "wide", "session", "meaning", "around", "importance", "recency", "news", "asks", "spread"]',X'3F27A93BFF000202000000000000EFFF00FF00FEFF0000000F00FE0100FF00000000000000000000000100000104000000000000040100000000000000001000010000000000000000FF01000000000000EFFF000000010000FF000000000000FF0000000113FF00000000000000000000EC000000000000010000000001000000000000FE02FFF00000000000FF0000000000FF1500FF000201FF0000FE00FF000000000000000000FF0201000001F0000000000000000100000000000000000000011400001000020000000000FF00FF000000010000FF000000FF0000000000000000FF00010000000000000000000000FE0200000000000001FE0000F0010000000000000000FFEC000100FF0000000000FFFF110001FF00100000000000FCFF0000000100FF0000000000000000020000000000000000010000010013000000000000FF0200000000000000FF00FF0200000025000002FF0000FF00000000001000000000000000FF00810100000000000001000000000000000000000000000000000000006A0214000000FCFF00FF00111601FFFC0000000000000000000000FF00FF000100000000000000000200020000000000000200010000010000000000000002FF00000000FF0000EBF000FF00000000FF010000FF0000FF020015000000000000FF00F1000000000000000000100010000000000000000000000000F1',0,'["01kdvh35m0cmw9gncaq9ek3nnq"]',X'C330C3307F30EF2F3B3400003B24063100800000',X'5224A83B00FF0400000000000000EFFFFF0000FAFF00FF001200FF03FF0000000000000000010000000300FF0004FF0000000000090300FF00000000010010FF0300000000FF000000FD000000FF000000F0FF000001000100FFFFFFFFFF0000FD0000000015FF00000000000000010000EB00000000000000000000FF0000000000FF00FF0300F00001010000FF000000FFFF0015FFFF00040001FF00FE0000000000000000000000FE0403000003F000000100000000030000000100FFFF00FF0000150000100001010000FF00FDFFFF00FF00000000FDFFFF00FF0000000001010001FF00000000000000000000000000FA0000000000000000FF0000F000FF0000000000000000EC0100FFFD00FF00FF00FFFD120000FE0010FFFF000000FB00000100000000000000000000000100000000000000000000000000001200000000FF00000300000001000000FF000000FF000025FFFF050100000000000000001000010000000000FE00810300FF0001000003000000010000000000FF00000000FF0000FF006A0112010001F60000FF0011160001FCFFFFFF00000000FF010101FD00FF000000000000000000000100000000000000000600000000000000FF00000000010001000001FF0000EBEF0000FF00FF00FF03000001000000000015000000000100FF00F30000FF0000000000000F00100000000100FF00000000FF00F3');
INSERT INTO "recall_questions" VALUES('01ebd9496235eda4cea6871037587af2','other','ann',1767229200000000,'hash:word+char3-5/512/1/512','8c33ebcb','["words", "wide", "session", "meaning", "around", "importance", "recency", "news", "asks", "spread"]',X'26AB813B00000000000000000000000000F900000000E8000000000000000000000000000000000000070700000000000000000000001100F9000000F900000700000000000000000000000000E8000000F90000000000000000000000F900EF00000000000000000000000000000000F900F900000000000000000000000007000000000000000000000000000000000000000000000000000000000018F900000000000000F000000000180707F9000000E80000000000F9F90000000000000000000700EF0000007F0000000000000000000000000000000000000000000000000000000000EF000000000000F9000000000000000000000000000007000000000000000000000007000000000000000000000000000000F900E80000EF07F90007000000F100000007000000000000000000000000000007F911000000F9000700000000000007000000000000000000070000070018000000000000000000F900000000000000000000000000EF0000110000F9000000008F0000000000F90000000000F90000000000F90000A0000000071800070000000700000011000000000000000000000000E8007800000007F9000000000007000000000000F9000000000000000000000000000000F9000000000000000000070000000000000000F90000000000000000F90000000000000000000000EF001800000000000000000000',0,'["01kdvh35m0cmw9gncaq9ek3nnr"]',X'C330C3307F30EF2F3B3400003B24063100800000',X'26AB813B00000000000000000000000000F900000000E8000000000000000000000000000000000000070700000000000000000000001100F9000000F900000700000000000000000000000000E8000000F90000000000000000000000F900EF00000000000000000000000000000000F900F900000000000000000000000007000000000000000000000000000000000000000000000000000000000018F900000000000000F000000000180707F9000000E80000000000F9F90000000000000000000700EF0000007F0000000000000000000000000000000000000000000000000000000000EF000000000000F9000000000000000000000000000007000000000000000000000007000000000000000000000000000000F900E80000EF07F90007000000F100000007000000000000000000000000000007F911000000F9000700000000000007000000000000000000070000070018000000000000000000F900000000000000000000000000EF0000110000F9000000008F0000000000F90000000000F90000000000F90000A0000000071800070000000700000011000000000000000000000000E8007800000007F9000000000007000000000000F9000000000000000000000000000000F9000000000000000000070000000000000000F90000000000000000F90000000000000000000000EF001800000000000000000000');
CREATE TABLE replies (
    tenant text not null,
    owner  text not null,
    key    text not null,
    digest text not null,
    status integer,
    body   text,
    at     bigint not null,
    primary key (tenant, owner, key)
);
CREATE TABLE reports (
    id       text not null primary key,
    at       bigint not null,
    period   text not null,
    markdown text not null,
    html     text not null
);
CREATE TABLE roles (
    name       text not null primary key,
    due_at     bigint not null,
    paused     smallint not null check (paused in (0, 1)),
    failures   bigint not null,
    checkpoint text
, begun_at bigint);
CREATE TABLE runs (
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
, ends_by bigint);
CREATE TABLE schema_migrations (
    version integer not null primary key, name text not null, checksum text not null, applied_at text not null);
INSERT INTO "schema_migrations" VALUES(1,'0001-start','64fecb6b63bb49553b7497cb1fa529c04b4895013505f3dee3f9c5db7d76d719','2026-11-22 02:20:45');
INSERT INTO "schema_migrations" VALUES(2,'0002-engine','7822c1300e26123cc4f0e77aa227d7225056cd05cd3bc6b4ab6654cce1b6a208','2026-11-22 02:20:45');
INSERT INTO "schema_migrations" VALUES(3,'0003-adapt','7328d5bc87f61368a267b6c7258372795b419caedaa9fa1c3520a77f9bf7ea03','2026-11-22 02:20:45');
INSERT INTO "schema_migrations" VALUES(4,'0004-lean','4f6194882ced519f7473101834070d22bad1d5452590ee94a4c9a2b8b86c0566','2026-11-22 02:20:45');
INSERT INTO "schema_migrations" VALUES(5,'0005-life','e6749b416d7edc02f4cb86c594de33c34061c679294688c426131baa75e58629','2026-11-22 02:20:45');
INSERT INTO "schema_migrations" VALUES(6,'0006-cold','662be33de75ab07815686992cfe79fbca01744e35abfc4b5338b6166a11329f6','2026-11-22 02:20:45');
INSERT INTO "schema_migrations" VALUES(7,'0007-dream','6f9ed0ded5a20228b0f64ce1331015a0bac2fa4ed49ed69a4f365b3e5d048395','2026-11-22 02:20:45');
INSERT INTO "schema_migrations" VALUES(8,'0008-fixes','a935eb87bfe8b49ca5b44bc1efbbe4f7745567dc283cab505df5207a275bf9d3','2026-11-22 02:20:45');
INSERT INTO "schema_migrations" VALUES(9,'0009-patterns','75ae700e3b2dab5fed26ce446c78343ae435db2f95d9407f9f350a12fb287dca','2026-11-22 02:20:45');
CREATE TABLE scopes (
    tenant text not null,
    name   text not null,
    seq    bigint not null default 0,
    purges bigint not null default 0,
    primary key (tenant, name)
);
INSERT INTO "scopes" VALUES('acme','shared',5,0);
INSERT INTO "scopes" VALUES('acme','agent:ann',4,0);
INSERT INTO "scopes" VALUES('acme','agent:bob',2,0);
INSERT INTO "scopes" VALUES('other','agent:ann',2,0);
INSERT INTO "scopes" VALUES('acme','learn::task',7,0);
INSERT INTO "scopes" VALUES('acme','learn:ann:task',6,0);
INSERT INTO "scopes" VALUES('acme','learn:bob:task',1,0);
INSERT INTO "scopes" VALUES('acme','patterns:ann',6,0);
INSERT INTO "scopes" VALUES('acme','patterns',3,0);
INSERT INTO "scopes" VALUES('acme','patterns:bob',1,0);
INSERT INTO "scopes" VALUES('acme','fixes:ann',6,0);
INSERT INTO "scopes" VALUES('acme','fixes',3,0);
INSERT INTO "scopes" VALUES('acme','fixes:bob',3,1);
INSERT INTO "scopes" VALUES('acme','feedback',3,0);
INSERT INTO "scopes" VALUES('acme','adapt',1,0);
INSERT INTO "scopes" VALUES('other','feedback',1,0);
CREATE TABLE signals (
    tenant        text not null,
    memory_id     text not null references memories (id) on delete cascade,
    shown         bigint not null default 0,
    read          bigint not null default 0,
    applied       bigint not null default 0,
    helpful       bigint not null default 0,
    unhelpful     bigint not null default 0,
    last_shown_at bigint,
    last_used_at  bigint, importance double precision, weighed_at bigint, pending_at bigint, spared_until bigint,
    primary key (memory_id, tenant)
);
INSERT INTO "signals" VALUES('acme','01kdvh35m0cmw9gncaq9ek3nnh',3,0,1,1,0,1767229200000000,1767229200000000,5.1,1767229200000000,NULL,NULL);
INSERT INTO "signals" VALUES('acme','01kdvh35m0cmw9gncaq9ek3nnk',3,0,0,0,0,1767229200000000,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "signals" VALUES('acme','01kdvh35m0cmw9gncaq9ek3nnm',3,0,0,0,0,1767229200000000,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "signals" VALUES('acme','01kdvh35m0cmw9gncaq9ek3nnn',3,0,0,0,0,1767229200000000,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "signals" VALUES('acme','01kdvh35m0cmw9gncaq9ek3nnp',1,0,0,0,0,1767229200000000,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "signals" VALUES('acme','01kdvh35m0cmw9gncaq9ek3nns',2,0,0,0,0,1767229200000000,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "signals" VALUES('other','01kdvh35m0cmw9gncaq9ek3nnq',1,0,0,0,0,1767229200000000,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "signals" VALUES('other','01kdvh35m0cmw9gncaq9ek3nnr',1,0,0,0,0,1767229200000000,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE signatures (
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
INSERT INTO "signatures" VALUES('acme','ann','private','template-1-2cd49fa3369da8efb7fa','template','db-<*> did not answer in <*>','','db-<*> did not answer in <*>',5,X'45CAA0D8254ADDDA28BCF4E321DFDBF40100010001000200',X'000000000000000000000000000000000000000000000000000000000000001500000000006A000000000000000000000000000000F00000000000000000000000000000007F000000000000000000000000000000000000000000000000000000000000F00000000000000000000000000000000000000000000000000000000000000000000000000000000000150015000000000000000000EB00000000000000000000000000000010000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000F000000000000000000000000000000000000000000000000000000000EB000000006A000000EB00000000000000000000000000000000000000000000000000101500000000000000001000F000001000100000000000000000000000000000000000000000100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000F0000000000000001000000000000000000000000000000000000000000000000000000000000000000000001500000000100000000000C0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000F00000100000',4.46414761245250701904e-03,'hash:word+char3-5/512/1','words/1',1,NULL);
INSERT INTO "signatures" VALUES('acme','ann','team','template-1-2cd49fa3369da8efb7fa','template','db-<*> did not answer in <*>','','db-<*> did not answer in <*>',5,X'B7EFDC83D3FAA7AF254ADDDA28BCF4E30200010001000100',X'000000000000000000000000000000000000000000000000000000000000000000000000006A000000000000000000000000000000F0000000000000000000000000000000000000000000000000000000000000000000000000000000EB000000000000F00000000000000000000000000000000000000000000000000000000000000000000000C015000000001500000000000000000000000000000000000000000000000000000010000000000000000000000000000000000000000000000000000000000000000000000000000000007F00000000000000000000000000000000000000000000000000000000000000000000000000000000000000F000000000000000000000000000000000000000000000000000000000000000000000000000EB00000000000000000000000000000000000000000000000000100000000000000000001000F000001000100000000000000000000000000000000000000000100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000F00000000000000010000000000000000000000000000000000000000000000000000000006A0000000000001500000000100000000000000000000000000015000000001500000000EB000000000000000000000000000000000000000000000000000000000000F00000100000',4.46414761245250701904e-03,'hash:word+char3-5/512/1','words/1',2,1);
INSERT INTO "signatures" VALUES('acme','ann','public','template-1-2cd49fa3369da8efb7fa','template','db-<*> did not answer in <*>','','db-<*> did not answer in <*>',5,X'0DBED51A69ABAE36254ADDDA28BCF4E30200010001000100',X'000000000000000000000000009600000000150000000000EB0000000000000000000000006A000000000000000000000000000000F000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000F000000000000000EB0000000000000000000000000000000000000000000000000000000000000000001500000000000000000000000000000000000000000000000000000010000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000F000000000000000000000000000000000000000000000000000000000000000000000000000EB00000000000000000000000000EB0000000000000000000000100000000000000000001000B000001000100000000000000000000000000000000000000000100000008100000000000000000000000000000000000000000000000000000000000000000000000000000000F00000000000000010000000EB00000000000000000000000000000000000000000000000000000000000000150000000010000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000F00000100000',4.37431130558252334594e-03,'hash:word+char3-5/512/1','words/1',3,2);
INSERT INTO "signatures" VALUES('acme','ann','private','template-1-72f77257abe944f3dc70','template','no room left on disk','','no room left on disk',3,X'02DD740C9B519F7268E7677A010001000100',X'00000000000000EB00000000000000000000000000000000000000000000000000000000000000000000000000EB000000000000000000000000000000000000000000000000000000000000000000EB0000000000000000000000000000000000000000000000000000000000EB0000000000000000000000000000000000000000000000001500000000000015EB000000000000000000000000000000EB000000000000000000000000000015000000000000EB000000000015000000000000000000000000000000000000000000000000000000000015EB000000000000000000000000000000000000000000000000000000000000000000000000000000008100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001500000000000000000000000000000000000000000000000000000000000000EB0000000000000000000000000000008100000000000000000000000000150000000000000000000000EB0000EB000000000000000000000000000000000000000000810000000000000000000000000000000000000000000000000000150000000000001500EB0000000000000000150000000000000000000000000000000000000000150000000000000000000000EB00000000000000000000000000000000000000000000',4.11207042634487152099e-03,'hash:word+char3-5/512/1','words/1',5,NULL);
INSERT INTO "signatures" VALUES('acme','bob','private','template-1-bed45c0e616a1bf125f4','template','the disk is full','','the disk is full',2,X'02DD740CA0D47FE001000100',X'00000000000000EB000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000015000000000000000000000000000000000000000000000000000000000000001500000000000000000000000000000000EB000000000000000000000000000000000000000015000000000000000000000000000000000000000000000000007F00000000000000000000000015000000000000EB0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000810000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000EB00001500000000000000000000000000000000000000000000000000000000000000EB0000000000000000000000000000000000000000000000150000000000000000EB000000000000000000000000000000000000000000000000000000150000000000000000000000000000001500000000000000000000000000000000150000000000000000EB00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000',5.03623718395829200744e-03,'hash:word+char3-5/512/1','words/1',1,NULL);
INSERT INTO "signatures" VALUES('acme','bob','private','template-1-e6455a52ee5638017b9a','template','no inodes left','','no inodes left',2,X'68E7677A9653998D01000100',X'00000000000000000000000000000000000000000000000000000000000000000000000010000000000000000000000000000000000000000000000000000000000000000010000000000000000000000000000000000000000000000000000000000000000000000000000000FB0000000000000000000000000010000010000000000000000000000000000000EB0000000010000000000000000000000000000000000000000000000000000000000000000000000000000015000000000000000000000000000000000000000000001000000000000000EB000000000000000000F0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000F000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000100000000000000000000000000000000000000000000000000010000000000000000000008100000000000000000000000000000010000000000000000000000000EB00000000F000000000000000000000001000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000150000000000000096000000000000000000000000150000000000000000000000EB000000000000000000000000000000000000F0000000',5.40326815098524093627e-03,'hash:word+char3-5/512/1','words/1',2,NULL);
ANALYZE "sqlite_master";
INSERT INTO "sqlite_stat1" VALUES('schema_migrations',NULL,'1');
INSERT INTO "sqlite_stat1" VALUES('memories','sqlite_autoindex_memories_1','1000000 1');
INSERT INTO "sqlite_stat1" VALUES('memories','memories_fingerprint','1000000 100000 1000 1');
INSERT INTO "sqlite_stat1" VALUES('memories','memories_change','1000000 100000 1000 10');
INSERT INTO "sqlite_stat1" VALUES('memories','memories_shared','100000 10000 10');
INSERT INTO "sqlite_stat1" VALUES('memories','memories_chain','100000 1');
INSERT INTO "sqlite_stat1" VALUES('memories','memories_history','100000 10000 100 50 2 1');
INSERT INTO "sqlite_stat1" VALUES('passages','sqlite_autoindex_passages_1','100000 4 1');
INSERT INTO "sqlite_stat1" VALUES('signals','sqlite_autoindex_signals_1','500000 1 1');
INSERT INTO "sqlite_stat1" VALUES('echoes','sqlite_autoindex_echoes_1','10000 2 2 2 1');
INSERT INTO "sqlite_stat1" VALUES('experiences','sqlite_autoindex_experiences_1','1000000 1');
INSERT INTO "sqlite_stat1" VALUES('experiences','experiences_decision','1000000 100000 1000 1');
INSERT INTO "sqlite_stat1" VALUES('experiences','experiences_task','1000000 100000 1000 500 1 1');
INSERT INTO "sqlite_stat1" VALUES('decisions','sqlite_autoindex_decisions_1','1000000 1');
INSERT INTO "sqlite_stat1" VALUES('decisions','decisions_agent','1000000 100000 1000 1 1');
INSERT INTO "sqlite_stat1" VALUES('memories','memories_key','100000 10000 100 1 1');
INSERT INTO "sqlite_stat1" VALUES('memories','memories_list','1000000 100000 1000 900 2 1');
INSERT INTO "sqlite_stat1" VALUES('memories','memories_expiry','100000 2 1');
INSERT INTO "sqlite_stat1" VALUES('memories','memories_archived','200000 20000 200 2 1');
INSERT INTO "sqlite_stat1" VALUES('signals','signals_pending','10000 2 1');
INSERT INTO "sqlite_stat1" VALUES('transitions','sqlite_autoindex_transitions_1','1000000 100000 100 1');
INSERT INTO "sqlite_stat1" VALUES('transitions','transitions_memory','1000000 100000 1000 2');
INSERT INTO "sqlite_stat1" VALUES('transitions','transitions_time','1000000 50');
INSERT INTO "sqlite_stat1" VALUES('archive_gone','archive_gone_item','10000 1000 10 1');
INSERT INTO "sqlite_stat1" VALUES('archive_links','sqlite_autoindex_archive_links_1','10000 1000 100 2 1');
INSERT INTO "sqlite_stat1" VALUES('experiences','experiences_settled','1000000 2 1');
CREATE TABLE trajectories (
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
CREATE TABLE transitions (
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
CREATE INDEX memories_fingerprint on memories (tenant, agent, fingerprint);
CREATE INDEX memories_change on memories (tenant, agent, seq);
CREATE INDEX memories_shared on memories (tenant, shared_seq) where shared_seq is not null;
CREATE INDEX memories_chain on memories (superseded_by) where superseded_by is not null;
CREATE INDEX memories_history on memories (tenant, agent, kind, key, updated_at) where key is not null;
CREATE INDEX decisions_agent on decisions (tenant, agent, created_at, id);
CREATE UNIQUE INDEX experiences_decision on experiences (tenant, agent, decision_id) where decision_id is not null;
CREATE INDEX experiences_task on experiences (tenant, agent, task_type, created_at, id);
CREATE INDEX q_values_change on q_values (tenant, agent, task_type, seq);
CREATE INDEX recall_questions_late on recall_questions (tenant, agent, judged, at, id);
CREATE INDEX recall_questions_old on recall_questions (tenant, judged, at);
CREATE INDEX recall_answers_memory on recall_answers (memory_id);
CREATE UNIQUE INDEX memories_key on memories (tenant, agent, key, kind) where key is not null and state = 'active';
CREATE INDEX memories_list on memories (tenant, agent, state, created_at, id);
CREATE INDEX memories_expiry on memories (expires_at, id) where expires_at is not null and state = 'active';
CREATE INDEX memories_archived on memories (tenant, agent, archived_at, id) where state = 'archived';
CREATE VIEW remembered as
select m.*, coalesce(m.expires_at, 9223372036854775807) as until from memories m where m.state <> 'archived';
CREATE INDEX signals_pending on signals (pending_at, memory_id) where pending_at is not null;
CREATE INDEX transitions_memory on transitions (tenant, agent, memory_id);
CREATE INDEX transitions_time on transitions (at);
CREATE INDEX daily_metrics_day on daily_metrics (day);
CREATE INDEX runs_role on runs (role, started_at);
CREATE INDEX alerts_open on alerts (name, subject) where settled_at is null;
CREATE INDEX replies_old on replies (at);
CREATE INDEX archive_gone_item on archive_gone (tenant, agent, id);
CREATE INDEX experiences_settled on experiences (updated_at, id) where reward is not null;
CREATE UNIQUE INDEX policies_live on policies (tenant, agent, task_type) where state = 'live';
CREATE INDEX policy_events_task on policy_events (tenant, task_type, at, id);
CREATE INDEX dreams_time on dreams (requested_at, id);
CREATE VIEW steps as
select e.tenant, e.agent, e.task_type, coalesce(e.decision_id, e.id) as id, e.id as experience_id, e.state, e.state_key,
    null as open_state, e.action, e.reward, e.weight, e.evidence, e.propensity, e.next_state, e.episode, e.task_id,
    d.action as advised_action, d.policy, coalesce(d.created_at, e.created_at) as decided_at, e.updated_at, e.revision
from experiences e left join decisions d on d.tenant = e.tenant and d.agent = e.agent and d.id = e.decision_id
union all
select d.tenant, d.agent, d.task_type, d.id, null, null, null, d.state, d.action, null, 0.0, 'claimed', null, null,
    d.episode, null, d.action, d.policy, d.created_at, d.created_at, 0
from decisions d
where d.episode is not null and not exists (
    select 1 from experiences e where e.tenant = d.tenant and e.agent = d.agent and e.decision_id = d.id);
CREATE INDEX fixes_kept on fixes (tenant, occurred_at, id) where state = 'kept';
CREATE INDEX fixes_issue on fixes (tenant, signature, plan, occurred_at);
CREATE INDEX fixes_plan on fixes (tenant, plan, occurred_at);
CREATE INDEX fixes_session on fixes (tenant, session, signature, agent, visibility) where session is not null;
CREATE INDEX fixes_met on fixes (tenant, signature, session, agent, visibility) where session is not null;
CREATE INDEX signatures_own on signatures (tenant, agent, seq);
CREATE INDEX signatures_shared on signatures (tenant, shared_seq) where shared_seq is not null;
CREATE INDEX fix_tallies_common on fix_tallies (tenant, key, seen) where level = 'target-issue';
CREATE INDEX fix_tallies_target on fix_tallies (tenant, key, solved) where level = 'plan-target';
CREATE INDEX fix_tallies_any on fix_tallies (tenant, key, solved) where level = 'target-plan';
CREATE INDEX fix_tallies_type on fix_tallies (tenant, key, solved) where level = 'plan-type';
CREATE INDEX fix_tallies_agent on fix_tallies (tenant, agent);
CREATE INDEX issue_edits_agent on issue_edits (tenant, agent, at, id);
CREATE UNIQUE INDEX patterns_same on patterns (tenant, agent, fingerprint);
CREATE INDEX patterns_change on patterns (tenant, agent, seq);
CREATE INDEX patterns_shared on patterns (tenant, shared_seq) where shared_seq is not null;
CREATE INDEX patterns_merged on patterns (merged_into) where merged_into is not null;
CREATE INDEX pattern_uses_pattern on pattern_uses (tenant, pattern_id, at, id);
CREATE INDEX pattern_uses_task on pattern_uses (tenant, agent, task_type, at, id);
CREATE INDEX pattern_events_pattern on pattern_events (tenant, pattern_id, id);
CREATE INDEX pattern_events_other on pattern_events (tenant, other_id, id) where other_id is not null;
CREATE INDEX pattern_links_target on pattern_links (tenant, target);
CREATE UNIQUE INDEX trajectories_same on trajectories (tenant, agent, fingerprint);
CREATE INDEX trajectories_time on trajectories (tenant, agent, created_at, id);
CREATE INDEX trajectories_task on trajectories (tenant, agent, task_type, created_at, id);
COMMIT;
