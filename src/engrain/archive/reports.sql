-- Reports over the archive and what is live together. Each has its name, what it tells, what its chart
-- counts, and the chart: bars of a label, or columns or lines of a day, made of these values. Parameters: $first and $over are days (the second is not in it any
-- more), $tenant and $agent choose, null for all.
-- name: outcome-by-agent
-- about: How each agent's tasks came out, and the reward that they had on average
-- unit: outcomes
-- chart: bars agent: successes failures unknown
with told as (
    select tenant, agent, success, reward, created_at from experiences
    union all select tenant, agent, success, reward, created_at from live_experiences)
select agent, any_value(tenant) as tenant, count(*) as outcomes, count(*) filter (success) as successes,
    count(*) filter (not success) as failures, count(*) filter (success is null) as unknown,
    round(100.0 * count(*) filter (success) / nullif(count(success), 0), 1) as success_percent,
    round(avg(reward), 3) as mean_reward
from told
where created_at >= cast($first as timestamptz) and created_at < cast($over as timestamptz)
  and ($tenant is null or tenant = $tenant) and ($agent is null or agent = $agent)
group by tenant, agent order by outcomes desc, told.tenant, agent limit 100;

-- name: outcome-trend
-- about: Outcomes by the day on which they were observed
-- unit: outcomes a day
-- chart: columns day: successes failures unknown
with told as (
    select tenant, agent, success, created_at from experiences
    union all select tenant, agent, success, created_at from live_experiences),
days as (select cast(range as date) as day from range(cast($first as timestamp), cast($over as timestamp), interval 1 day)),
chosen as (
    select cast(created_at as date) as day, success from told
    where created_at >= cast($first as timestamptz) and created_at < cast($over as timestamptz)
      and ($tenant is null or tenant = $tenant) and ($agent is null or agent = $agent))
select strftime(days.day, '%Y-%m-%d') as day, count(*) filter (success) as successes,
    count(*) filter (not success) as failures,
    count(chosen.day) - count(success) as unknown,
    round(100.0 * count(*) filter (success) / nullif(count(success), 0), 1) as success_percent
from days left join chosen on chosen.day = days.day
group by days.day order by days.day;

-- name: daily-statistics
-- about: What was remembered, archived, restored and observed on each day
-- unit: a day
-- chart: columns day: remembered archived restored observed
with days as (select cast(range as date) as day from range(cast($first as timestamp), cast($over as timestamp), interval 1 day)),
told as (
    select tenant, agent, told_at as moment, 'remembered' as what from history
    union all select tenant, agent, told_at, 'remembered' from live_memories
    union all select tenant, agent, created_at, 'observed' from experiences
    union all select tenant, agent, created_at, 'observed' from live_experiences
    union all select tenant, agent, happened_at, replace(event, 'memory:', '') from transitions),
chosen as (
    select cast(moment as date) as day, what from told
    where moment >= cast($first as timestamptz) and moment < cast($over as timestamptz)
      and ($tenant is null or tenant = $tenant) and ($agent is null or agent = $agent))
select strftime(days.day, '%Y-%m-%d') as day, count(*) filter (what = 'remembered') as remembered,
    count(*) filter (what = 'archived') as archived, count(*) filter (what = 'restored') as restored,
    count(*) filter (what = 'promoted') as promoted, count(*) filter (what = 'forgotten') as forgotten,
    count(*) filter (what = 'observed') as observed
from days left join chosen on chosen.day = days.day
group by days.day order by days.day;

-- name: kind-distribution
-- about: Memories by kind: those that are live, and those in the archive
-- unit: memories
-- chart: bars kind: live archived
with told as (
    select tenant, agent, kind, importance, true as archived from history
    union all select tenant, agent, kind, importance, state = 'archived' from live_memories)
select kind, count(*) filter (not archived) as live, count(*) filter (archived) as archived,
    round(100.0 * count(*) / sum(count(*)) over (), 1) as percent,
    round(avg(importance) filter (not archived), 2) as live_importance,
    round(avg(importance) filter (archived), 2) as archived_importance
from told where ($tenant is null or tenant = $tenant) and ($agent is null or agent = $agent)
group by kind order by count(*) desc, kind;

-- name: issue-distribution
-- about: What goes wrong: failed outcomes by their error up to the first colon, memories of kind error_pattern by their event_type
-- unit: outcomes and memories
-- chart: bars issue: outcomes memories
with failed as (
    select tenant, agent, outcome, created_at as moment from experiences where not success
    union all select tenant, agent, outcome, created_at from live_experiences where not success),
