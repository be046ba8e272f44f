"""Daily figures of every agent's memories by kind, and of the whole home: measured once a day, read as a series.

What a day moved (expired, archived, promoted) is logged, so it can be told afterwards of days on which nobody measured;
what there was at the end of a day is known only when somebody looked then. Such a day stays unmeasured.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engrain.lifecycle.alerts import alerts, raise_alerts, settle_alerts
from engrain.model.fading import DAY
from engrain.store.port import Row, Store
from engrain.world import World, from_micros

BATCH = 500  # rows of one transaction
KEPT = 400  # days
FLOWS = {"memory:expired": "expired", "memory:archived": "archived", "memory:promoted": "promoted"}
STOCK = ("memories", "importance", "bytes", "uses")
COUNTS = ("memories", "bytes", "uses", "accesses", *FLOWS.values())
HOME = "*"  # the tenant, agent and kind of a day's totals
GROWTH = "growth"


def day_name(day: int) -> str:
    """The day with that number since 1970, as YYYY-MM-DD."""
    return from_micros(day * DAY).strftime("%Y-%m-%d")


def measure(store: Store, world: World, *, most: int, dry: bool, stop: Callable[[], bool]) -> dict[str, Any]:
    """Measure the last day that is over (UTC), unless that was done; what is there is counted now. Goes from agent to
    agent, so that nobody waits for it, and can be stopped between two: the next run goes on. An agent that has more
    than ``most`` memories raises an alert. Returns the day and its totals."""
    now = world.now()
    day = now // DAY - 1
    name = day_name(day)
    created = int(store.read("home_get", {"name": "created_at"})[0]["value"])
    if day < created // DAY:
        return {"day": None}
    if any(row["day"] == name for row in store.read("metric_totals", {"since": name})):
        return {"day": name, "measured": "before"}
    flows = _flows(store, day)
    before = _last_measured(store, name)
    totals: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    large: dict[str, str] = {}
    longest = 0.0
    agents = [(row["tenant"], row["name"]) for row in store.read("agent_names")]
    for tenant, agent in agents:
        if stop():
            return {"day": name, "unfinished": True}
        mine = list(_agent(store, tenant, agent, now, flows.get((tenant, agent), {}), before))
        held = sum(one["memories"] for one in mine)
        if held > most:
            large[f"{tenant}/{agent}"] = f"has {held:,} memories, more than {most:,}"
        for one in mine:
            rows.append({"tenant": tenant, "agent": agent, "day": name, "made_at": now, **one})
            totals.update({key: one[key] for key in COUNTS})
        if len(rows) >= BATCH and not dry:
            longest = max(longest, _put(store, rows))
            rows = []
    found = {"day": name, "agents": len(agents), "large": len(large), **totals}
    if dry:
        return found
    longest = max(longest, _put(store, rows))
    sums = _by_day(store, day, {"tenant": None, "agent": None}).get(
        name, {**dict.fromkeys(COUNTS, 0), "importance": None}
    )
    with store.transaction(HOME) as tx:
        whole = {"tenant": HOME, "agent": HOME, "kind": HOME, "made_at": now, **sums, "day": name}
        tx.run_many("metric_put", [whole])
        over = [one.subject for one in alerts(store, now) if one.name == GROWTH and one.subject not in large]
        settle_alerts(tx, world, GROWTH, over)
        raise_alerts(tx, world, GROWTH, large)
    while store.write([("metric_trim", {"before": day_name(day - KEPT)})])[0]:
        pass
    return {**found, "held_ms": round(longest * 1000, 1)}


def _put(store: Store, rows: list[dict[str, Any]]) -> float:
    """Keep rows; the seconds for which the write lock was held."""
    with store.transaction(HOME) as tx:
        begun = time.perf_counter()
        tx.run_many("metric_put", rows)
    return time.perf_counter() - begun


def _flows(store: Store, day: int) -> dict[tuple[str, str], dict[str, dict[str, int]]]:
    """(tenant, agent) → kind → what was logged of it that day."""
    found: dict[tuple[str, str], dict[str, dict[str, int]]] = {}
    for row in store.read("transition_kinds", {"since": day * DAY, "until": (day + 1) * DAY}):
        if row["event"] in FLOWS:
            kind = found.setdefault((row["tenant"], row["agent"]), {}).setdefault(row["kind"], {})
            kind[FLOWS[row["event"]]] = int(row["n"])
    return found


def _last_measured(store: Store, name: str) -> str | None:
    """The latest day before this one that was measured."""
    return max((row["day"] for row in store.read("metric_totals", {"since": ""}) if row["day"] < name), default=None)


def _agent(
    store: Store, tenant: str, agent: str, now: int, flows: Mapping[str, Mapping[str, int]], before: str | None
) -> Iterator[dict[str, Any]]:
    """What there is of each kind. Accesses are the uses since the last measured day, as far as what was used is still
    there."""
    who = {"tenant": tenant, "agent": agent}
    used = {row["kind"]: row["uses"] for row in store.read("metric_kinds", {**who, "day": before})} if before else {}
    there = {row["kind"]: row for row in store.read("metric_measure", {**who, "now": now})}
    for kind in sorted({*there, *flows}):
        row = there.get(kind)
        stock = {name: row[name] if name == "importance" else int(row[name]) for name in STOCK} if row else None
        one = stock or {"memories": 0, "importance": None, "bytes": 0, "uses": 0}
        logged = {name: flows.get(kind, {}).get(name, 0) for name in FLOWS.values()}
        yield {"kind": kind, **one, "accesses": max(0, one["uses"] - int(used.get(kind, 0))), **logged}


def figures(store: Store, now: int, days: int, tenant: str | None = None, agent: str | None = None) -> dict[str, Any]:
    """The last ``days`` days that are over, oldest first, and each agent's kinds as they were on the latest that was
    measured, or now when none was. What is not known of a day is None. See ``Memory.metrics``."""
    over = now // DAY
    begun = int(store.read("home_get", {"name": "created_at"})[0]["value"]) // DAY
    first = max(over - days, min(begun, over))
    who = {"tenant": tenant, "agent": agent}
    measured = {row["day"]: row for row in store.read("metric_totals", {"since": day_name(first - 1)})}
    own = measured if tenant is agent is None else _by_day(store, first, who)
    missed = [number for number in range(first, over) if day_name(number) not in measured]
    logged = moved(store, missed[0], missed[-1] + 1, who) if missed else {}
    series: list[dict[str, Any]] = []
    accesses: list[int] = []
    for number in range(first, over):
        name = day_name(number)
        if name not in measured:
            flows = {word: logged.get(number, {}).get(event, 0) for event, word in FLOWS.items()}
            series.append({"day": name, **dict.fromkeys((*STOCK, "accesses")), **flows})
            continue
        nothing: dict[str, Any] = {**dict.fromkeys(COUNTS, 0), "importance": None}
        one = _plain(own[name]) if name in own else nothing
        accesses.append(one["accesses"])
        if number > begun and day_name(number - 1) not in measured:
            one["accesses"] = None  # those of several days
        series.append({"day": name, **one})
    last = next((one["day"] for one in reversed(series) if one["memories"] is not None), None)
    latest = (
        [_plain(row) for row in store.read("metric_agents", {"day": last, **who})] if last else _live(store, now, who)
    )
    moves = {name: sum(one[name] for one in series) for name in FLOWS.values()}
    return {
        "days": days,
        "measured": last,
        "totals": {**_together(latest), "accesses": sum(accesses), **moves},
        "series": series,
        "agents": latest,
    }


def _by_day(store: Store, first: int, who: Mapping[str, str | None]) -> dict[str, Mapping[str, Any]]:
    rows = [_plain(row) for row in store.read("metric_days", {"since": day_name(first), **who})]
    for one in rows:
        weight = one.pop("weight")
        one["importance"] = weight / one["memories"] if one["memories"] else None
    return {one["day"]: one for one in rows}


def _live(store: Store, now: int, who: Mapping[str, str | None]) -> list[dict[str, Any]]:
    agents = [{"tenant": row["tenant"], "agent": row["name"]} for row in store.read("agent_names")]
    chosen = [one for one in agents if all(who[name] in (None, one[name]) for name in who)]
    return [{**one, **kind} for one in chosen for kind in _agent(store, one["tenant"], one["agent"], now, {}, None)]


def moved(store: Store, first: int, over: int, who: Mapping[str, str | None]) -> dict[int, dict[str, int]]:
    """What was logged from day ``first`` to before day ``over``: day → event → how often."""
    found: dict[int, dict[str, int]] = {}
    for row in store.read("transition_days", {"since": first * DAY, "until": over * DAY, **who}):
        found.setdefault(int(row["day"]), {})[row["event"]] = int(row["n"])
    return found


def _plain(row: Row | Mapping[str, Any]) -> dict[str, Any]:
    """A row's columns; the server sums to its own type of number."""
    return {name: int(row[name]) if name in COUNTS else row[name] for name in row.keys()}  # noqa: SIM118


def _together(latest: list[dict[str, Any]]) -> dict[str, Any]:
    """What all agents have of every kind."""
    held = sum(one["memories"] for one in latest)
    weight = sum(one["memories"] * (one["importance"] or 0.0) for one in latest)
    counts = {name: sum(one[name] for one in latest) for name in ("bytes", "uses")}
    return {"memories": held, "importance": weight / held if held else None, **counts}
