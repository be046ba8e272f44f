"""Steps of a task, checked and without secrets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engrain.errors import InvalidField
from engrain.intake import validate
from engrain.intake.redact import redact_value
from engrain.model.pattern import Step

STEPS = 1_000
TEXT = 64 << 10  # characters of an action
OUTPUT = 64 << 10  # characters of an output that are kept, its last ones: there stands how it ended
TOTAL = 4 << 20  # characters of all steps
_FIELDS = tuple(Step.__slots__)


def steps(given: object, redacts: bool) -> tuple[Step, ...]:
    """Steps of mappings with the fields of Step, of Steps, or of texts (what was done). Raises InvalidField naming the
    step, counted from 0."""
    if isinstance(given, str | bytes | Mapping | Step) or not isinstance(given, Iterable):
        raise InvalidField(f"steps must be a list of steps, not {type(given).__name__}.")
    rows = list(given)
    if not rows or len(rows) > STEPS:
        raise InvalidField(f"steps has {len(rows):,} of them; there must be 1 to {STEPS:,}.")
    found = tuple(_step(f"step {number}", row, redacts) for number, row in enumerate(rows))
    size = sum(len(step.action) + len(step.output or "") for step in found)
    if size > TOTAL:
        raise InvalidField(f"steps have {size:,} characters together; at most {TOTAL:,} are kept. Shorten the outputs.")
    return found


def _step(name: str, given: object, redacts: bool) -> Step:
    if isinstance(given, Step):
        given = {field: getattr(given, field) for field in _FIELDS}
    told: Mapping[Any, Any] = {"action": given} if isinstance(given, str) else given  # type: ignore[assignment]
    if not isinstance(told, Mapping):
        raise InvalidField(f"{name} must be a dict with an action, not {type(given).__name__}.")
    unknown = [field for field in told if field not in _FIELDS]
    if unknown:
        raise InvalidField(f"{name} has {validate.shown(unknown[0])}; a step has {', '.join(_FIELDS)}.")
    output = told.get("output")
    if output is not None:
        validate.text(f"the output of {name}", output, 1 << 30, blank=True)
    row: dict[str, Any] = {
        "action": validate.text(f"the action of {name}", told.get("action"), TEXT),
        "state": dict(validate.metadata(told.get("state"))),
        "output": None if output is None else output[-OUTPUT:],
    }
    if redacts:
        row = {field: redact_value(value)[0] for field, value in row.items()}
    success = told.get("success")
    code = told.get("exit_code")
    return Step(
        **row,
        success=None if success is None else validate.flag(f"success of {name}", success),
        exit_code=None if code is None else validate.whole(f"exit_code of {name}", code, -(2**31), 2**32),
        tests=_tests(name, told.get("tests")),
    )


def _tests(name: str, given: object) -> tuple[int, int] | None:
    if given is None:
        return None
    if isinstance(given, Mapping):
        given = [given.get("passed", 0), given.get("failed", 0)]
    if isinstance(given, str) or not isinstance(given, list | tuple) or len(given) != 2:
        raise InvalidField(f"tests of {name} must be (passed, failed), not {validate.shown(given)}.")
    passed, failed = (validate.whole(f"tests of {name}", number, 0, 2**31) for number in given)
    return passed, failed
