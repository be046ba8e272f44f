"""Patterns that were found rather than told: made once under an id of their own, and their evidence kept up to date.

What a pattern was found by becomes uses of it: of each source one, under an id made of both, so that finding it again
adds nothing and an outcome that was revised since replaces what it said before. What somebody told of a task in which
he used the pattern counts alone: the outcome of that task is not evidence a second time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engrain.model.distill import PatternChange
from engrain.model.pattern import Pattern
from engrain.model.scope import Scope
from engrain.patterns.bank import Bank
from engrain.patterns.belief import contrast, of_sums
from engrain.patterns.events import RULES, change, resum
from engrain.patterns.life import AFRESH, judge
from engrain.patterns.room import Room
from engrain.patterns.rows import canonical
from engrain.patterns.uses import cases
from engrain.store.port import Row, Transaction
from engrain.store.rows import to_json

MOST = 200  # sources that a pattern's evidence is kept of, the latest
IDS = 50  # of what it rests on, that are told with it
FOUND = "found:"  # how ids of uses begin that were not told

Wording = Callable[["Draft"], str]
"""Words a pattern's title; it decides nothing."""


@dataclass(frozen=True, slots=True)
class Voice:
    """What one source says: whether the task in which the pattern was followed ended well, on what evidence. ``at`` in
    µs; ``task`` is the task's id, ``state`` its state as canonical JSON with its key."""

    lineage: str
    success: bool
    evidence: str
    at: int
    task: str | None = None
    state: str | None = None
    state_key: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A pattern that was found. ``key`` tells it from all others of an agent; ``rule`` is what it was made of, as JSON
    values; ``why`` what speaks for it."""

    key: str
    source: str
    title: str
    description: str
    content: str
    kind: str
    polarity: str
    why: str
    voices: tuple[Voice, ...]
    ids: tuple[str, ...] = ()
    task_type: str | None = None
    tags: tuple[str, ...] = ()
    rule: Mapping[str, Any] = field(default_factory=dict)
    refines: tuple[str, ...] = ()  # keys of more general ones

    def id(self, scope: Scope) -> str:
        """The id of its pattern: the same whenever it is found."""
        return found_id(scope, self.key)


def found_id(scope: Scope, key: str) -> str:
    """The id that a pattern which is found under a key has."""
    told = to_json([scope.tenant, scope.agent, key]).encode()
    return "pat-" + hashlib.blake2b(told, digest_size=12).hexdigest()


def found_before(room: Room, scope: Scope, source: str) -> list[Row]:
    """An agent's own patterns that were found in a way, with those that are merged by now."""
    base = {"tenant": scope.tenant, "agent": scope.agent}
    rows = room.store.read("pattern_mine", {**base, "prefix": "pat-"})
    return [row for row in rows if json.loads(row["provenance"]).get("source") == source]


def rule_of(row: Row) -> Mapping[str, Any]:
    """What a pattern was made of when it was found."""
    rule: Mapping[str, Any] = json.loads(row["provenance"]).get("rule") or {}
    return rule


def settle(
    room: Room,
    bank: Bank,
    scope: Scope,
    drafts: Sequence[Draft],
    *,
    version: str,
    dry: bool,
    wording: Wording | None = None,
) -> list[PatternChange]:
    """Make the patterns that are new, and keep the evidence of all: what changed by that."""
    ids = [draft.id(scope) for draft in drafts]
    there = {row["id"] for row in room.store.read("pattern_mine", {**_whose(scope), "prefix": "pat-"})}
    changes = []
    for id_, draft in zip(ids, drafts, strict=True):
        new = id_ not in there
        if new and not dry:
            _make(room, bank, scope, id_, draft, version, wording)
        moved = _differs(room, scope, id_, draft) if dry else _hear(room, scope, id_, draft, new)
        if new or moved:
            told = (scope.tenant, scope.agent, "found" if new else "updated", id_, draft.title, draft.source, draft.why)
            changes.append(PatternChange(*told))
    if not dry:
        for id_, draft in zip(ids, drafts, strict=True):
            for key in draft.refines:
                if (general := found_id(scope, key)) in there | set(ids) and id_ not in there:
                    bank.link(scope, id_, general, "refines")
    return changes


def _whose(scope: Scope) -> dict[str, str]:
    return {"tenant": scope.tenant, "agent": scope.agent}


def _make(
    room: Room, bank: Bank, scope: Scope, id_: str, draft: Draft, version: str, wording: Wording | None
) -> Pattern:
    title = " ".join(wording(draft).split())[:200] if wording is not None else ""
    told = {
        "id": id_, "title": title or draft.title, "description": draft.description, "content": draft.content,
        "template": None, "kind": draft.kind, "polarity": draft.polarity, "framework": None, "language": None,
        "domain": None, "tags": draft.tags, "task_type": draft.task_type, "visibility": "private", "foundation": 0,
        "provenance": {
            "source": draft.source, "ids": list(draft.ids[:IDS]), "why": draft.why, "rule": dict(draft.rule),
            "version": version, **({"worded": True} if title else {}),
        },
    }  # fmt: skip
    made = bank.add(scope, told, draft.source)
    _unlike(room, scope, made.id, draft.rule.get("about"))
    return made


