"""Going round the agents of a home: looking for patterns, then bringing them in order. A round stops between agents
when it is asked to, and goes on after the one at which it was."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from engrain.model.distill import PatternChange, PatternReport
from engrain.model.scope import Scope
from engrain.patterns.consolidate import Consolidator
from engrain.patterns.drafts import Wording
from engrain.patterns.finder import Finder
from engrain.store.port import Store
from engrain.store.rows import to_json

Stop = Callable[[], bool]


def never() -> bool:
    """Go on."""
    return False


def scopes(store: Store, statement: str, tenant: str | None = None, agent: str | None = None) -> Iterator[Scope]:
    """The agents that a statement names, of all tenants or one, in order."""
    names = [row["tenant"] for row in store.read("tenant_list")] if tenant is None else [tenant]
    for name in sorted(names):
        for row in store.read(statement, {"tenant": name}):
            if agent is None or row["agent"] == agent:
                yield Scope(name, row["agent"])


def discovered(
    store: Store,
    finder: Finder,
    *,
    tenant: str | None = None,
    agent: str | None = None,
    dry: bool,
    wording: Wording | None = None,
) -> PatternReport:
    """Look at everything that agents did."""
    changes: list[PatternChange] = []
    agents = 0
    for scope in scopes(store, "distill_agents", tenant, agent):
        changes += finder.discover(scope, dry=dry, wording=wording)
        changes += finder.distil(scope, dry=dry, wording=wording)
        agents += 1
    return PatternReport(dry, {"agents": agents, **finder.looked}, tuple(changes))


def consolidated(
    store: Store, consolidator: Consolidator, *, tenant: str | None = None, agent: str | None = None, dry: bool
) -> PatternReport:
    """Bring the patterns of agents in order."""
    changes: list[PatternChange] = []
    agents = 0
    for scope in scopes(store, "pattern_owners", tenant, agent):
        changes += consolidator.run(scope, dry=dry)
        agents += 1
    return PatternReport(dry, {"agents": agents, "patterns": consolidator.looked}, tuple(changes))


def background(
    store: Store, finder: Finder, consolidator: Consolidator, *, dry: bool, after: str | None, stop: Stop
) -> tuple[dict[str, Any], str | None]:
    """One round of both, agent by agent; (counts, where to go on: None when it was through)."""
    counts: Counter[str] = Counter()
    there = {
        (one.tenant, one.agent): one for name in ("distill_agents", "pattern_owners") for one in scopes(store, name)
    }
    for key in sorted(there):
        place = to_json(list(key))
        if after is not None and list(key) <= list(_place(after)):
            continue
        if stop():
            return {**counts, **finder.looked}, after
        scope = there[key]
        changes = finder.discover(scope, dry=dry, stop=stop) + finder.distil(scope, dry=dry)
        changes += consolidator.run(scope, dry=dry, stop=stop)
        counts.update(one.what for one in changes)
        if stop():  # it may have been cut short: once more, which adds nothing twice
            return {**counts, **finder.looked}, after
        after = place
    return {**counts, **finder.looked}, None


def _place(told: str) -> list[str]:
    found: list[str] = json.loads(told)
    return found
