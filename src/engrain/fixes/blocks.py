"""From text to a trace: runs of frames, and what stands above or below each.

All languages share one shape: a run of lines that are calls, and a line that names the exception. Where that line
stands, and which run was caused by which, is all that differs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from engrain.fixes.dialects import NAME, READERS, header, place
from engrain.fixes.frames import Frame, Trace

TEXT = 256 * 1024  # characters looked at: the first three quarters and the last quarter of what is longer
LINE, LINES, FRAMES, MESSAGE, RUNS = 1000, 20_000, 128, 2000, 16

_CAUSES = ("Caused by: ", "[cause]: ", "Next ", "Caused by ")
_BREAKS = (*_CAUSES, "Suppressed: ", "---> ", "--- End of inner", "During handling", "The above exc", "Traceback (most")
_GROUP = re.compile(r"^\s*(?:[|+]\s?)+(?:-[-+ \d.]*$)?")
_PANICKED = re.compile(r"thread '([^']*)'(?: \(\d+\))? panicked at (?:'(.*)', )?(\S+:\d+:\d+):?$")
_RUBY = re.compile(rf":in [`'][^']*': (.*) \(({NAME})\)$")
_RAILS = re.compile(rf"(?<![\w$.:\\])({NAME}) \((.*)\):$")
_PHP = re.compile(rf"(?:Uncaught |Next )({NAME}): (.*?)(?: in \S+:\d+)?$")
_PYTEST = re.compile(r"^(\S+\.py):(\d+): ?(?:in (\S+)|([A-Za-z_][\w.]*))?$")
_DEF = re.compile(r"^\s*(?:async )?def (\w+)\(")
_TESTS = tuple(
    re.compile(pattern)
    for pattern in (
        r"^(?:FAILED|ERROR) (\S+::\S+)",  # pytest's summary
        r"^_{3,} (?:ERROR at \w+ of )?([\w.\[\]-]+) _{3,}$",  # … and its sections
        r"^--- FAIL: (\S+)",  # go test
        r"^● (.+ › .+)$",  # jest
        r"^(\w+)\(([\w.$]+)\)\s+Time elapsed",  # surefire
        r"^(?:FAIL|ERROR): (\w+) \(([\w.]+)\)$",  # unittest
    )
)


@dataclass(slots=True)
class Run:
    """Calls that stand together: lines [start, end) of the text, its ``head`` above, its ``tail`` below, its
    ``first`` line."""

    dialect: str
    start: int
    end: int
    frames: list[Frame] = field(default_factory=list)
    head: list[str] = field(default_factory=list)
    first: str = ""
    tail: list[str] = field(default_factory=list)


def parse(text: str) -> Trace | None:
    """The first failure told in a text, None where no calls and no panic are told."""
    lines = _lines(text)
    test = _test(lines)
    trace = _pytest(lines) or _panic(lines)
    if trace is None and (runs := _runs(lines)):
        trace = _python(runs) if runs[0].dialect == "python" else _headed(runs)
    if trace is None:
        return None
    return Trace(trace.exception, trace.message, trace.frames, trace.test or test, trace.causes, "", trace.others)


def _lines(text: str) -> list[str]:
    if len(text) > TEXT:
        text = text[: TEXT * 3 // 4] + "\n" + text[-TEXT // 4 :]
    lines = [line[:LINE].rstrip() for line in text.splitlines()[:LINES]]
    if "Exception Group Traceback" in text:
        lines = [_GROUP.sub("", line) if line.lstrip()[:1] in {"|", "+"} else line for line in lines]
    return lines


def _test(lines: Sequence[str]) -> str:
    for pattern in _TESTS:
        for line in lines:
            if line[:1] in "FE_-● \t" or line[:1].isalpha():
                found = pattern.match(line.strip())
                if found:
                    return f"{found[2]}::{found[1]}" if pattern.groups == 2 else found[1]
    return ""


def _read(line: str, before: str) -> tuple[str, Frame] | None:
    for dialect, reader in READERS.items():
        frame = reader(line, before)
        if frame is not None:
            return dialect, frame
    return None


def _gap(line: str, stripped: str, dialect: str) -> bool:
    """Whether a line that is no call may stand between two calls."""
    if stripped.startswith(_BREAKS):
        return False
    if dialect == "go":
        return stripped.endswith(")") or stripped.startswith("created by ")
    if not stripped:
        return dialect != "python"
    return line[:1] in " \t" and not (stripped.startswith("... ") and stripped.endswith(" more"))


def _runs(lines: Sequence[str]) -> list[Run]:
    runs: list[Run] = []
    open_, before, ended = False, "", 0
    for index, line in enumerate(lines):
        stripped = line.strip()
        found = _read(stripped, before) if stripped else None
        if found and open_ and runs[-1].dialect == found[0]:
            runs[-1].frames.append(found[1])
            runs[-1].end = index + 1
        elif found:
            if len(runs) == RUNS:
                break
            head = list(lines[max(ended, index - 60) : index])
            runs.append(Run(found[0], index, index + 1, [found[1]], head, stripped))
            open_ = True
        elif open_ and not _gap(line, stripped, runs[-1].dialect):
            open_, ended = False, index
        before = stripped or before
    for run, following in zip(runs, [*(run.start for run in runs[1:]), len(lines)], strict=False):
        run.tail = list(lines[run.end : min(following, run.end + 40)])
    return runs


def _cut(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """At most so many frames: of an endless recursion the beginning and the end."""
    return tuple(frames) if len(frames) <= FRAMES else (*frames[: FRAMES * 3 // 4], *frames[-FRAMES // 4 :])


def _python(runs: Sequence[Run]) -> Trace | None:
    """The exception stands below its calls, and the outermost call comes first; its causes stand above."""
    chain: list[Trace] = []
    group = any("Exception Group Traceback" in line for line in runs[0].head)
    for run in runs:
        below = [line for line in run.tail if line[:1] not in {" ", "\t"} or not line.strip()]
        while below and not below[0].strip():
            below.pop(0)
        said: list[str] = []
        for line in below:
            if not line.strip() or line.startswith(_BREAKS):
                break
            said.append(line)
        name, _, message = (said[0] if said else "").partition(":")
        if not said or not re.fullmatch(NAME, name.strip()):
            name, message, said = "Exception", "", []
        message = "\n".join([message.strip(), *said[1:]]).strip()[:MESSAGE]
        chain.append(Trace(name.strip(), message, _cut(run.frames[::-1])))
        joined = any(line.startswith(("During handling", "The above exc")) for line in run.tail)
        if not joined and not group:
            break
    if group:
        return Trace(chain[0].exception, chain[0].message, chain[0].frames, others=tuple(chain[1:]))
    last = chain[-1]
    return Trace(last.exception, last.message, last.frames, causes=tuple(chain[-2::-1]))


def _headed(runs: Sequence[Run]) -> Trace | None:
    """The exception stands above its calls; what caused it stands below."""
    causes: list[Trace] = []
    others: list[Trace] = []
    top: Trace | None = None
    inner: list[tuple[str, str]] = []  # .NET: names the outermost first, and their calls the innermost first
    for run in runs:
        if inner and any(line.strip().startswith("--- End of inner") for line in run.head):
            name, message = inner.pop()
            causes = [top, *causes] if top else causes
            top = Trace(name, message, _cut(run.frames))
            continue
        name, message, how, outer = _head(run)
        if not name:
            continue
        trace = Trace(name, message, _cut(run.frames))
        if top is None:
            top, inner = trace, outer
        elif how == "outer":
            top, causes = trace, [top, *causes]
        elif how == "cause":
            causes.append(trace)
        elif how == "other":
            others.append(trace)
        else:
            break  # another failure; one problem is one failure
    return top and Trace(top.exception, top.message, top.frames, causes=tuple(causes), others=tuple(others))


def _head(run: Run) -> tuple[str, str, str, list[tuple[str, str]]]:
    """Exception, message, how it belongs to the one before, and what .NET wrapped around it."""
    lines = [line.strip() for line in run.head]
    joined = "\n".join(lines)
    if run.dialect == "go":
        for line in lines:
            kind, sign, message = line.partition(": ")
            if sign and kind in {"panic", "fatal error"}:
                first, mark, rest = message.partition(": ")
                named = mark and first == "runtime error"
                return (first if named else kind), (rest if named else message)[:MESSAGE], "", []
        return "", "", "", []
    if run.dialect == "ruby":
        return (*_ruby(run, lines), "", [])
    if run.dialect == "php":
        for line in reversed(lines):
            if found := _PHP.search(line):
                return found[1].lstrip("\\"), found[2], "outer" if "Next " in line else "", []
        return "", "", "", []
    if "---> " in joined:
        chain = [header(part.strip(), strict=False) or ("Exception", part.strip()) for part in joined.split("---> ")]
        return *chain[-1], "", chain[:-1]
    return (*_above(run.head), [])


def _ruby(run: Run, lines: Sequence[str]) -> tuple[str, str]:
    """On the line of the innermost call, or, in Rails, above it."""
    if found := _RUBY.search(run.first):
        return found[2], found[1]
    for line in reversed(lines):
        if found := _RAILS.search(line):
            return found[1], found[2]
    return "", ""


def _above(lines: Sequence[str]) -> tuple[str, str, str]:
    """The nearest line above that names an exception; the lines below it belong to its message."""
    for strict in (True, False):
        for index in range(len(lines) - 1, -1, -1):
            line, how = lines[index].strip(), ""
            if line.startswith("Suppressed: "):
                line, how = line[12:], "other"
            for mark in _CAUSES:
                if line.startswith(mark):
                    line, how = line[len(mark) :], "cause"
            if found := header(line, strict=strict):
                return found[0], "\n".join([found[1], *lines[index + 1 :]]).strip()[:MESSAGE], how
    for index, line in enumerate(map(str.strip, lines)):
        if line.startswith("● ") or "expect(" in line:
            start = index + line.startswith("● ")
            said = [part for part in lines[start:] if not re.match(r"\s*>?\s*\d* ?\|", part)]
            return "AssertionError", "\n".join(part.strip() for part in said).strip()[:MESSAGE], ""
    return "", "", ""


def _panic(lines: Sequence[str]) -> Trace | None:
    """Rust says where it panicked, with or without calls."""
    for index, line in enumerate(lines):
        if "panicked at " in line and (found := _PANICKED.search(line)):
            message = found[2] if found[2] is not None else next(iter(lines[index + 1 : index + 2]), "")
            runs = [run for run in _runs(lines[index:]) if run.dialect == "rust"]
            file, line_number = place(found[3])
            frames = _cut(runs[0].frames) if runs else (Frame("", "", file, line_number),)
            return Trace("panic", message.strip()[:MESSAGE], frames, found[1] if "::" in found[1] else "")
    return None


def _pytest(lines: Sequence[str]) -> Trace | None:
    """Sections of pytest: lines ``E  …`` say what, lines ``file.py:3: …`` say where, the outermost first."""
    said: list[str] = []
    frames: list[Frame] = []
    function, name, summary = "", "", ""
    for line in lines:
        if line.startswith(("FAILED ", "ERROR ")) and "::" in line:
            summary = summary or line
            continue
        if said and frames and line.startswith("___"):
            break  # the next test
        if found := _DEF.match(line):
            function = found[1]
        elif line.startswith("E  "):
            said.append(line[1:].strip())
        elif ".py:" in line and (where := _PYTEST.match(line)):
            frames.append(Frame(where[3] or function or "<module>", "", where[1], int(where[2][:7])))
            name = where[4] or name
    if not summary and not (said and frames):
        return None
    if not said:
        said = [summary.partition(" - ")[2]]
    first, sign, message = said[0].partition(": ")
    if re.fullmatch(NAME, first) and (sign or header(first)):
        return Trace(first, "\n".join([message, *said[1:]]).strip()[:MESSAGE], _cut(frames[::-1]))
    return Trace(name or "AssertionError", "\n".join(said).strip()[:MESSAGE], _cut(frames[::-1]))
