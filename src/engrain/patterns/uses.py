"""A use of a pattern: kept, believed, and what follows from it, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engrain.model.scope import Scope
from engrain.patterns.belief import CASES, NONE, Case, Contrast, contrast, like, of_sums, voice_of
from engrain.patterns.events import RULES, change
from engrain.patterns.life import judge
from engrain.patterns.room import Room, State
from engrain.store.port import Row, Store, Transaction

AGENTS = 8  # whose cases are compared, at most: those who used it last
_EMPTY: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Use:
    """What came of a pattern that was ``applied`` or judged ``helpful``; see ``Agent.use_pattern``."""

    stage: str
    success: bool | None
    evidence: str
    source: str | None = None
    task_type: str | None = None
    state: State | None = None
    task_id: str | None = None


def use(room: Room, scope: Scope, id_: str, told: Use) -> None:
    """Note a use. Whatever the rules make of it (see ``life``) happens in the same transaction, so that the use that
    triggers a promotion counts. Raises UnknownPattern."""
    row = room.one(scope, id_)
    task_type = told.task_type or row["task_type"]
    compared = _compared(room, scope, row, task_type, told) if task_type is not None else _kept(row)
    owner, use_id = Scope(scope.tenant, row["agent"]), room.world.new_id()
    lineage, claimed = voice_of(scope.agent, told.evidence, told.source, told.task_id, use_id)
    weight = 0.0 if told.success is None else room.weights[told.evidence]
    state = told.state
    kept = {
        "id": use_id, "tenant": scope.tenant, "agent": scope.agent, "pattern_id": row["id"], "stage": told.stage,
        "success": None if told.success is None else int(told.success), "evidence": told.evidence, "weight": weight,
        "lineage": lineage, "source": told.source, "task_type": task_type, "state": state.text if state else None,
        "state_key": state.key if state else None, "task_id": told.task_id,
    }  # fmt: skip
    with room.store.transaction(scope.tenant) as tx:
        row = room.own(tx, owner, row["id"])
        while row["state"] == "merged":  # since it was looked up
            row = room.mine(tx, owner, row["merged_into"])
        tx.run("pattern_use_insert", {**kept, "pattern_id": row["id"], "now": room.world.now()})
        if told.success is not None:
            voice = {"lineage": lineage, "task_type": task_type or "", "claimed": int(claimed)}
            good, bad = (weight, 0.0) if told.success else (0.0, weight)
            ids = {"tenant": scope.tenant, "pattern_id": row["id"]}
            tx.run("pattern_voice_add", {**ids, **voice, "good": good, "bad": bad})
        sums = room.sums(tx, scope.tenant, room.group(tx, scope.tenant, row["id"]))
        names = ("contrast", "contrast_low", "contrast_high")
        whose = {"id": row["id"], "tenant": scope.tenant, "agent": owner.agent}
        tx.run("pattern_believe", {**whose, **sums, **dict(zip(names, compared, strict=True))})
        belief = of_sums(sums["good"], sums["bad"], sums["lineages"], compared)
        verdict = judge(row["tier"], row["state"], belief, sums["sure"], row["held"])
        if verdict is not None:
            became = {"tier": verdict.tier, "state": verdict.state}
            change(room, tx, row, verdict.event, verdict.reason, RULES, became, detail={"use": use_id})


def _kept(row: Row) -> Contrast:
    return row["contrast"], row["contrast_low"], row["contrast_high"]


def _compared(room: Room, scope: Scope, row: Row, task_type: str, told: Use) -> Contrast:
    """The contrast of a pattern in a task type, with the use that is about to be kept."""
    ids = room.group(room.store, scope.tenant, row["id"])
    last = room.store.read("pattern_use_list", {"tenant": scope.tenant, "ids": ids, "limit": 100})
    agents = list(dict.fromkeys([scope.agent, *(one["agent"] for one in last)]))[:AGENTS]
    with_it: list[Case] = []
    without: list[Case] = []
    for agent in agents:
        mine, others = cases(room.store, Scope(scope.tenant, agent), ids, task_type)
        if agent == scope.agent and told.success is not None and told.evidence != "claimed":
            key = told.task_id or ""
            others.pop(key, None)
            mine[key] = (like(told.state.values if told.state else _EMPTY), told.success)
        with_it += [((agent, stratum), good) for stratum, good in mine.values()]
        without += [((agent, stratum), good) for stratum, good in others.values()]
    found = contrast(with_it, without)
    return _kept(row) if found == NONE and told.task_type != row["task_type"] else found


def cases(
    store: Store | Transaction, scope: Scope, ids: Sequence[str], task_type: str
) -> tuple[dict[str, Case], dict[str, Case]]:
    """(with the patterns, without them): an agent's latest cases of a task type, by task. What an experience and a use
    tell of one task is one case; where a task has no id, each is its own."""
    asked = {"tenant": scope.tenant, "agent": scope.agent, "task_type": task_type, "limit": CASES}
    mine: dict[str, Case] = {}
    others: dict[str, Case] = {}
    group = frozenset(ids)
    for row in store.read("pattern_case_uses", asked):
        arm = mine if row["pattern_id"] in group else others
        arm.setdefault(row["task_id"] or row["lineage"], _case(row))
    for row in store.read("pattern_case_experiences", asked):
        others.setdefault(row["task_id"] or row["id"], _case(row))
    return mine, {task: case for task, case in others.items() if task not in mine}


def _case(row: Row) -> Case:
    return like(json.loads(row["state"]) if row["state"] else _EMPTY), row["success"] == 1