def _unlike(room: Room, scope: Scope, id_: str, about: Any) -> None:
    """Patterns that were found alike are worded alike: of these only what is about the same contradicts itself, and
    none says the same as another."""
    links = [
        row for row in room.store.read("pattern_link_list", {"tenant": scope.tenant, "ids": [id_]})
        if row["kind"] in ("contradicts", "duplicate")
    ]  # fmt: skip
    others = room.seen(scope, [row["source"] if row["target"] == id_ else row["target"] for row in links])
    with room.store.transaction(scope.tenant) as tx:
        for row in links:
            other = others.get(row["source"] if row["target"] == id_ else row["target"])
            theirs = None if other is None else rule_of(other).get("about")
            if theirs is not None and (row["kind"] == "duplicate" or theirs != about):
                ends = {name: row[name] for name in ("source", "target", "kind")}
                tx.run("pattern_link_drop", {"tenant": scope.tenant, **ends})


# -- evidence ----------------------------------------------------------------------------------------------------------


def _wanted(scope: Scope, id_: str, draft: Draft, told: Iterable[Row]) -> dict[str, dict[str, Any]]:
    """The uses that a pattern is to have been found by, by id; without those of tasks that somebody told of."""
    known = {row["task_id"] for row in told if row["task_id"] is not None and not row["id"].startswith(FOUND)}
    found = {}
    for voice in sorted(draft.voices, key=lambda one: (one.at, one.lineage))[-MOST:]:
        if voice.task is not None and voice.task in known:
            continue
        digest = hashlib.blake2b(to_json([id_, voice.lineage]).encode(), digest_size=12).hexdigest()
        found[FOUND + digest] = {
            **_whose(scope), "id": FOUND + digest, "pattern_id": id_, "stage": "applied", "success": int(voice.success),
            "evidence": voice.evidence, "lineage": voice.lineage, "source": None, "task_type": draft.task_type,
            "state": voice.state, "state_key": voice.state_key, "task_id": voice.task, "now": voice.at,
        }  # fmt: skip
    return found


_SAME = ("success", "evidence", "task_type", "state_key")


def _compared(before: Sequence[Row], wanted: Mapping[str, dict[str, Any]]) -> tuple[list[str], list[dict[str, Any]]]:
    """(ids of uses that are no more so, uses that are to be written)."""
    kept = {row["id"]: row for row in before if row["id"].startswith(FOUND)}
    fresh = [
        one for id_, one in wanted.items()
        if id_ not in kept or any(kept[id_][name] != one[name] for name in _SAME)
    ]  # fmt: skip
    gone = [id_ for id_ in kept if id_ not in wanted]
    return [*gone, *(one["id"] for one in fresh if one["id"] in kept)], fresh


def _differs(room: Room, scope: Scope, id_: str, draft: Draft) -> bool:
    before = room.store.read("pattern_use_own", {**_whose(scope), "id": id_})
    return any(_compared(before, _wanted(scope, id_, draft, before)))


def _hear(room: Room, scope: Scope, id_: str, draft: Draft, new: bool) -> bool:
    """Bring the evidence of a pattern up to date; whether it changed. The rules decide about it then, but not by what
    it was found by alone: what looked best by chance would be the first to be believed."""
    with room.store.transaction(scope.tenant) as tx:
        row = room.own(tx, scope, id_)
        before = tx.read("pattern_use_own", {**_whose(scope), "id": id_})
        gone, fresh = _compared(before, _wanted(scope, id_, draft, before))
        if not gone and not fresh:
            return False
        for old in gone:
            tx.run("pattern_use_drop", {**_whose(scope), "id": old})
        for one in fresh:
            tx.run("pattern_use_insert", {**one, "weight": room.weights[one["evidence"]]})
        hear_again(tx, scope, id_)
        _believe(room, tx, scope, row, draft.task_type, new)
        if row["merged_into"] is not None:
            resum(room, tx, scope, row["merged_into"])
    return True


def hear_again(tx: Transaction, scope: Scope, id_: str) -> None:
    """Sum up what each voice says of a pattern, from all its uses."""
    tx.run("pattern_voice_clear", {"tenant": scope.tenant, "id": id_})
    for use in tx.read("pattern_use_list", {"tenant": scope.tenant, "ids": [id_], "limit": 1 << 31}):
        if use["success"] is None:
            continue
        good, bad = (use["weight"], 0.0) if use["success"] else (0.0, use["weight"])
        voice = {"pattern_id": id_, "lineage": use["lineage"], "task_type": use["task_type"] or ""}
        claimed = int(use["evidence"] == "claimed")
        tx.run("pattern_voice_add", {"tenant": scope.tenant, **voice, "claimed": claimed, "good": good, "bad": bad})


def _believe(room: Room, tx: Transaction, scope: Scope, row: Row, task_type: str | None, new: bool) -> None:
    group = room.group(tx, scope.tenant, row["id"])
    sums = room.sums(tx, scope.tenant, group)
    compared = (row["contrast"], row["contrast_low"], row["contrast_high"])
    if task_type is not None:
        mine, others = cases(tx, scope, group, task_type)
        compared = contrast(list(mine.values()), list(others.values()))
    names = ("contrast", "contrast_low", "contrast_high")
    base = {"id": row["id"], **_whose(scope)}
    tx.run("pattern_believe", {**base, **sums, **dict(zip(names, compared, strict=True))})
    if new:
        room.put(tx, {**canonical(row), "held": sums["good"] + sums["bad"] + AFRESH})
        return
    belief = of_sums(sums["good"], sums["bad"], sums["lineages"], compared)
    verdict = judge(row["tier"], row["state"], belief, sums["sure"], row["held"])
    if verdict is not None:
        became = {"tier": verdict.tier, "state": verdict.state}
        change(room, tx, row, verdict.event, verdict.reason, RULES, became, detail={"evidence": "found"})
