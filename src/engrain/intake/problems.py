"""Problems and attempts to solve them, checked and without secrets, whatever form they come in."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from engrain.errors import InvalidField
from engrain.intake import validate
from engrain.intake.redact import redact, redact_value, refuse_secret
from engrain.model.fix import Attempt, Problem

TEXT = validate.CONTENT_BYTES  # characters of a message, a trace, a log, a prompt, a response
COMMANDS = 200
COMMAND = 64 << 10  # characters
LONGEST = 366 * 86400.0  # seconds of an attempt
TITLE = 200
_NAMES = {  # what others call a field
    "model": "target",
    "model_name": "target",
    "service": "target",
    "file": "target",
    "issue_type": "type",
    "description": "message",
    "error": "message",
    "error_message": "message",
    "test_prompt": "prompt",
    "actual_response": "response",
    "traceback": "trace",
    "stack_trace": "trace",
    "test_name": "test",
}
_TEXTS = ("message", "trace", "log", "prompt", "response")
_SHORT = ("type", "target", "test", "fingerprint")
_FIELDS = (*_TEXTS, *_SHORT)
_GAPS = re.compile(r"[\s-]+")


def problem(given: object, type: object = None, target: object = None) -> Problem:
    """A Problem of a text, an exception, a mapping of its fields (or of those that issue data elsewhere has, such as
    model, issue_type, test_prompt, actual_response; what has no field of its own becomes metadata) or a Problem. Its
    type is one word in lower case."""
    if isinstance(given, Problem):
        found = {name: getattr(given, name) for name in _FIELDS}
        extra: Mapping[str, Any] = given.metadata
    elif isinstance(given, BaseException):
        found = {
            "message": "".join(traceback.format_exception_only(given)).strip(),
            "trace": "".join(traceback.format_exception(given)),
        }
        extra = {}
    elif isinstance(given, Mapping):
        found, extra = _sorted_out(given)
    else:
        found, extra = {"message": given}, {}
    for name, value in (("type", type), ("target", target)):
        if value is not None:
            found[name] = value
    values = {name: value for name, value in found.items() if value is not None}
    if isinstance(values.get("type"), str):
        values["type"] = _type(values["type"])
    if not isinstance(values.get("message", ""), str) or not values.get("message", "").strip():
        values["message"] = _told(values, extra)
    for name, value in values.items():
        limit = TEXT if name in _TEXTS else validate.FIELD_CHARACTERS
        blank = name in ("response", "prompt", "log", "trace")
        values[name] = validate.text(f"the problem's {name}" if name != "message" else "problem", value, limit, blank)
    values["type"] = values.get("type") or _kind(given, values, extra)
    return Problem(**values, metadata=validate.metadata(dict(extra) or None))


def attempt(given: object, commands: object, told: Mapping[str, Any]) -> Attempt:
    """An Attempt of the arguments of ``record_fix``; ``told``: those by name."""
    what = problem(given, told.get("type"), told.get("target"))
    known = (*_CHECKS, "type", "target")
    unknown = [name for name in told if name not in known]
    if unknown:
        raise InvalidField(f"record_fix() has no field {validate.shown(unknown[0])}; it has {', '.join(known)}.")
    values = {name: check(told[name]) for name, check in _CHECKS.items() if told.get(name) is not None}
    seconds = values.pop("seconds", None)
    found = Attempt(what, what.type or "error", _commands(commands), **values)
    if found.verified and found.success is not True:
        raise InvalidField("verified=True says that something independent saw it work: give success=True with it.")
    return found if seconds is None else replace(found, micros=round(seconds * 1e6))


def without_secrets(one: Attempt) -> Attempt:
    """The same without secrets. One in a name is refused: cutting it out would change what is looked up by."""
    for name in ("fixer", "session", "task_id"):
        refuse_secret(name, getattr(one, name))
    commands = tuple(redact(command).text for command in one.commands)
    system, analysis, notes = redact_value(dict(one.system))[0], without_secret(one.analysis), without_secret(one.notes)
    what = clean(one.problem)
    return replace(one, problem=what, commands=commands, system=system, analysis=analysis, notes=notes)


def without_secret(text: str | None) -> str | None:
    """The text without secrets."""
    return None if text is None else redact(text).text


def clean(one: Problem) -> Problem:
    """The problem without secrets."""
    for name in _SHORT:
        refuse_secret(name, getattr(one, name))
    texts = {name: redact(text).text for name in _TEXTS if (text := getattr(one, name)) is not None}
    return replace(one, metadata=redact_value(dict(one.metadata))[0], **texts)


def _sorted_out(given: Mapping[Any, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(fields, whatever else there is) of a mapping; a field's own name goes before another's for it."""
    found = {name: given[name] for name in _FIELDS if given.get(name) is not None}
    extra: dict[str, Any] = {}
    for name, value in given.items():
        meant = _NAMES.get(name) if isinstance(name, str) else None
        if meant is not None and meant not in found:
            if value is not None:
                found[meant] = value
        elif name == "metadata" and isinstance(value, Mapping):
            extra |= value
        elif name not in _FIELDS:
            extra[name] = value
    return found, extra


