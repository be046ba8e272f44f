"""A policy's rule: which action to take in a state, in a form that can be kept, read and judged.

Kept as JSON, compressed: ``{"format": 1, "kind": "table", ...}``. A rule of a newer format is refused.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from engrain.errors import InvalidPolicy, PolicyTooNew
from engrain.learn.log import Floats
from engrain.learn.state import State

FORMAT = 1
MOST = 1 << 28  # bytes of a rule, unpacked
LARGEST = 1e300  # number in a rule


@dataclass(frozen=True, slots=True)
class Known:
    """What a rule knows of one action in one state: its long-run value, how often it was seen there (or in states like
    it), and how sure the value is (standard error); None where it is not known."""

    value: float | None
    visits: float | None
    error: float | None = None


class Decider(Protocol):
    """A way of deciding, which can be judged. Pure: the same state and actions give the same answer in every
    process."""

    def chances(self, state: State, actions: Sequence[str]) -> Floats | None:
        """The probability of each of ``actions`` [k], summing to 1; None when it does not know what to do here."""
        ...


class Rule(Decider, Protocol):
    """One that is kept, and says why."""

    kind: str
    actions: tuple[str, ...]

    def known(self, state: State, action: str) -> Known | None:
        """What it knows of an action in a state, for explanations."""
        ...

    def body(self) -> dict[str, Any]:
        """The rule as JSON values."""
        ...


class TableRule:
    """Probabilities by state: what tabular algorithms give. ``entries``: state key → action → (probability, value,
    visits). A state that is not there is not known; offered actions that are not there have probability 0. Where none
    of what it would do is offered, it takes the offered action of the highest value that it knows."""

    kind = "table"

    def __init__(self, entries: Mapping[str, Mapping[str, tuple[float, float | None, float]]]) -> None:
        self.entries = entries
        self.actions = tuple(sorted({action for row in entries.values() for action in row}))

    def chances(self, state: State, actions: Sequence[str]) -> Floats | None:
        row = self.entries.get(state.key)
        if row is None:
            return None
        found = np.array([row[action][0] if action in row else 0.0 for action in actions], dtype=np.float64)
        total = float(found.sum())
        if total > 0.0:
            return found / total
        known = [row[action][1] if action in row else None for action in actions]
        worth = np.array([-math.inf if one is None else one for one in known])
        if not len(worth) or worth.max() == -math.inf:
            return None
        best = worth == worth.max()
        return np.asarray(best / best.sum(), dtype=np.float64)

    def known(self, state: State, action: str) -> Known | None:
        row = self.entries.get(state.key, {})
        return Known(row[action][1], row[action][2]) if action in row else None

    def body(self) -> dict[str, Any]:
        return {"entries": {key: {a: list(cell) for a, cell in row.items()} for key, row in self.entries.items()}}

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> TableRule:
        """Raises InvalidPolicy."""
        entries: dict[str, dict[str, tuple[float, float | None, float]]] = {}
        given = body.get("entries")
        if not isinstance(given, dict):
            raise InvalidPolicy("a table rule has entries: state key → action → [probability, value, visits].")
        for key, row in given.items():
            if not isinstance(row, dict):
                raise InvalidPolicy(f"the entry of state {key!r} is not an object.")
            entries[key] = {action: _cell(key, action, cell) for action, cell in row.items()}
            if not math.isclose(sum(cell[0] for cell in entries[key].values()), 1.0, abs_tol=1e-6):
                raise InvalidPolicy(f"the probabilities of state {key!r} do not sum to 1.")
        return cls(entries)


def _cell(key: str, action: str, cell: Any) -> tuple[float, float | None, float]:
    good = isinstance(cell, list) and len(cell) == 3
    numbers = [one for one in cell if one is not None] if good else []
    if not good or not all(isinstance(one, int | float) and abs(one) <= LARGEST for one in numbers):
        raise InvalidPolicy(f"state {key!r}, action {action!r}: [probability, value, visits] is expected.")
    chance, value, visits = cell
    if chance is None or visits is None or not 0.0 <= chance <= 1.0 or visits < 0.0:
        raise InvalidPolicy(f"state {key!r}, action {action!r}: a probability lies in 0..1, visits are not negative.")
    return float(chance), None if value is None else float(value), float(visits)


def _by_features(body: Mapping[str, Any]) -> Rule:
    from engrain.learn.contextual import FeaturesRule  # which says what it knows in this module's terms

    return FeaturesRule.read(body)


def _by_line(body: Mapping[str, Any]) -> Rule:
    from engrain.learn.linear import LinearRule

    return LinearRule.read(body)


READERS: dict[str, Any] = {"table": TableRule.read, "features": _by_features, "linear": _by_line}
"""By kind: from a body to a rule."""


def pack(rule: Rule) -> bytes:
    """A rule as it is kept: equal for equal rules."""
    told = {"format": FORMAT, "kind": rule.kind, **rule.body()}
    return zlib.compress(json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode(), 6)


def unpack(blob: bytes) -> Rule:
    """The rule that was kept. Raises PolicyTooNew, InvalidPolicy."""
    engine = zlib.decompressobj()
    try:
        text = engine.decompress(blob, MOST)
        if engine.unconsumed_tail or not engine.eof:
            raise InvalidPolicy("the rule is cut off, or larger than a rule may be.")
        body = json.loads(text)
    except (zlib.error, ValueError, RecursionError) as error:
        raise InvalidPolicy(f"the rule cannot be read: {error}.") from error
    return rule_of(body)


def rule_of(body: Any) -> Rule:
    """A rule from its JSON values. Raises PolicyTooNew, InvalidPolicy."""
    if not isinstance(body, dict) or not isinstance(body.get("format"), int):
        raise InvalidPolicy("a rule is an object with format and kind.")
    if body["format"] > FORMAT:
        raise PolicyTooNew(f"The rule has format {body['format']}; this engrain reads {FORMAT}. Upgrade engrain.")
    reader = READERS.get(str(body.get("kind")))
    if body["format"] < 1 or reader is None:
        raise InvalidPolicy(f"there is no kind of rule {body.get('kind')!r}; the kinds are {', '.join(READERS)}.")
    rule: Rule = reader(body)
    return rule
