"""What LangGraph's filters and conditions on namespaces mean (https://reference.langchain.com/python/langgraph/store/)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engrain.errors import InvalidField

if TYPE_CHECKING:
    from langgraph.store.base import ListNamespacesOp, MatchCondition

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def matches(value: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a value has all that a filter asks for; ``a.b`` reaches into what stands under ``a``. Raises InvalidField
    for an operator that there is not."""
    return all(_agrees(_at(value, name), asked) for name, asked in wanted.items())


def namespaces(found: Iterable[tuple[str, ...]], op: ListNamespacesOp) -> list[tuple[str, ...]]:
    """Those that meet all conditions, cut at ``max_depth``, each once, in order, from ``offset``."""
    good = {
        one if op.max_depth is None else one[: op.max_depth]
        for one in found
        if all(_meets(one, condition) for condition in op.match_conditions or ())
    }
    return sorted(good)[op.offset : op.offset + op.limit]


def _meets(namespace: Sequence[str], condition: MatchCondition) -> bool:
    path = condition.path
    if condition.match_type not in ("prefix", "suffix"):
        raise InvalidField(f"A namespace is matched by prefix or suffix, not by {condition.match_type!r}.")
    end = len(path) if condition.match_type == "prefix" else len(namespace)
    part = namespace[max(0, end - len(path)) : end]
    return len(part) == len(path) and all(asked in ("*", label) for label, asked in zip(part, path, strict=True))


def _at(value: Mapping[str, Any], name: str) -> Any:
    if name in value or "." not in name:
        return value.get(name)
    found: Any = value
    for step in name.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _agrees(value: Any, asked: Any) -> bool:
    if isinstance(asked, Mapping):
        if any(str(name).startswith("$") for name in asked):
            return all(_compares(value, str(name), other) for name, other in asked.items())
        return isinstance(value, Mapping) and all(_agrees(value.get(name), other) for name, other in asked.items())
    if isinstance(asked, list | tuple):
        same = isinstance(value, list) and len(value) == len(asked)
        return same and all(_agrees(one, other) for one, other in zip(value, asked, strict=True))
    return bool(value == asked)


def _compares(value: Any, name: str, asked: Any) -> bool:
    if name in ("$eq", "$ne"):
        return bool(value == asked) is (name == "$eq")
    if name not in _ORDER:
        raise InvalidField(f"There is no operator {name!r}; there are $eq, $ne, {', '.join(_ORDER)}.")
    if isinstance(value, str) and isinstance(asked, str):
        return _ORDER[name](value, asked)
    numbers = all(isinstance(one, int | float) for one in (value, asked))
    return numbers and _ORDER[name](value, asked)
