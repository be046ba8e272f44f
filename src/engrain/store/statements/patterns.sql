-- The pattern bank. A pattern is seen by its agent, by the team of its agent (:mates) when it is shared with it, and by the
-- whole tenant when it is public.

-- name: pattern_insert
insert into patterns (id, tenant, agent, fingerprint, title, description, content, template, kind, polarity, framework,
    language, domain, tags, task_type, tier, state, foundation, visibility, provenance, merged_into, held, created_at,
    updated_at, seq, shared_seq)
values (:id, :tenant, :agent, :fingerprint, :title, :description, :content, :template, :kind, :polarity, :framework,
    :language, :domain, :tags, :task_type, :tier, :state, :foundation, :visibility, :provenance, :merged_into, :held,
    :created_at, :updated_at, :seq, :shared_seq);

-- name: pattern_same
select * from patterns where tenant = :tenant and agent = :agent and fingerprint = :fingerprint;

-- name: pattern_get
select p.* from patterns p where p.tenant = :tenant and p.id in (:ids)
  and (p.agent = :agent or p.visibility = 'public' or (p.visibility = 'team' and p.agent in (:mates)));

-- One's own, to change it.
-- name: pattern_own
select * from patterns where tenant = :tenant and agent = :agent and id = :id;

-- Patterns that are merged into others, of which these are the last.
-- name: pattern_parts
-- scope: tenant
select id, merged_into from patterns where tenant = :tenant and merged_into in (:ids);

-- name: pattern_put
update patterns set fingerprint = :fingerprint, title = :title, description = :description, content = :content,
    template = :template, kind = :kind, polarity = :polarity, framework = :framework, language = :language,
    domain = :domain, tags = :tags, task_type = :task_type, tier = :tier, state = :state, foundation = :foundation,
    visibility = :visibility, provenance = :provenance, merged_into = :merged_into, held = :held,
    updated_at = :updated_at, seq = :seq, shared_seq = :shared_seq
where id = :id and tenant = :tenant and agent = :agent;

-- What its uses say of a pattern.
-- name: pattern_believe
update patterns set good = :good, bad = :bad, lineages = :lineages, sure = :sure, applied = :applied,
    helpful = :helpful, unhelpful = :unhelpful, contrast = :contrast, contrast_low = :contrast_low,
    contrast_high = :contrast_high, last_used_at = :last_used_at
where id = :id and tenant = :tenant and agent = :agent;

-- name: pattern_show
-- scope: tenant
update patterns set shown = shown + :n where tenant = :tenant and id = :id;

-- name: pattern_count
select p.kind, p.tier, p.state, p.polarity, p.foundation, count(*) as n, sum(p.applied) as applied,
    sum(p.helpful) as helpful, sum(p.unhelpful) as unhelpful, sum(p.shown) as shown,
    sum(case when p.applied = 0 and p.helpful = 0 and p.unhelpful = 0 then 1 else 0 end) as unused
from patterns p
where p.tenant = :tenant
  and (p.agent = :agent or p.visibility = 'public' or (p.visibility = 'team' and p.agent in (:mates)))
group by p.kind, p.tier, p.state, p.polarity, p.foundation order by p.kind, p.tier, p.state, p.polarity, p.foundation;

-- What has changed of one's own, with words and vectors.
-- name: pattern_changes
select p.id, p.agent, p.state, p.visibility, p.kind, p.tags, p.created_at, p.seq, p.polarity, p.framework, p.language,
    p.domain, p.task_type, p.tier, s.number, s.length, s.terms, s.vector, s.scale, s.embedder, s.analyzer
from patterns p left join pattern_passages s on s.tenant = p.tenant and s.pattern_id = p.id
where p.tenant = :tenant and p.agent = :agent and p.seq > :seq
order by p.seq, p.id, s.number;

-- The same for what others share, or shared once.
-- name: pattern_shared_changes
select p.id, p.agent, p.state, p.visibility, p.kind, p.tags, p.created_at, p.shared_seq as seq, p.polarity, p.framework,
    p.language, p.domain, p.task_type, p.tier, s.number, s.length, s.terms, s.vector, s.scale, s.embedder, s.analyzer
from patterns p left join pattern_passages s on s.tenant = p.tenant and s.pattern_id = p.id
where p.tenant = :tenant and p.agent <> :agent and p.shared_seq > :seq
order by p.shared_seq, p.id, s.number;

-- name: pattern_passage_delete
-- scope: tenant
delete from pattern_passages where tenant = :tenant and pattern_id = :id;

