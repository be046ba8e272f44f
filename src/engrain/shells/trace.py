"""Verbs as spans, where OpenTelemetry's SDK is in the process: the GenAI conventions for memory operations, as they are
in their development. Names, ids and counts; never content, and never a question."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from engrain.model.scope import Scope

T = TypeVar("T")
# The verbs that the conventions have a name for.
OPERATIONS = {
    "remember": "upsert_memory",  # told again, it is the item that is there
    "remember-many": "upsert_memory",
    "recall": "search_memory",
    "context": "search_memory",
    "update": "update_memory",
    "forget": "delete_memory",
    "forget-where": "delete_memory",
}


def traced(verb: str, scope: Scope | None, given: Mapping[str, Any], call: Callable[[], T]) -> T:
    """Call, within a span if there is somebody to take it. Raises what the call raises."""
    operation = OPERATIONS.get(verb)
    if operation is None or scope is None or "opentelemetry.sdk.trace" not in sys.modules:
        return call()
    from opentelemetry import trace

    told: dict[str, Any] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "engrain",
        "gen_ai.memory.store.id": f"{scope.tenant}/{scope.agent}",
    }
    if "id" in given:
        told["gen_ai.memory.record.id"] = given["id"]
    with trace.get_tracer("engrain").start_as_current_span(
        operation, attributes=told, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            value = call()
        except Exception as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(trace.StatusCode.ERROR)  # what the error says may be content
            raise
        if (count := _count(value)) is not None:
            span.set_attribute("gen_ai.memory.record.count", count)
        return value


def _count(value: Any) -> int | None:
    """How many items an answer is about, where it says."""
    if not isinstance(value, Mapping):
        return 1
    found = next(iter(value.values()), None)
    return len(found) if isinstance(found, list) else found if type(found) is int else None
