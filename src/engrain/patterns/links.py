"""Patterns that have to do with each other. Found by likeness of meaning and words when a pattern is told or changed:
similar, near-duplicates (proposed for a merge, which only a person or consolidation makes), and contradictions: the
same situation, the opposite advice. All else is said, not found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engrain.model.pattern import PatternLink
from engrain.model.scope import Scope
from engrain.patterns.room import Room
from engrain.patterns.rows import text_of
from engrain.store.port import Row, Transaction

LOOKED = 10  # neighbours that are compared
SIMILAR, SAME = 0.7, 0.9  # cosine from which two are similar; from which they may be the same
WORDS_SIMILAR, WORDS_SAME = 0.35, 0.8  # share of terms in common (Jaccard): the same
OPPOSED = 0.5  # share of terms in common from which opposite advice is about the same thing

Words = Callable[[str], frozenset[int]]
Nearest = Callable[[Scope, str, int], list[tuple[str, float]]]


def neighbours(room: Room, scope: Scope, nearest: Nearest, words: Words, told: Any) -> list[tuple[str, str, float]]:
    """(id, kind of link, weight) of what a pattern has to do with those that the scope sees already; looked up before
    anything is locked."""
    text = text_of(told)
    near = [(id_, cosine) for id_, cosine in nearest(scope, text, LOOKED) if id_ != told["id"]]
    rows, mine, found = room.seen(scope, [id_ for id_, _ in near]), words(text), []
    for id_, cosine in near:
        if id_ in rows and (kind := _kind(told, rows[id_], cosine, _share(mine, words(text_of(rows[id_]))))):
            found.append((id_, kind, round(cosine, 4)))
    return found


def _kind(one: Any, other: Row, cosine: float, share: float) -> str | None:
    alike = all(_fits(one[name], other[name]) for name in ("framework", "language", "domain", "task_type"))
    if one["polarity"] != other["polarity"]:
        return "contradicts" if alike and cosine >= SIMILAR and share >= OPPOSED else None
    if alike and one["kind"] == other["kind"] and cosine >= SAME and share >= WORDS_SAME:
        return "duplicate"
    return "similar" if cosine >= SIMILAR and share >= WORDS_SIMILAR else None


def _fits(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


def _share(one: frozenset[int], other: frozenset[int]) -> float:
    return len(one & other) / len(one | other) if one or other else 0.0


def put(room: Room, tx: Transaction, scope: Scope, source: str, target: str, kind: str, weight: float) -> None:
    """Link two patterns; those that go both ways are kept once, from the lesser id to the greater."""
    if kind in ("similar", "duplicate", "contradicts") and target < source:
        source, target = target, source
    told = {"tenant": scope.tenant, "agent": scope.agent, "source": source, "target": target}
    tx.run("pattern_link_put", {**told, "kind": kind, "weight": weight, "now": room.world.now()})


def links(room: Room, scope: Scope, ids: Sequence[str]) -> list[PatternLink]:
    """The links of patterns to those that the scope sees, the strongest of each kind first."""
    rows = room.store.read("pattern_link_list", {"tenant": scope.tenant, "ids": list(ids)}) if ids else []
    there = room.seen(scope, sorted({row[end] for row in rows for end in ("source", "target")}))
    return [
        PatternLink(row["source"], row["target"], row["kind"], row["weight"])
        for row in rows
        if row["source"] in there and row["target"] in there
    ]


def linked(room: Room, scope: Scope, ids: Sequence[str], kind: str) -> dict[str, set[str]]:
    """By pattern, those that it is linked with in one way; whether they are seen is for the caller to ask."""
    found: dict[str, set[str]] = {}
    for row in room.store.read("pattern_link_list", {"tenant": scope.tenant, "ids": list(ids)}):
        if row["kind"] == kind:
            for one, other in ((row["source"], row["target"]), (row["target"], row["source"])):
                found.setdefault(one, set()).add(other)
    return found
