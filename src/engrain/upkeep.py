"""Looking after a home: first set-up, counts, examination, the canary, and making derived state anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engrain.config import Config
from engrain.errors import EngrainError, InvalidField
from engrain.intake import validate
from engrain.intake.revise import FEEDBACK
from engrain.intake.writer import Indexer
from engrain.model.decision import Outcome
from engrain.model.report import Check, Report, counted
from engrain.reindex import reindex, stale, wanted
from engrain.store.changes import SHARED, bump
from engrain.store.port import Store
from engrain.world import World

if TYPE_CHECKING:
    from engrain.learn.learner import Learner
    from engrain.patterns.bank import Bank
    from engrain.recall.embed import Embedder

_PURGES = (
    "recall_questions",
    "adapters",
    "echoes",
    "signals",
    "passages",
    "memories",
    "kv",
    "decisions",
    "experiences",
    "q_values",
    "drifts",
    "drift_tracks",
    "policies",
    "policy_events",
    "dream_marks",
    "dream_findings",
    "transitions",
    "daily_metrics",
    "issue_edits",
    "fix_tallies",
    "fix_plans",
    "signatures",
    "fixes",
    "trajectories",
    "patterns",
    "agents",
    "scopes",
)


LIFE = 5  # the schema that has a lifecycle


def prepare(store: Store, world: World, embedder: str) -> None:
    """Migrate, and note in a new home what made it. A home that engrain creates has its lifecycle on; one upgraded from
    before the switch existed has it off until asked, also when it had been taken back to there. A home without these
    facts was left half made by a crash."""
    created = store.schema()[0] == 0 or not store.read("home_get", {"name": "created_at"})
    if LIFE in store.migrate() and not created:
        store.write([("home_set", {"name": "lifecycle", "value": "off"})])
    facts = {"created_at": str(world.now()), "embedder": embedder, "lifecycle": "on" if created else "off"}
    store.write([("home_claim", {"name": name, "value": value}) for name, value in facts.items()])


def count_opening(store: Store) -> int:
    """How often the home was opened by worlds that must not repeat themselves."""
    with store.transaction("*") as tx:
        return int(tx.read("home_count", {"name": "openings"})[0]["value"])


def join_team(store: Store, tenant: str, agent: str, team: str, now: int) -> None:
    """Put an agent in a team. What it shares with its team moves along, so the tenant's shared scope has changed."""
    with store.transaction(tenant) as tx:
        tx.run("agent_register", {"tenant": tenant, "agent": agent, "team": team, "now": now})
        bump(tx, tenant, SHARED)


def outside(store: Store, home: Path, config: Config, path: str | os.PathLike[str]) -> Path:
    """The path, to which something may be written. Raises InvalidField when that would replace a part of the store or
    of its archive."""
    path = validate.path(path)
    target = path.resolve()
    kept = str(target).startswith(str(Path(store.describe()["location"]).resolve()))
    if kept or (config.archive != "none" and target.is_relative_to((home / config.archive).resolve())):
        raise InvalidField(f"{path} is a part of the memory itself; choose another name.")
    return path


