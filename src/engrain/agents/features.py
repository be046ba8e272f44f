"""Features of a task, computed from what is known of it before it begins. One that cannot be computed is missing
(None), never a number that was made up.

=========  ============================================================================================
how        what it is
=========  ============================================================================================
value      the number, truth or short text itself
count      how many there are: entries of a list or mapping, lines of a text
matches    how often ``pattern`` is found in a text
has        whether ``pattern`` is found in a text, or in an entry of a list
share      the share of a list's entries in which ``pattern`` is found; without one, of those that are true
ratio      the number, or count, over that of ``by``
mean       the mean of a list of numbers; ``max`` the largest
spread     standard deviation over mean of a list of numbers: how much it varies
trend      the mean of the later half over that of the earlier, less 1
first      the first of ``words`` that a text or a list holds, "other" when there is none
=========  ============================================================================================

With ``bounds`` and ``names`` a number becomes a class: ``bounds = [10, 100]``, ``names = ["few", "some", "many"]``;
each bound belongs to the class below it.
"""

from __future__ import annotations

import re
import statistics
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Value = int | float | bool | str | None

LOOKED_AT = 200_000  # characters of a text, and entries of a list
LARGEST = 1e15  # number that is one
TEXT = 100  # characters of a value that is text


@dataclass(frozen=True, slots=True)
class Feature:
    """``name`` computed from the detail ``of`` of a task, as ``how`` says. The detail "about" is what the task is about
    in words."""

    name: str
    of: str
    how: str = "value"
    pattern: str | None = None
    by: str | None = None
    words: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    names: tuple[str, ...] = ()

    def value(self, details: Mapping[str, Any]) -> Value:
        """The feature of a task with these details; None when it cannot be told."""
        given = details.get(self.of)
        if given is None:
            return None
        found = _HOW[self.how](self, given, details)
        if isinstance(found, int | float) and not isinstance(found, bool):
            found = round(found, 6) if abs(found) < LARGEST else None
        if not self.names or found is None or isinstance(found, str):
            return found
        return self.names[bisect_left(self.bounds, found)]


def feature(given: Mapping[str, Any]) -> Feature:
    """A feature as a profile writes it. Raises ValueError or TypeError saying what is wrong with it."""
    known: dict[str, Any] = {}
    for name, value in given.items():
        kinds = (int, float) if name == "bounds" else (str,)
        several = name in ("words", "bounds", "names")
        if any(isinstance(one, bool) or not isinstance(one, kinds) for one in (value if several else [value])):
            raise ValueError(f"a feature's {name} is not {value!r}")
        known[name] = tuple(value) if several else value
    found = Feature(**known)
    needs = {"matches": "pattern", "has": "pattern", "ratio": "by", "first": "words"}.get(found.how)
    if found.how not in _HOW:
        raise ValueError(f"{found.name}: there is no {found.how!r}; there are {', '.join(_HOW)}")
    if needs and not getattr(found, needs):
        raise ValueError(f"{found.name}: {found.how!r} needs {needs}")
    if len(found.names) != (len(found.bounds) + 1 if found.names or found.bounds else 0):
        raise ValueError(f"{found.name}: there is one name more than bounds")
    if list(found.bounds) != sorted(found.bounds):
        raise ValueError(f"{found.name}: bounds rise")
    re.compile(found.pattern or "")
    return found


def _value(_: Feature, given: Any, __: Mapping[str, Any]) -> Value:
    if isinstance(given, str):
        return given[:TEXT].encode("utf-8", "replace").decode().replace("\x00", " ").strip() or None
    return given if isinstance(given, bool | int | float) else None


def _number(given: Any) -> float | None:
    """A number, or how many there are of it; None for what is neither."""
    if isinstance(given, bool):
        return None
    if isinstance(given, int | float):
        return float(given) if abs(given) < LARGEST else None
    return None if isinstance(given, str | bytes) or not hasattr(given, "__len__") else float(len(given))


def _count(_: Feature, given: Any, __: Mapping[str, Any]) -> Value:
    if isinstance(given, str):
        return len(given[:LOOKED_AT].splitlines())
    return len(given) if isinstance(given, Sequence | Mapping | set | frozenset) else None


def _matches(self: Feature, given: Any, _: Mapping[str, Any]) -> Value:
    if not isinstance(given, str):
        return None
    return sum(1 for _ in re.finditer(self.pattern or "", given[:LOOKED_AT]))


def _has(self: Feature, given: Any, _: Mapping[str, Any]) -> Value:
    texts = _texts(given)
    return None if texts is None else any(re.search(self.pattern or "", text) for text in texts)


def _share(self: Feature, given: Any, _: Mapping[str, Any]) -> Value:
    if isinstance(given, str) or not isinstance(given, Sequence) or not given:
        return None
    entries = given[:LOOKED_AT]
    if self.pattern is None:
        return sum(1 for one in entries if one) / len(entries)
    return sum(1 for one in entries if re.search(self.pattern, str(one)[:LOOKED_AT])) / len(entries)


def _ratio(self: Feature, given: Any, details: Mapping[str, Any]) -> Value:
    above, below = _number(given), _number(details.get(self.by or ""))
    return above / below if above is not None and below else None


def _over(what: Callable[[list[float]], float | None]) -> Callable[[Feature, Any, Mapping[str, Any]], Value]:
    def of_numbers(_: Feature, given: Any, __: Mapping[str, Any]) -> Value:
        if isinstance(given, str) or not isinstance(given, Sequence):
            return None
        numbers = [float(one) for one in given[:LOOKED_AT] if isinstance(one, int | float) and abs(one) < LARGEST]
        return what(numbers) if numbers else None

    return of_numbers


def _spread(numbers: list[float]) -> float | None:
    mean = statistics.fmean(numbers)
    return statistics.pstdev(numbers) / abs(mean) if mean else None


def _trend(numbers: list[float]) -> float | None:
    half = len(numbers) // 2
    before = statistics.fmean(numbers[:half]) if half else 0.0
    return statistics.fmean(numbers[-half:]) / before - 1.0 if before else None


def _first(self: Feature, given: Any, _: Mapping[str, Any]) -> Value:
    texts = _texts(given)
    if texts is None:
        return None
    lowered = [text.lower() for text in texts]
    return next((word for word in self.words if any(word.lower() in text for text in lowered)), "other")


def _texts(given: Any) -> list[str] | None:
    if isinstance(given, str):
        return [given[:LOOKED_AT]]
    if isinstance(given, Sequence | set | frozenset):
        return [str(one)[:LOOKED_AT] for one in list(given)[:LOOKED_AT]]
    return None


_HOW: dict[str, Callable[[Feature, Any, Mapping[str, Any]], Value]] = {
    "value": _value,
    "count": _count,
    "matches": _matches,
    "has": _has,
    "share": _share,
    "ratio": _ratio,
    "mean": _over(statistics.fmean),
    "max": _over(max),
    "spread": _over(_spread),
    "trend": _over(_trend),
    "first": _first,
}
