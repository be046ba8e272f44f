"""When something holds: conditions on the features of a state, found in the states that were seen, and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median_low
from typing import Any, NamedTuple

VALUES = 8  # of a feature, the most frequent ones, that are looked at
FEATURES = 12  # those that are told most often
WHOLE = 8  # different states up to which each of them is a condition of its own
ENOUGH = 8  # cases that a condition must hold for


class Clause(NamedTuple):
    """One feature: ``op`` is "=", "has" (a tag), ">" or "<=" (a number)."""

    feature: str
    op: str
    value: Any

    def holds(self, state: Mapping[str, Any]) -> bool:
        """Whether it does in a state; where the feature is missing it does not."""
        value = state.get(self.feature)
        if value is None:
            return False
        if self.op == "has":
            return isinstance(value, list) and self.value in value
        if self.op == "=":
            return type(value) is type(self.value) and bool(value == self.value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return bool(value > self.value) if self.op == ">" else bool(value <= self.value)

    def words(self) -> str:
        """As people say it."""
        name = self.feature.replace("_", " ")
        if isinstance(self.value, bool):
            return name if self.value else f"not {name}"
        told = {"=": "is", "has": "has", ">": "above", "<=": "at most"}[self.op]
        return f"{name} {told} {self.value}"


Condition = tuple[Clause, ...]


def holds(condition: Condition, state: Mapping[str, Any]) -> bool:
    """Whether all of it does."""
    return all(clause.holds(state) for clause in condition)


def words(condition: Condition) -> str:
    """The condition in words; "" for always."""
    return " and ".join(clause.words() for clause in condition)


def told(condition: Condition) -> list[list[Any]]:
    """As JSON values."""
    return [list(clause) for clause in condition]


def of(values: Sequence[Sequence[Any]]) -> Condition:
    """What ``told`` gave."""
    return tuple(Clause(*one) for one in values)


def shape(condition: Condition) -> tuple[Any, ...]:
    """The condition but for where a number is cut: two cuts of one feature are the same finding."""
    return tuple((one.feature, one.op, None if one.op in (">", "<=") else repr(one.value)) for one in condition)


def conditions(states: Sequence[Mapping[str, Any]]) -> list[Condition]:
    """Always; each value or tag of a feature that some states have and some have not; the upper and the lower half of a
    number, cut at two digits; and where there are few different states, each of them whole. In a fixed order."""
    names = Counter(name for state in states for name, value in state.items() if value is not None)
    chosen = sorted(names, key=lambda name: (-names[name], name))[:FEATURES]
    found: list[Condition] = [()]
    for name in sorted(chosen):
        for clause in _clauses(name, [state[name] for state in states if state.get(name) is not None]):
            n = sum(clause.holds(state) for state in states)
            if ENOUGH <= n <= len(states) - 1:
                found.append((clause,))
    return [*found, *_whole(states)]


def _clauses(name: str, values: Sequence[Any]) -> list[Clause]:
    tags = Counter(tag for value in values if isinstance(value, list) for tag in value)
    plain = Counter((type(value).__name__, value) for value in values if isinstance(value, bool | str))
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    found = [Clause(name, "has", tag) for tag in _most(tags)]
    found += [Clause(name, "=", value) for _, value in _most(plain)]
    if numbers and len(set(numbers)) <= 2:
        found += [Clause(name, "=", value) for value in sorted(set(numbers))]
    elif numbers:
        cut = float(f"{median_low(numbers):.2g}")
        found += [Clause(name, op, int(cut) if cut.is_integer() else cut) for op in ("<=", ">")]
    return found


def _most(counts: Counter[Any]) -> list[Any]:
    return sorted(sorted(counts, key=lambda one: (-counts[one], repr(one)))[:VALUES], key=repr)


def _whole(states: Sequence[Mapping[str, Any]]) -> list[Condition]:
    known = [{name: value for name, value in state.items() if value is not None} for state in states]
    plain = [state for state in known if all(isinstance(value, bool | str) for value in state.values())]
    counts = Counter(tuple(sorted(state.items())) for state in plain if len(state) > 1)
    often = sorted((items for items, n in counts.items() if n >= ENOUGH), key=repr)
    if len(often) > WHOLE:
        return []
    return [tuple(Clause(name, "=", value) for name, value in items) for items in often]