def stats(store: Store, home: Path, config: Config) -> dict[str, Any]:
    """Counts as plain JSON values."""
    memories = [_plain(row) for row in store.read("stat_memories")]
    experiences = [_plain(row) for row in store.read("stat_experiences")]
    decisions = [_plain(row) for row in store.read("stat_decisions")]
    cold = {row["kind"]: row for row in store.read("archive_stats")}
    left = {kind: int(cold[kind]["n"]) if kind in cold else 0 for kind in ("memories", "experiences")}
    kinds: dict[str, int] = {}
    for row in memories:
        if row["state"] == "active":
            kinds[row["kind"]] = kinds.get(row["kind"], 0) + row["n"]
    return {
        "home": str(home),
        "store": dict(store.describe()),
        "schema": store.schema()[0],
        "embedder": config.embedder,
        "agents": len({(row["tenant"], row["agent"]) for row in (*memories, *experiences, *decisions)}),
        "memories": {
            "active": sum(row["n"] for row in memories if row["state"] == "active"),
            "superseded": sum(row["n"] for row in memories if row["state"] == "superseded"),
            "archived": sum(row["n"] for row in memories if row["state"] == "archived") + left["memories"],
            "characters": sum(row["characters"] or 0 for row in memories),
            "by_kind": kinds,
        },
        "decisions": {
            "total": sum(row["n"] for row in decisions),
            **{
                mode: sum(row["n"] for row in decisions if row["mode"] == mode)
                for mode in ("advised", "explored", "abstained")
            },
        },
        "experiences": {
            "total": sum(row["n"] for row in experiences),
            "unknown": sum(row["unknown"] for row in experiences),
            **{
                tier: sum(row["n"] for row in experiences if row["evidence"] == tier)
                for tier in ("claimed", "executed", "verified")
            },
        },
        "archive": {**left, "bytes": sum(int(row["bytes"]) for row in cold.values())},
        "task_types": experiences,
        "adapted": {
            row["tenant"]: {"on": bool(row["in_force"]), "examples": row["examples"], "gain": row["gain"]}
            for row in store.read("adapter_list")
        },
    }


def _plain(row: Any) -> dict[str, Any]:
    values = {name: row[name] for name in row.keys()}  # noqa: SIM118 (rows are not dicts)
    return {
        name: int(v) if name in ("n", "unknown", "successes", "characters") and v is not None else v
        for name, v in values.items()
    }


def examine(store: Store, embedder: Embedder) -> Report:
    """Everything that can be checked without changing anything."""
    from engrain.fixes.rebuild import check as fixes_in_step
    from engrain.recall.traces import unreadable

    checks = []
    have, need = store.schema()
    checks.append(Check("schema", have == need, f"version {have}, this engrain needs {need}"))
    problems = store.check()
    checks.append(Check("integrity", not problems, "; ".join(problems[:5]) or "no damage found"))
    if problems:
        return Report(tuple(checks))  # what a damaged file would say of the rest is not worth reading
    for name, statement, advice in (
        ("orphan passages", "orphan_passages", "run engrain rebuild"),
        ("unindexed memories", "unindexed_memories", "run engrain rebuild"),
        ("experiences without their decision", "orphan_experiences", "their outcomes still teach"),
    ):
        found = int(store.read(statement)[0]["n"])
        checks.append(Check(name, found == 0, f"{found}: {advice}" if found else "none"))
    checks.extend(_indexed(store, embedder))
    checks.append(fixes_in_step(store, wanted(embedder.name, embedder.dim)))
    checks.append(_sound(store))
    left = int(store.read("pattern_unindexed", wanted(embedder.name, embedder.dim))[0]["n"])
    told = f"{counted(left, 'pattern is', 'patterns are')} found by words alone, if at all: run engrain rebuild"
    checks.append(Check("patterns", not left, told if left else "every pattern is found"))
    adapters = store.read("adapter_list")
    on = sum(row["in_force"] for row in adapters)
    told = f"on for {on} of {counted(len(adapters), 'tenant')} that gave feedback" if adapters else "no feedback yet"
    bad = sum(unreadable(store, row["tenant"]) for row in adapters)
    checks.append(
        Check("adapted recall", not bad, f"{bad} cannot be read and will be learned anew when used" if bad else told)
    )
    return Report(tuple(checks))


def _indexed(store: Store, embedder: Embedder) -> list[Check]:
    """Is every passage of the embedder in use and of this analyser?"""
    made_with = wanted(embedder.name, embedder.dim)
    rows = store.read("stat_passages")
    others = sorted({str(row["embedder"]) for row in rows} - {embedder.name})
    foreign = sum(row["n"] for row in rows if row["embedder"] != embedder.name)
    left = stale(store, made_with)
    old = sum(row["n"] for row in rows if row["analyzer"] != made_with["analyzer"])
    by_words = counted(left, "memory is found by its", "memories are found by their") + " words alone"
    advice = f"until engrain rebuild is run, {by_words}"
    if foreign:
        meaning = f"{counted(foreign, 'passage has', 'passages have')} vectors of {', '.join(others)}, while "
        meaning += f"{embedder.name} is in use; {advice}"
    elif left and not old:
        meaning = f"vectors have another length than the {embedder.dim} of {embedder.name}, or are missing; {advice}"
    else:
        meaning = ""
    words = f"{counted(old, 'passage was', 'passages were')} analysed by another version than {made_with['analyzer']}: "
    words += "run engrain rebuild"
    return [
        Check("embedder", not meaning, meaning or f"every vector is of {embedder.name}"),
        Check("words", not old, words if old else f"every passage was analysed by {made_with['analyzer']}"),
    ]


