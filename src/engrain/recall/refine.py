"""Refine the candidates: newest of conflicting facts first, near-duplicates down; then each hit with its why."""

from __future__ import annotations

import numpy as np

from engrain.model.item import Hit, MemoryItem
from engrain.recall.rank import Question, Ranking
from engrain.recall.supersede import families
from engrain.recall.view import View

ALIKE = 0.85  # share of terms in common (Jaccard) from which two items tell the same
DOUBLE = 0.5  # what is left of the score of an item that repeats a better one


def refine(view: View, ranking: Ranking, items: dict[int, MemoryItem], question: Question, limit: int,
           least: float) -> list[Hit]:
    """Up to ``limit`` hits from candidates, best first. ``why`` sums to the score."""
    rows = sorted(items, key=lambda row: -float(ranking.score[row]))  # stable: among equals the order of ``best`` holds
    moved: dict[int, list[tuple[str, float]]] = {row: [] for row in rows}
    score = {row: float(ranking.score[row]) for row in rows}
    _newest_first(rows, items, score, moved, question)
    rows.sort(key=lambda row: -score[row])
    hits = []
    for row in rows:
        if score[row] < least:
            continue
        parts = [(name, float(part[row])) for name, part in ranking.parts.items() if part[row] != 0]
        hits.append(_hit(items[row], [*parts, *moved[row]], score[row]))
    return hits[:limit]


def _newest_first(rows: list[int], items: dict[int, MemoryItem], score: dict[int, float],
                  moved: dict[int, list[tuple[str, float]]], question: Question) -> None:
    """Give the scores of a family of conflicting facts to its members again, the best to the newest."""
    for family in families([items[row].content for row in rows], set(question.terms)):
        members = [rows[place] for place in family]
        newest = sorted(members, key=lambda row: _age(items[row]), reverse=True)
        for row, value in zip(newest, sorted((score[row] for row in members), reverse=True), strict=True):
            if value != score[row]:
                moved[row].append(("newer" if value > score[row] else "superseded", value - score[row]))
        for row in members:
            score[row] += sum(change for name, change in moved[row] if name in ("newer", "superseded"))


def _age(item: MemoryItem) -> tuple[float, float, str]:
    told = item.created_at.timestamp()
    return (told if item.occurred_at is None else item.occurred_at.timestamp(), told, item.id)


def _hit(item: MemoryItem, why: list[tuple[str, float]], score: float) -> Hit:
    """Rounded to 1e-6 so that the last bit of arithmetic is no difference between machines."""
    rounded = tuple((name, round(part, 6)) for name, part in why)
    total = round(float(np.clip(score, 0.0, 1.0)), 6)
    rest = round(total - sum(part for _, part in rounded), 6)
    return Hit(item, total, rounded if abs(rest) < 1e-9 else (*rounded, ("bounds", rest)))
