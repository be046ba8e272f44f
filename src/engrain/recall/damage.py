"""Damage: what cannot be right in what a store gives of an item, told so that somebody can mend it.

A segment checks whole columns, which costs next to nothing; only when something is wrong does it ask here for which.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from engrain.errors import StoreCorrupt
from engrain.recall.analyze import ANALYZER
from engrain.store.port import Row, Store

LONGEST = 2**31 - 1  # terms of a passage
FURTHEST = 253_402_300_800_000_000  # µs from 1970 to the year 10000: what a date cannot reach
_NO_OTHERS = 2**62  # a change number beyond all: only what is active comes
_AT_ONCE = 5_000
AGAIN = "Run engrain doctor, then engrain rebuild."
RESTORE = "Restore a backup."


def tag_set(text: str) -> frozenset[str]:
    """The tags that a JSON array of texts stands for. Raises ValueError or RecursionError when it is none."""
    found = json.loads(text)
    if not isinstance(found, list) or not all(isinstance(tag, str) for tag in found):
        raise ValueError("not a JSON array of texts")
    return frozenset(found)


def error_of(rows: Sequence[Row]) -> StoreCorrupt | None:
    """The error that names the first damaged item among rows of segment_changes; None when all are sound."""
    for id_, what, advice in damaged(rows):
        return StoreCorrupt(f"{what} of memory {id_!r} cannot be right. {advice}")
    return None


def damaged(rows: Sequence[Row]) -> Iterator[tuple[str, str, str]]:
    """(id, what is wrong, what to do) of rows of segment_changes, the passages of an item after each other."""
    before: Any = (None, None)
    for row in rows:
        what = _of_item(row)
        if what:
            yield row[0], what, RESTORE
        what = _of_passage(row, before)
        if what:
            yield row[0], what, AGAIN
        before = row[0], row[13]


def _of_item(row: Row) -> str:
    try:
        tag_set(row[5])
    except (TypeError, ValueError, RecursionError):
        return "The tags"
    if not _number(row[8], -math.inf, math.inf):
        return "The importance"
    times = (("told_at", row[9]), ("occurred_at", row[10]), ("expires_at", row[11]))
    return next(
        (
            f"The time {name}"
            for name, value in times
            if not (isinstance(value, int) and abs(value) < FURTHEST) and (name == "told_at" or value is not None)
        ),
        "",
    )


def _of_passage(row: Row, before: tuple[Any, Any]) -> str:
    number, length, terms, vector, scale, analyzer = row[13], row[14], row[15], row[16], row[17], row[19]
    if number and (before[0] != row[0] or number != (before[1] or 0) + 1):
        return "The order of the passages"
    if analyzer != ANALYZER:
        return ""  # not indexed yet, or by another version: not read
    if not isinstance(length, int) or not 0 <= length <= LONGEST:
        return "The length of a passage"
    if not isinstance(terms, bytes) or len(terms) % 6 or not bool(length) <= len(terms) // 6 <= length:
        return "The words of a passage"
    if vector is not None and (not isinstance(vector, bytes) or not _number(scale, 0.0, 1e30)):
        return "The vector of a passage"
    return ""


def _number(value: Any, least: float, most: float) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and least <= value <= most


def everywhere(store: Store) -> Iterator[tuple[str, str, str]]:
    """What ``damaged`` finds among all active items of a store; reads every passage."""
    for owner in store.read("owner_list"):
        seq, last, whole = 0, "", False
        asked = {"tenant": owner["tenant"], "agent": owner["agent"], "settled": _NO_OTHERS, "limit": _AT_ONCE}
        while not whole:
            rows = store.read("segment_changes", {**asked, "seq": seq, "last": last})
            whole = len(rows) < _AT_ONCE
            if not whole:  # there may be more passages of the last item
                rows = [row for row in rows if row[0] != rows[-1][0]]
            yield from damaged(rows)
            if rows:
                seq, last = rows[-1][12], rows[-1][0]