def _sound(store: Store) -> Check:
    """Can every item and passage be what it says?"""
    from engrain.recall.damage import everywhere

    found = list(everywhere(store))
    told = "; ".join(f"{what} of {id_}: {advice}" for id_, what, advice in found[:5])
    return Check("damaged memories", not found, f"{len(found):,}: {told}" if found else "none")


def canary(again: Callable[[], Any]) -> tuple[Check, ...]:
    """Does the loop live? In a throw-away tenant of the real store: something told is found, and outcomes recorded
    change a later decision, each after the store was closed and opened again."""
    options, state = ["canary-a", "canary-b"], {"canary": True}
    tenant = ""
    try:
        with again() as first:
            tenant = f"canary-{first.world.new_id()}"
            agent = first.agent("canary", tenant=tenant)
            phrase = "the canary sings when the upload of quarterly figures is retried"
            item = agent.remember(phrase)
            before = agent.advise("canary", state=state, options=options).distribution
            for action, success in (("canary-a", False), ("canary-b", True)) * 8:
                agent.observe_step("canary", state, action, Outcome(success=success, evidence="verified"))
        with again() as second:
            agent = second.agent("canary", tenant=tenant)
            hits = agent.recall("retry the upload of figures", limit=1)
            advice = agent.advise("canary", state=state, options=options)
        found = bool(hits) and hits[0].item.id == item.id
        shift = advice.distribution["canary-b"] - before["canary-b"]
        learned = shift > 0.1 and advice.visits > 0
        return (
            Check("canary: memory", found, f"what was told is {'found' if found else 'lost'} after a restart"),
            Check(
                "canary: learning",
                learned,
                f"outcomes moved the better option from {before['canary-b']:.2f} to {before['canary-b'] + shift:.2f}",
            ),
        )
    except EngrainError as error:
        return (Check("canary", False, f"the loop broke: {error}"),)
    finally:
        if tenant:
            with again() as last:
                purge_tenant(last.store, tenant)


def purge_tenant(store: Store, tenant: str) -> None:
    """Delete every row of a tenant."""
    with store.transaction(tenant) as tx:
        bump(tx, tenant, FEEDBACK)
        for table in _PURGES:
            tx.run("q_clear" if table == "q_values" else f"purge_{table}", {"tenant": tenant})
    store.scrub()


def rebuild(
    store: Store,
    index: Indexer,
    learner: Learner,
    bank: Bank,
    embedder: Embedder,
    progress: Callable[[int], Any] | None,
) -> dict[str, int]:
    """Make words and vectors anew (see ``reindex``), then Q-values, what is known of fixes and what is believed of
    patterns; note the embedder as the home's own. ``tenants``: those for which something was learned."""
    from engrain.fixes.rebuild import rebuild as rebuild_fixes

    made_with = wanted(embedder.name, embedder.dim)
    counts = reindex(store, index, made_with, progress)
    tenants = [row["tenant"] for row in store.read("tenant_list")]
    used = [learner.rebuild(tenant) for tenant in tenants]
    counts["patterns"] = sum(bank.rebuild(tenant, made_with) for tenant in tenants)
    store.write([("home_set", {"name": "embedder", "value": embedder.name})])
    fixes = rebuild_fixes(store, index)
    return {**counts, "tenants": sum(n > 0 for n in used), **({"fixes": fixes} if fixes else {})}


def report_dict(report: Report) -> dict[str, Any]:
    """A report as plain JSON values."""
    return {"ok": report.ok, "checks": [asdict(check) for check in report.checks]}