-- name: pattern_passage_insert
insert into pattern_passages (pattern_id, tenant, number, length, terms, vector, scale, embedder, analyzer)
values (:id, :tenant, :number, :length, :terms, :vector, :scale, :embedder, :analyzer);

-- The scope of an agent's patterns, held until the transaction ends: who changes or uses one waits for the others.
-- name: scope_hold
select seq from scopes where tenant = :tenant and name = :name;

-- name: scope_hold
-- engine: postgres
select seq from scopes where tenant = :tenant and name = :name for update;

-- name: pattern_use_insert
insert into pattern_uses (id, tenant, agent, pattern_id, stage, success, evidence, weight, lineage, source, task_type,
    state, state_key, task_id, at)
values (:id, :tenant, :agent, :pattern_id, :stage, :success, :evidence, :weight, :lineage, :source, :task_type,
    :state, :state_key, :task_id, :now);

-- One that came from a file: kept unless it is there.
-- name: pattern_use_take
insert into pattern_uses (id, tenant, agent, pattern_id, stage, success, evidence, weight, lineage, source, task_type,
    state, state_key, task_id, at)
values (:id, :tenant, :agent, :pattern_id, :stage, :success, :evidence, :weight, :lineage, :source, :task_type,
    :state, :state_key, :task_id, :at)
on conflict (id) do nothing;

-- The uses of a pattern and of what is merged into it, whoever used it.
-- name: pattern_use_list
-- scope: tenant
select id, agent, pattern_id, stage, success, evidence, weight, lineage, source, task_type, state, task_id, at
from pattern_uses where tenant = :tenant and pattern_id in (:ids) order by at desc, id desc limit :limit;

-- name: pattern_use_counts
-- scope: tenant
select count(case when stage = 'applied' then 1 end) as applied,
    count(case when stage = 'helpful' and success = 1 then 1 end) as helpful,
    count(case when stage = 'helpful' and success = 0 then 1 end) as unhelpful, max(at) as last_used_at
from pattern_uses where tenant = :tenant and pattern_id in (:ids);

-- Outcomes of an agent's tasks of one type, the latest first: what its patterns' uses came to, and what it observed.
-- name: pattern_case_uses
select pattern_id, success, state, task_id, lineage from pattern_uses
where tenant = :tenant and agent = :agent and task_type = :task_type and success is not null and evidence <> 'claimed'
order by at desc, id desc limit :limit;

-- name: pattern_case_experiences
select id, success, state, coalesce(task_id, episode) as task_id from experiences
where tenant = :tenant and agent = :agent and task_type = :task_type and success is not null and evidence <> 'claimed'
order by created_at desc, id desc limit :limit;

-- name: pattern_voice_add
insert into pattern_voices (tenant, pattern_id, lineage, task_type, claimed, good, bad)
values (:tenant, :pattern_id, :lineage, :task_type, :claimed, :good, :bad)
on conflict (tenant, pattern_id, lineage, task_type) do update set good = pattern_voices.good + excluded.good,
    bad = pattern_voices.bad + excluded.bad;

-- Each voice of a pattern, and of what is merged into it, counts at most :most.
-- name: pattern_voice_sum
-- scope: tenant
select coalesce(sum(good / case when good + bad > :most then (good + bad) / :most else 1 end), 0) as good,
    coalesce(sum(bad / case when good + bad > :most then (good + bad) / :most else 1 end), 0) as bad,
    count(*) as lineages, coalesce(sum(1 - claimed), 0) as sure
from (select v.lineage, max(v.claimed) as claimed, sum(v.good) as good, sum(v.bad) as bad from pattern_voices v
    where v.tenant = :tenant and v.pattern_id in (:ids) group by v.lineage) one
where good + bad > 0;

-- The same of one task type, for each of many patterns.
-- name: pattern_voice_task
-- scope: tenant
select pattern_id, coalesce(sum(good / case when good + bad > :most then (good + bad) / :most else 1 end), 0) as good,
    coalesce(sum(bad / case when good + bad > :most then (good + bad) / :most else 1 end), 0) as bad
from pattern_voices where tenant = :tenant and pattern_id in (:ids) and task_type = :task_type and good + bad > 0
group by pattern_id;

-- name: pattern_voice_clear
-- scope: tenant
delete from pattern_voices where tenant = :tenant and pattern_id = :id;

-- name: pattern_voice_forget
-- scope: tenant
delete from pattern_voices where tenant = :tenant;

