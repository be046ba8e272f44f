"""What of a problem tells which issue it is: the one place that knows the names of a problem's fields."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from engrain.errors import InvalidField
from engrain.fixes.masks import HEAD

MESSAGE = ("message", "error", "description", "issue_description", "text", "msg", "summary", "log", "event")
TYPE = ("type", "issue_type", "exception", "test")
PROMPT = ("prompt", "test_prompt", "input")
RESPONSE = ("response", "actual_response", "output")

_SHORT, _MEDIUM = 500, 5_000  # characters
_WRONG = re.compile(
    r"\b(?:\w*error|\w*exception|fail\w*|fatal|panic|critical|cannot|can't|could not|couldn't|unable|denied|refused|"
    r"timed out|timeout|abort\w*|traceback)\b",
    re.IGNORECASE,
)
_JSON_LONG = 1 << 16  # characters of a log line in JSON that are read


def as_mapping(problem: object) -> Mapping[str, Any] | None:
    """A mapping, or the fields of a value such as `engrain.model.fix.Problem`; None for what has no fields."""
    if isinstance(problem, Mapping):
        return problem
    if is_dataclass(problem) and not isinstance(problem, type):
        return {one.name: getattr(problem, one.name) for one in fields(problem)}
    return None


def length_class(text: str) -> str:
    """The size of a response as a class: two answers of one kind are never of exactly one length."""
    size = len(text.strip())
    return "empty" if not size else "short" if size < _SHORT else "medium" if size < _MEDIUM else "long"


def evidence(problem: object) -> tuple[str, str]:
    """(scope, text) of a problem: texts are compared within their scope only.

    A message stands for itself, in whatever form it came. Only a problem without one is told by its type, the words of
    its prompt and the class of its response. The target is never part of it: an issue may befall many targets.
    """
    if isinstance(problem, str):
        return "", telling(problem)
    if isinstance(problem, BaseException):
        return "", telling("".join(traceback.format_exception_only(problem)))
    told = as_mapping(problem)
    if told is None:
        raise InvalidField(f"a problem is a text, a mapping or an exception, not {type(problem).__name__}.")
    if message := _first(told, MESSAGE):
        return "", telling(message)
    scope = [f"{name}={value}" for name in TYPE if (value := _first(told, (name,)))]
    response = next((told[name] for name in RESPONSE if isinstance(told.get(name), str)), None)
    if response is not None:
        scope.append(f"response={length_class(response)}")
    if prompt := _first(told, PROMPT):
        return " ".join(scope), telling(prompt)
    if scope:
        return " ".join(scope), ""
    return "", " ".join(f"{key}={_plain(value)}" for key, value in sorted(told.items(), key=lambda pair: str(pair[0])))


def telling(text: str) -> str:
    """The part of a text that tells the event: of several lines the first that says that something is wrong, else the
    first; with what follows it when it only leads there. Of a log line in JSON its message."""
    text = text[:_JSON_LONG].strip()
    if text.startswith("{") and text.endswith("}"):
        text = _of_json(text) or text
    if "\n" not in text:
        return text[:HEAD]
    lines = [line.strip() for line in text[: 4 * HEAD].splitlines() if line.strip()]
    start = next((at for at, line in enumerate(lines) if _WRONG.search(line)), 0)
    chosen = lines[start]
    for line in lines[start + 1 : start + 4]:
        if not chosen.endswith(":") and len(chosen.split()) >= 4:
            break
        chosen += " " + line
    return chosen[:HEAD]


def _of_json(text: str) -> str | None:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return _first(told, MESSAGE) if isinstance(told, dict) else None


def _first(told: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((value for name in names if isinstance(value := told.get(name), str) and value.strip()), None)


def _plain(value: object) -> str:
    try:
        return json.dumps(value, sort_keys=True, default=lambda one: type(one).__name__)[:HEAD]
    except (TypeError, ValueError, RecursionError):  # keys that cannot be sorted, a value that holds itself
        return type(value).__name__