def _told(values: Mapping[str, Any], extra: Mapping[str, Any]) -> str:
    """A message for a problem that came without one."""
    for name in ("trace", "log", "test", "prompt"):
        text = values.get(name)
        if isinstance(text, str) and (lines := text.strip().splitlines()):
            return f"{values.get('type', 'problem')}: {lines[-1 if name == 'trace' else 0][:TITLE]}"
    for name in ("exception", "type"):
        text = extra.get(name, values.get(name))
        if isinstance(text, str) and text.strip():
            return text
    raise InvalidField("problem is empty; say what went wrong: a message, an exception, a log excerpt, a test.")


def _kind(given: object, values: Mapping[str, Any], extra: Mapping[str, Any]) -> str:
    if values.get("test"):
        return "test_failure"
    return "exception" if isinstance(given, BaseException) or values.get("trace") or "exception" in extra else "error"


def _type(value: str | None) -> str | None:
    """As it is kept. A secret stays as it came: in lower case nobody would know it any more (see ``clean``)."""
    if value is None or redact(value[: validate.FIELD_CHARACTERS]).rules:
        return value
    return _GAPS.sub("_", value.strip()).lower()


def type_name(value: object) -> str:
    """The type of an issue as it is kept: one word in lower case."""
    return str(_type(validate.text("type", value, validate.FIELD_CHARACTERS)))


def _commands(given: object) -> tuple[str, ...]:
    several = [given] if isinstance(given, str) else given
    if not isinstance(several, Sequence) or isinstance(several, bytes | bytearray):
        raise InvalidField(f"commands must be text or a list of texts, not {validate.shown(given)}.")
    if len(several) > COMMANDS:
        raise InvalidField(f"There are {len(several)} commands and the limit is {COMMANDS}.")
    texts = [validate.text("a command", one, COMMAND, blank=True) for one in several]
    return tuple(one for one in texts if one.strip())


def _short(name: str) -> Callable[[Any], str]:
    return lambda value: validate.text(name, value, validate.FIELD_CHARACTERS)


def _system(value: Any) -> Mapping[str, Any]:
    try:
        return validate.metadata(value)
    except InvalidField as error:
        raise InvalidField(str(error).replace("metadata", "system")) from error


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "analysis": lambda value: validate.text("analysis", value, TEXT),
    "fixer": _short("fixer"),
    "success": lambda value: validate.flag("success", value),
    "verified": lambda value: validate.flag("verified", value),
    "seconds": lambda value: validate.number("seconds", value, 0.0, LONGEST),
    "system": _system,
    "notes": lambda value: validate.text("notes", value, TEXT),
    "session": _short("session"),
    "task_id": _short("task_id"),
    "visibility": validate.visibility,
    "occurred_at": lambda value: validate.moment("occurred_at", value),
}
