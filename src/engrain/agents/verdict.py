"""What came of a piece of work, read from what it returned or raised. Nothing is taken for a success that does not say
so.

==============================================  ==============================================================
returned or raised                              the outcome
==============================================  ==============================================================
an Outcome                                      that
True, False                                     success or failure, claimed
something with a ``returncode`` (a process)     success when it is 0, executed
a mapping with ``exit_code`` or ``returncode``  success when it is 0, executed
… with ``tests``: (passed, failed)              success when some passed and none failed, executed; quality their share
… with ``success``                              what it says, claimed, or as its ``evidence`` says
an exception                                    failure, executed: it was run, and broke
None, text, a number, anything else             unknown
==============================================  ==============================================================

In a mapping what was executed beats what is only said, tests beat an exit code, and a failure of either is one. Further
parts of an outcome (quality, seconds, feedback …) may stand in it; a part that is not of its type or out of its range
is left out, and named in ``odd``. ``action`` or ``strategy`` says what was really done.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from engrain.agents.whose import checked_weights
from engrain.errors import InvalidField
from engrain.model.decision import EVIDENCE, Outcome

_RANGES = {
    "seconds": (0.0, 1e12),
    "budget_seconds": (1e-9, 1e12),
    "quality": (0.0, 1.0),
    "resources": (0.0, 1.0),
    "feedback": (-1.0, 1.0),
    "reward": (-2.0, 2.0),
}
_ERROR = 2_000  # characters of an error that are kept
_NAME = 200  # characters of an action


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, the action that was taken where that was told, and what could not be read."""

    outcome: Outcome
    action: str | None = None
    odd: tuple[str, ...] = ()


def outcome_of(result: Any) -> Outcome:
    """The outcome that a result stands for; see the table above."""
    return verdict_of(result).outcome


def verdict_of(result: Any, reads: Mapping[str, str] | None = None) -> Verdict:
    """The verdict on what was returned or raised. ``reads`` names further parts: {"quality": "mutation_score"} takes a
    mapping's ``mutation_score`` for the quality, where it names none itself."""
    if isinstance(result, Outcome):
        found = _of_mapping({field.name: getattr(result, field.name) for field in fields(Outcome)}, {})
        try:
            weights, odd = checked_weights(result.weights), found.odd
        except InvalidField as error:
            weights, odd = None, (*found.odd, error.detail)
        return Verdict(replace(found.outcome, weights=weights), found.action, odd)
    if isinstance(result, bool):
        return Verdict(Outcome(success=result))
    if isinstance(result, BaseException):
        return Verdict(failure(result))
    if isinstance(result, Mapping):
        return _of_mapping(result, reads or {})
    code = _whole(getattr(result, "returncode", None))
    return Verdict(Outcome() if code is None else Outcome(success=code == 0, evidence="executed"))


def failure(error: BaseException) -> Outcome:
    """The outcome of work that raised."""
    return Outcome(success=False, evidence="executed", error=shown(error))


def shown(error: BaseException | str) -> str:
    """An error in one text, of bounded length; valid Unicode whatever it holds."""
    try:
        text = error if isinstance(error, str) else f"{type(error).__name__}: {error}".removesuffix(": ")
    except Exception as broken:  # noqa: BLE001 (an error that cannot tell itself is one all the same)
        text = f"{type(error).__name__} whose str() raised {type(broken).__name__}"
    return text.encode("utf-8", "replace").decode().replace("\x00", " ")[:_ERROR].strip() or "no reason was given"


def stronger(one: Outcome, other: Outcome) -> Outcome:
    """The verdict that rests on better evidence, ``other`` when they are equal, with the parts that only the weaker
    one knows. One without a verdict gives its parts alone."""
    levels = [EVIDENCE.index(each.evidence) if decided(each) else -1 for each in (one, other)]
    better, worse = (other, one) if levels[1] >= levels[0] else (one, other)
    parts = [field.name for field in fields(Outcome) if field.name not in ("success", "evidence", "error", "reward")]
    missing = {name: getattr(worse, name) for name in parts if getattr(better, name) is None}
    return replace(better, **missing)


def decided(outcome: Outcome) -> bool:
    """Whether it says how it ended."""
    return outcome.success is not None or outcome.reward is not None


def _of_mapping(result: Mapping[Any, Any], reads: Mapping[str, str]) -> Verdict:
    odd: list[str] = []
    parts: dict[str, Any] = {
        part: number for part in _RANGES if (number := _part(result, part, reads.get(part), odd)) is not None
    }
    code = next((_whole(result[key]) for key in ("exit_code", "returncode") if result.get(key) is not None), None)
    tests = _tests(result.get("tests"), odd)
    ran: bool | None = None if code is None else code == 0
    if tests is not None and tests != (0, 0):
        ran = tests[1] == 0 and ran is not False
        parts.setdefault("quality", tests[0] / (tests[0] + tests[1]))
    said: Any = result.get("success")
    said = said.item() if getattr(said, "shape", None) == () else said  # a truth of an array library
    if said is not None and not isinstance(said, bool):
        odd.append(f"success is {_short(said)}, not true or false")
        said = None
    level = result.get("evidence") or "claimed"
    if level not in EVIDENCE:
        odd.append(f"evidence is {_short(level)}, not one of {', '.join(EVIDENCE)}")
        level = "claimed"
    if ran is not None and (said is None or level != "verified"):
        said, level = ran, "executed"
    error = result.get("error")
    told = shown(error) if isinstance(error, str | BaseException) and error and said is not True else None
    outcome = Outcome(success=said, evidence=level, error=told, **parts)
    return Verdict(outcome, _action(result, odd), tuple(odd))


def _part(result: Mapping[Any, Any], name: str, alias: str | None, odd: list[str]) -> float | None:
    key = name if result.get(name) is not None or alias is None else alias
    value = result.get(key)
    if value is None:
        return None
    low, high = _RANGES[name]
    try:
        number = math.nan if isinstance(value, bool | str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if low <= number <= high and math.isfinite(number):
        return number
    odd.append(f"{key} is {_short(value)}, not a number from {low:g} to {high:g}")
    return None


def _tests(value: Any, odd: list[str]) -> tuple[int, int] | None:
    if value is None:
        return None
    pair = (value.get("passed"), value.get("failed", 0)) if isinstance(value, Mapping) else value
    if isinstance(pair, list | tuple) and len(pair) == 2:
        passed, failed = _whole(pair[0]), _whole(pair[1])
        if passed is not None and failed is not None and passed >= 0 and failed >= 0:
            return passed, failed
    odd.append(f"tests is {_short(value)}, not how many passed and how many failed")
    return None


def _action(result: Mapping[Any, Any], odd: list[str]) -> str | None:
    for key in ("action", "strategy"):
        value = result.get(key)
        if value is None:
            continue
        if isinstance(value, str) and value.strip() and len(value) <= _NAME:
            return value
        odd.append(f"{key} is {_short(value)}, not a name")
    return None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 (what a result holds is not ours; it must not fail the work)
        text = f"{type(value).__name__} whose repr() raised {type(error).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."