patterns as (
    select tenant, agent, event_type, told_at as moment from history where kind = 'error_pattern'
    union all select tenant, agent, metadata ->> '$.event_type', told_at from live_memories where kind = 'error_pattern'),
told as (
    select tenant, agent, trim(split_part(outcome ->> '$.error', ':', 1))[:60] as issue, moment, 1 as outcomes, 0 as memories
    from failed
    union all select tenant, agent, event_type, moment, 0, 1 from patterns)
select coalesce(nullif(issue, ''), 'not told') as issue, sum(outcomes) as outcomes, sum(memories) as memories,
    count(distinct agent) as agents, strftime(max(moment), '%Y-%m-%d') as latest
from told
where moment >= cast($first as timestamptz) and moment < cast($over as timestamptz)
  and ($tenant is null or tenant = $tenant) and ($agent is null or agent = $agent)
group by all order by sum(outcomes) + sum(memories) desc, issue limit 50;

-- name: reward-trend
-- about: The reward of each day's outcomes: its mean, and the mean of the seven days up to it
-- unit: reward, -2 to 2
-- chart: lines day: mean_reward seven_days
with told as (
    select tenant, agent, reward, created_at from experiences
    union all select tenant, agent, reward, created_at from live_experiences),
days as (
    select cast(range as date) as day
    from range(cast($first as timestamp) - interval 6 day, cast($over as timestamp), interval 1 day)),
sums as (
    select days.day, sum(reward) as total, count(reward) as n
    from days left join (
        select cast(created_at as date) as day, reward from told
        where created_at >= cast($first as timestamptz) - interval 6 day and created_at < cast($over as timestamptz)
          and ($tenant is null or tenant = $tenant) and ($agent is null or agent = $agent)) one on one.day = days.day
    group by days.day),
week as (
    select day, n, round(total / nullif(n, 0), 3) as mean_reward,
        round(sum(total) over last_days / nullif(sum(n) over last_days, 0), 3) as seven_days
    from sums window last_days as (order by day rows 6 preceding))
select strftime(day, '%Y-%m-%d') as day, n as outcomes, mean_reward, seven_days
from week where day >= cast($first as date) order by week.day;

-- name: decay-and-promotion
-- about: How memories changed their state on each day
-- unit: memories a day
-- chart: columns day: decayed archived promoted restored pruned
with days as (select cast(range as date) as day from range(cast($first as timestamp), cast($over as timestamp), interval 1 day)),
chosen as (
    select cast(happened_at as date) as day, replace(event, 'memory:', '') as what from transitions
    where happened_at >= cast($first as timestamptz) and happened_at < cast($over as timestamptz)
      and ($tenant is null or tenant = $tenant) and ($agent is null or agent = $agent))
select strftime(days.day, '%Y-%m-%d') as day, count(*) filter (what = 'decayed') as decayed,
    count(*) filter (what = 'revived') as revived, count(*) filter (what = 'expired') as expired,
    count(*) filter (what = 'archived') as archived, count(*) filter (what = 'restored') as restored,
    count(*) filter (what = 'promoted') as promoted, count(*) filter (what = 'pruned') as pruned
from days left join chosen on chosen.day = days.day
group by days.day order by days.day;

-- name: storage-growth
-- about: Megabytes of content at the end of each day: in the store, on days that were measured, and in the archive
-- unit: MB of content
-- chart: lines day: store_mb archive_mb
with days as (select cast(range as date) as day from range(cast($first as timestamp), cast($over as timestamp), interval 1 day)),
store as (
    select cast(day as date) as day, sum(memories) as memories, sum(bytes) as bytes from daily_metrics
    where ($tenant is null or tenant = $tenant) and ($agent is null or agent = $agent) group by all),
filed as (
    select cast(archived_at as date) as day, count(*) as n, sum(strlen(content)) as bytes from history
    where archived_at < cast($over as timestamptz)
      and ($tenant is null or tenant = $tenant) and ($agent is null or agent = $agent)
    group by all),
grown as (
    select days.day, coalesce(sum(filed.n), 0) as n, coalesce(sum(filed.bytes), 0) as bytes
    from days left join filed on filed.day <= days.day group by days.day)
select strftime(grown.day, '%Y-%m-%d') as day, store.memories as store_memories, grown.n as archive_memories,
    round(store.bytes / 1e6, 3) as store_mb, round(grown.bytes / 1e6, 3) as archive_mb
from grown left join store on store.day = grown.day order by grown.day;
