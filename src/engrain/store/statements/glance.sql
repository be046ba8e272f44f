-- What a hook looks at in the blink that it lives: read by store/glance.py, which parses this file alone. So nothing here
-- names a part of another file.

-- The words of the newest of an agent's own items; those of a long item in several rows.
-- name: glance_own
select m.id, coalesce(m.length, p.length) as length, coalesce(m.terms, p.terms) as terms
from remembered m left join passages p
    on p.tenant = m.tenant and p.memory_id = case when m.terms is null then m.id end
where m.tenant = :tenant and m.agent = :agent and m.state = 'active' and m.until > :now
order by m.created_at desc, m.id desc limit :limit;

-- The same of what others share with it.
-- name: glance_shared
select m.id, coalesce(m.length, p.length) as length, coalesce(m.terms, p.terms) as terms
from remembered m left join passages p
    on p.tenant = m.tenant and p.memory_id = case when m.terms is null then m.id end
where m.tenant = :tenant and m.agent <> :agent and m.shared_seq is not null and m.state = 'active'
  and m.until > :now
  and (m.visibility = 'public' or (m.visibility = 'team' and m.agent in (
        select mate.name from agents mate join agents me on me.tenant = mate.tenant and me.team = mate.team
        where mate.tenant = :tenant and me.name = :agent)))
order by m.shared_seq desc, m.id desc limit :limit;

-- name: glance_items
select m.id, m.kind, m.role, m.content, coalesce(m.occurred_at, m.told_at) as at
from remembered m
where m.tenant = :tenant and m.id in (:ids) and m.state = 'active' and m.until > :now
  and (m.agent = :agent or m.visibility = 'public' or (m.visibility = 'team' and m.agent in (
        select mate.name from agents mate join agents me on me.tenant = mate.tenant and me.team = mate.team
        where mate.tenant = :tenant and me.name = :agent)));

-- The latest items whose keys lie between two: those of sessions.
-- name: glance_keys
select m.id, m.kind, m.role, m.content, coalesce(m.occurred_at, m.told_at) as at
from remembered m
where m.tenant = :tenant and m.agent = :agent and m.kind = :kind and m.key >= :first and m.key < :past
  and m.state = 'active' and m.until > :now
order by m.updated_at desc, m.id desc limit :limit;

-- What is pinned, then what matters most.
-- name: glance_best
select m.id, m.kind, m.role, m.content, coalesce(m.occurred_at, m.told_at) as at
from remembered m
where m.tenant = :tenant and m.agent = :agent and m.state = 'active' and m.until > :now
  and (m.key is null or m.key < :first or m.key >= :past)
order by m.pinned desc, m.importance desc, m.updated_at desc, m.id desc limit :limit;

-- The words of the latest issues of an agent, and of what others share.
-- name: glance_issues
select s.id, s.length, s.terms from signatures s
where s.tenant = :tenant and s.agent = :agent order by s.seq desc limit :limit;

-- name: glance_issues_shared
select s.id, s.length, s.terms from signatures s
where s.tenant = :tenant and s.agent <> :agent and s.shared_seq is not null
  and (s.visibility = 'public' or (s.visibility = 'team' and s.agent in (
        select mate.name from agents mate join agents me on me.tenant = mate.tenant and me.team = mate.team
        where mate.tenant = :tenant and me.name = :agent)))
order by s.shared_seq desc limit :limit;

-- What was done about issues, the latest first.
-- name: glance_fixes
select f.plan, f.commands, f.analysis, f.success, f.verified from fixes f
where f.tenant = :tenant and f.signature in (:ids) and f.state = 'kept' and f.effective = 1 and f.success is not null
  and (f.agent = :agent or f.visibility = 'public' or (f.visibility = 'team' and f.agent in (
        select mate.name from agents mate join agents me on me.tenant = mate.tenant and me.team = mate.team
        where mate.tenant = :tenant and me.name = :agent)))
order by f.occurred_at desc, f.id limit :limit;

-- The words of patterns.
-- name: glance_patterns
select p.id, s.length, s.terms
from patterns p join pattern_passages s on s.tenant = p.tenant and s.pattern_id = p.id
where p.tenant = :tenant and p.state = 'active'
  and (p.agent = :agent or p.visibility = 'public' or (p.visibility = 'team' and p.agent in (
        select mate.name from agents mate join agents me on me.tenant = mate.tenant and me.team = mate.team
        where mate.tenant = :tenant and me.name = :agent)))
order by p.updated_at desc, p.id limit :limit;

-- name: glance_pattern_items
select p.id, p.title, p.description, p.content, p.polarity, p.tier, p.good, p.bad, p.lineages from patterns p
where p.tenant = :tenant and p.id in (:ids) and p.state = 'active'
  and (p.agent = :agent or p.visibility = 'public' or (p.visibility = 'team' and p.agent in (
        select mate.name from agents mate join agents me on me.tenant = mate.tenant and me.team = mate.team
        where mate.tenant = :tenant and me.name = :agent)));

-- Those that proved themselves, to begin with.
-- name: glance_proven
select p.id, p.title, p.description, p.content, p.polarity, p.tier, p.good, p.bad, p.lineages from patterns p
where p.tenant = :tenant and p.state = 'active' and p.lineages > 0 and p.good > p.bad
  and (p.agent = :agent or p.visibility = 'public' or (p.visibility = 'team' and p.agent in (
        select mate.name from agents mate join agents me on me.tenant = mate.tenant and me.team = mate.team
        where mate.tenant = :tenant and me.name = :agent)))
order by case when p.tier = 'long' then 0 else 1 end, p.good - p.bad desc, p.id limit :limit;
