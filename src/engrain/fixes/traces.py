"""What went wrong and where, read from text, from data or from a live exception."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from engrain.fixes.blocks import FRAMES, LINE, MESSAGE, RUNS, parse
from engrain.fixes.dialects import READERS, header, number
from engrain.fixes.frames import Frame, Trace, marked, settled

_NAME = re.compile(r"[\w$.<>:#/\\-]+")

__all__ = ["Frame", "Trace", "read"]


def read(problem: object, *, in_app: str | Sequence[str] = ()) -> Trace | None:
    """The trace of a problem, its frames marked as the application's own or not; None where there is none.

    ``problem``: text in which a trace of Python, Java, Kotlin, JavaScript, TypeScript, Go, Rust, .NET, Ruby or PHP
    stands, pytest's and jest's output included; an exception; or a mapping with any of ``exception`` or ``type``,
    ``message``, ``frames``, ``frames_app``, ``stack`` or ``trace`` (text, or a list of texts or of mappings with
    ``file``, ``function``, ``module``, ``line``; the innermost call first), ``log``, ``test``, ``project``. ``in_app``:
    prefixes of modules or parts of paths that are the application; without them, what is no known runtime, framework
    or package.

    Never raises: what cannot be understood is None. Looks at 256 Ki characters and 128 frames at most.
    """
    prefixes = (in_app,) if isinstance(in_app, str) else tuple(in_app)
    if isinstance(problem, str):
        trace = parse(problem)
    elif isinstance(problem, BaseException):
        trace = _live(problem)
    elif isinstance(problem, Mapping):
        trace = _told(problem)
    else:
        trace = None
    if trace is None:
        return None
    if isinstance(problem, Mapping) and not prefixes and (own := _strings(problem.get("frames_app"))):
        return _chosen(trace, own)
    return settled(trace, tuple(prefix for prefix in prefixes if prefix))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return value.splitlines()[:FRAMES]
    return [one for one in _several(value) if isinstance(one, str)]


def _several(value: object) -> list[Any]:
    return list(value[:FRAMES]) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else []


def _told(problem: Mapping[Any, Any]) -> Trace | None:
    """A mapping's own words; what it leaves out is looked for in its texts."""
    name, message = _text(problem.get("exception")), _text(problem.get("message"))
    test, project = _text(problem.get("test"))[:LINE], _text(problem.get("project"))[:LINE]
    given = next((problem[key] for key in ("frames", "stack", "trace", "frames_app") if problem.get(key)), ())
    frames = tuple(_frames(given))
    texts = (given if isinstance(given, str) else "", message, _text(problem.get("log")))
    inside = None if frames else next((found for text in texts if "\n" in text and (found := parse(text))), None)
    if inside:
        frames = inside.frames
        message = inside.message if not message or "\n" in message else message
    said = header(message.partition("\n")[0]) or ("", "")
    kind = _text(problem.get("type"))  # of an issue, or of an exception
    name = name or (inside.exception if inside else "") or (kind if header(kind) else "") or said[0]
    if not frames and (not name or not (test or problem.get("exception"))):
        return None
    name = name or kind or "Exception"
    if message.startswith(name):
        message = message[len(name) :].lstrip(": \n")
    causes, others = (inside.causes, inside.others) if inside else ((), ())
    test = test or (inside.test if inside else "")
    return Trace(name[:LINE], message[:MESSAGE], frames, test, causes, project, others)


def _frames(given: object) -> Iterable[Frame]:
    for one in _several(given):
        if isinstance(one, str):
            if frame := _frame(one[:LINE]):
                yield frame
        elif isinstance(one, Mapping):
            line = one.get("line", one.get("lineno", 0))
            function = _text(one.get("function")) or _text(one.get("name"))
            file = _text(one.get("file")) or _text(one.get("filename"))
            if function or file:
                at = number(str(line)) if isinstance(line, int | str) else 0
                yield Frame(function[:LINE], _text(one.get("module"))[:LINE], file[:LINE], at)


@lru_cache(maxsize=16384)
def _frame(line: str) -> Frame | None:
    stripped = line.strip()
    for candidate in (stripped, f"at {stripped}"):
        for reader in READERS.values():
            if frame := reader(candidate, ""):
                return frame
    name = stripped.partition("(")[0].strip()
    return Frame(*name.rpartition(".")[::-2]) if _NAME.fullmatch(name) else None  # told without a place


def _chosen(trace: Trace, own: Sequence[str]) -> Trace:
    """In-app is what the caller listed and is not foreign; beyond the end of his list, which may be cut, and where that
    leaves nothing, the one alone that is known."""
    listed = {_frame(line[:LINE]) for line in own}
    last = max((index for index, frame in enumerate(trace.frames) if frame in listed), default=-1)
    known = settled(trace)
    told = [
        mine.in_app and (index > last or frame in listed)
        for index, (frame, mine) in enumerate(zip(trace.frames, known.frames, strict=True))
    ]
    if not any(told):
        told = [frame in listed for frame in trace.frames]
    return replace(known, frames=marked(known.frames, told))


def _live(error: BaseException, depth: int = RUNS) -> Trace:
    """A raised exception: its calls, what it was raised from, and the members of a group."""
    try:
        message = str(error)[:MESSAGE]
    except Exception as broken:  # noqa: BLE001 - an exception whose text cannot be made is still an exception
        message = f"its text cannot be made: {type(broken).__name__}"
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    steps = traceback.walk_tb(error.__traceback__)
    frames = [
        Frame(step.f_code.co_name, _text(step.f_globals.get("__name__")), step.f_code.co_filename, line)
        for step, line in steps
    ]
    causes: tuple[Trace, ...] = ()
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and depth > 0:
        first = _live(cause, depth - 1)
        causes = (Trace(first.exception, first.message, first.frames, others=first.others), *first.causes)
    others: tuple[Trace, ...] = ()
    if isinstance(error, BaseExceptionGroup) and depth > 0:
        others = tuple(_live(one, depth // 2 - 1) for one in error.exceptions[:RUNS])
    kept = frames if len(frames) <= FRAMES else [*frames[: FRAMES // 4], *frames[-FRAMES * 3 // 4 :]]
    return Trace(name, message, tuple(kept[::-1]), causes=causes, others=others)