-- name: pattern_event_insert
insert into pattern_events (id, tenant, agent, pattern_id, other_id, at, event, reason, actor, undo, before, detail)
values (:id, :tenant, :agent, :pattern_id, :other_id, :now, :event, :reason, :actor, :undo, :before, :detail);

-- name: pattern_event_list
-- scope: tenant
select id, pattern_id, other_id, at, event, reason, actor, undo, detail, undone_at from pattern_events
where tenant = :tenant and pattern_id = :id
union
select id, pattern_id, other_id, at, event, reason, actor, undo, detail, undone_at from pattern_events
where tenant = :tenant and other_id = :id
order by at desc, id desc limit :limit;

-- When the last thing was done to patterns: the next one is later.
-- name: pattern_event_times
-- scope: tenant
select max(at) as at from pattern_events where tenant = :tenant and pattern_id in (:ids)
union select max(at) as at from pattern_events where tenant = :tenant and other_id in (:ids);

-- The latest that can be taken back.
-- name: pattern_event_last
select * from pattern_events
where tenant = :tenant and agent = :agent and pattern_id = :id and undo = 1 and undone_at is null
union
select * from pattern_events
where tenant = :tenant and agent = :agent and other_id = :id and undo = 1 and undone_at is null
order by at desc, id desc limit 1;

-- name: pattern_event_undone
update pattern_events set undone_at = :now where id = :id and tenant = :tenant and agent = :agent;

-- name: pattern_link_put
insert into pattern_links (tenant, agent, source, target, kind, weight, made_at)
values (:tenant, :agent, :source, :target, :kind, :weight, :now)
on conflict (tenant, source, target, kind) do update set weight = excluded.weight;

-- name: pattern_link_drop
-- scope: tenant
delete from pattern_links where tenant = :tenant and source = :source and target = :target and kind = :kind;

-- Links found by likeness go when the words change; what somebody said stays.
-- name: pattern_link_clear
-- scope: tenant
delete from pattern_links where tenant = :tenant and (source = :id or target = :id)
  and kind in ('similar', 'duplicate', 'contradicts');

-- name: pattern_link_list
-- scope: tenant
select source, target, kind, weight from pattern_links
where tenant = :tenant and source in (:ids)
union
select source, target, kind, weight from pattern_links where tenant = :tenant and target in (:ids)
order by kind, weight desc, source, target;

-- name: pattern_all
-- scope: tenant
select * from patterns where tenant = :tenant and id > :after order by id limit :limit;

-- name: pattern_stale
-- scope: tenant
select p.* from patterns p where p.tenant = :tenant and p.id > :after and not exists (
    select 1 from pattern_passages s where s.tenant = p.tenant and s.pattern_id = p.id and s.embedder = :embedder
        and s.analyzer = :analyzer and (s.vector is null or length(s.vector) = :dim))
order by p.id limit :limit;

-- name: pattern_unindexed
-- scope: admin
select count(*) as n from patterns p where not exists (
    select 1 from pattern_passages s where s.pattern_id = p.id and s.embedder = :embedder and s.analyzer = :analyzer
        and (s.vector is null or length(s.vector) = :dim));

-- name: pattern_use_all
-- scope: tenant
select id, pattern_id, lineage, success, evidence, weight, task_type from pattern_uses
where tenant = :tenant and id > :after order by id limit :limit;

-- Whose patterns there are, and whose this agent used; whose one is.
-- name: pattern_owners
-- scope: tenant
select distinct agent from patterns where tenant = :tenant order by agent;

-- name: pattern_used_of
select distinct p.agent from patterns p join pattern_uses u on u.tenant = p.tenant and u.pattern_id = p.id
where p.tenant = :tenant and u.agent = :agent order by p.agent;

-- name: pattern_owner
-- scope: tenant
select agent from patterns where tenant = :tenant and id = :id;

-- name: pattern_used_by
select distinct pattern_id from pattern_uses where tenant = :tenant and agent = :agent;

-- name: erase_patterns
delete from patterns where tenant = :tenant and agent = :agent;
-- name: erase_pattern_uses
delete from pattern_uses where tenant = :tenant and agent = :agent;
-- name: erase_pattern_links
delete from pattern_links where tenant = :tenant and agent = :agent;
-- name: erase_trajectories
delete from trajectories where tenant = :tenant and agent = :agent;
-- name: purge_trajectories
-- scope: tenant
delete from trajectories where tenant = :tenant;
-- name: purge_patterns
-- scope: tenant
delete from patterns where tenant = :tenant;
