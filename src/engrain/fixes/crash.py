"""What makes two failures the same: the key that is equal at once, and the features by which others are like.

Of a failure in the application the innermost own calls say most; of a failing test, whose calls are the test's own, the
test, what it compared and how the two differ. Both are features of one kind, weighed by how rare they are among the
failures of a project (``likeness``).
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from engrain.fixes.frames import Frame, Trace, is_test
from engrain.fixes.likeness import Index, is_features
from engrain.fixes.signature import DETAILS, Shape, raw_id
from engrain.fixes.traces import read

__all__ = ["CrashSignature", "Crashes", "Likeness", "features", "signature"]

DEEP = 3  # own calls in the key
ROOM = 20_000  # failures that are compared with others; what comes then is told by its key alone
_CAMEL = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_WORD = re.compile(r"[A-Za-z_]+|\d+|[^\w\s]")
_MASKED = re.compile(r'"[^"]*"|\'[^\']*\'|<[^>]*>|\b0x[0-9a-fA-F]+|\S*\d\S*')
_SIDES = re.compile(r"\b(?:but was|but got|result|received|actual|got|found|was)\b:?", re.IGNORECASE)
_ASSERTION = re.compile(r"Assert|ComparisonFailure|Expectation|Mismatch", re.IGNORECASE)

Features = tuple[dict[str, float], ...]
"""One mapping of feature to strength for each of ``likeness.WEIGHTS``, in their order."""


class Likeness(Index):
    """An index of traces by likeness: see ``likeness``."""

    def add(self, id: str, trace: Trace, scope: str = "") -> None:
        """Take a trace in; an id that is known is left as it is."""
        if id not in self:
            self.put(id, features(trace), scope, _sort(trace))

    def nearest(self, trace: Trace, limit: int = 10, scope: str = "") -> list[tuple[str, float]]:
        """The most alike in the scope, the best first: (id, likeness from 0 to 1)."""
        return self.near(features(trace), limit, scope)


@dataclass(frozen=True, slots=True)
class CrashSignature:
    """Failures of one ``scope`` with one ``key`` are one issue. ``kind``: "assertion" or "crash"; ``title``: a line for
    people; ``parts``: what the key is made of; ``scope``: the project, where it was told."""

    kind: str
    key: str
    parts: tuple[str, ...]
    title: str
    trace: Trace
    scope: str = ""

    @property
    def text(self) -> str:
        """The key, and behind `signature.DETAILS` all that `Crashes` needs of it."""
        told = [self.title, _sort(self.trace), [_rounded(kind) for kind in features(self.trace)]]
        return f"{self.key}{DETAILS}{json.dumps(told, ensure_ascii=False, separators=(',', ':'))}"


def signature(problem: object) -> CrashSignature | None:
    """The signature of text, data or an exception with a stack trace or a failing test's name; else None.

    The key: exception (and that of its root cause), the innermost own calls, the masked message; the test where no own
    call but the test's stands in the trace. Numbers of lines, lambdas, proxies and generated code are not in it.
    """
    trace = problem if isinstance(problem, Trace) else read(problem)
    if trace is None or not (trace.frames or trace.causes or trace.test):
        return None
    own, _ = _calls(trace)
    calls = tuple(frame.name for frame in own[:DEEP])
    test = _test(trace)
    exceptions = (trace.exception, trace.root.exception) if trace.causes else (trace.exception,)
    members = tuple(sorted({one.exception for one in trace.others}))
    where = calls or (f"in {_untold(test)}",) if calls or test else tuple(frame.name for frame in trace.frames[:DEEP])
    parts = (*exceptions, *members, *where, masked(trace.message))
    kind = "assertion" if _ASSERTION.search(trace.exception) else "crash"
    short = trace.exception.rpartition(".")[2]
    title = f"{short}: {masked(trace.message)}" if trace.message else short
    place = where[0] if where else ""
    key = "\n".join(parts).replace(DETAILS, " ")
    return CrashSignature(kind, key, parts, f"{title} ({place})" if place else title, trace, trace.project)


class Crashes:
    """The `templates.Grouper` of crashes: `Likeness` over texts as `CrashSignature.text` writes them."""

    def __init__(self) -> None:
        self._index = Index()
        self._ids: dict[tuple[str, str], str] = {}

    def add(self, scope: str, line: str) -> None:
        """Take a text in; what tells no features stays alone."""
        known = self._ids[scope, line] = raw_id(Shape("crash", scope, line))
        if len(self._index) < ROOM and (told := _details(line)):
            self._index.put(known, told[2], scope, told[1])

    def settle(self) -> bool:
        """Bring the groups up to date; whether any may have changed."""
        return self._index.settle()

    def label(self, scope: str, line: str) -> str:
        """The group of a text that was added."""
        return f"{scope}\x1f{self._index.group_of(self._ids[scope, line])}"

    def fit(self, scope: str, line: str) -> str | None:
        """The label of the group that a text would join, None where it is alone."""
        told = _details(line)
        group = self._index.fitting(told[2], scope, told[1]) if told else None
        return group and f"{scope}\x1f{group}"

    def show(self, scope: str, line: str) -> str:
        """A line for people."""
        told = _details(line)
        return told[0] if told else line.partition("\n")[0]

    def near(self, scope: str, line: str, limit: int) -> list[tuple[str, float]]:
        """Raw ids of the most alike texts, with their likeness."""
        told = _details(line)
        return self._index.near(told[2], limit, scope) if told else []


def _sort(trace: Trace) -> str:
    """What never joins another sort. Outside of tests a different exception or innermost own call is another issue,
    however alike two failures are otherwise."""
    if _test(trace):
        return ""
    own, _ = _calls(trace)
    return f"{trace.exception} {own[0].name if own else ''}"


def _rounded(told: dict[str, float]) -> dict[str, float]:
    return {name: round(strength, 3) for name, strength in told.items()}


@lru_cache(maxsize=512)
def _details(line: str) -> tuple[str, str, Features] | None:
    """Title, sort and features of a text; None where it does not tell them."""
    try:
        title, sort, kinds = json.loads(line.partition(DETAILS)[2])
    except (ValueError, TypeError, RecursionError):
        return None
    if not isinstance(title, str) or not isinstance(sort, str) or not is_features(kinds):
        return None
    return title, sort, tuple(kinds)


def masked(message: str) -> str:
    """The first words of a message without what changes from case to case."""
    return " ".join(re.sub(r"<\*>(?:\W*<\*>)+", "<*>", _MASKED.sub("<*>", message[:1000]))[:200].split())


def features(trace: Trace) -> Features:
    """What a trace is compared by."""
    own, tests = _calls(trace)
    test = _test(trace)
    decayed = [(frame, 1.0 / math.sqrt(1 + depth)) for depth, frame in enumerate(own[:20])]
    names = dict.fromkeys(_words_of_test(test), 1.0)
    frames: dict[str, float] = {}
    places: dict[str, float] = {}
    for depth, (frame, strength) in enumerate(decayed):
        frames.setdefault(frame.name, strength)
        places.setdefault(frame.place, strength)
        if depth < DEEP:
            for word in (*camel(frame.place.rpartition(".")[2]), *camel(frame.function)):
                names.setdefault(word, 0.7 * strength)
    if not test:  # words of names would make OrderService.save and UserService.save alike; whole names do not
        names = dict(frames)
    exceptions = {one.exception: 1.0 for one in (trace, trace.root, *trace.others[:4])}
    package = _package(test, own or tests)
    message = masked(trace.message)
    words = {word.lower(): 1.0 for word in _WORD.findall(message)[:100] if len(word) > 1}
    return (
        {name: strength for name, strength in names.items() if name not in {"test", "tests"}},
        frames,
        places,
        exceptions,
        {package: 1.0} if package else {},
        {f"{trace.exception} {message}": 1.0},
        difference(trace.message),
        _borders(trace),
        words,
    )


def camel(name: str) -> list[str]:
    """The words of an identifier, in lower case."""
    return [word.lower() for word in _CAMEL.findall(name[:200])]


def _calls(trace: Trace) -> tuple[list[Frame], list[Frame]]:
    """Own calls, the innermost first and each once: of the application, and of its tests. The root cause's before those
    of what was raised from it."""
    seen: dict[str, Frame] = {}
    for one in (trace.root, trace, *trace.others[:1]):
        for frame in one.frames:
            if frame.in_app:
                seen.setdefault(frame.name, frame)
    tests = [frame for frame in seen.values() if is_test(frame)]
    known = {id(frame) for frame in tests}
    return [frame for frame in seen.values() if id(frame) not in known], tests


def _test(trace: Trace) -> str:
    """The failing test: told, or the outermost call of a test."""
    if trace.test:
        return trace.test
    frame = next((frame for frame in reversed(trace.frames) if frame.in_app and is_test(frame)), None)
    return f"{frame.module or frame.file}::{frame.function}" if frame else ""


def _untold(test: str) -> str:
    """A test without its parameters."""
    return test.partition("[")[0]


def _words_of_test(test: str) -> Iterator[str]:
    head, *rest = re.split(r"::| › ", _untold(test))
    yield from camel(
        re.sub(r"\.\w{1,4}$", "", head.replace("\\", "/").rpartition("/")[2])
        if "/" in head
        else head.rpartition(".")[2]
    )
    for name in rest:
        yield from camel(name)


def _package(test: str, frames: Iterable[Frame]) -> str:
    """Where the failing test is, or the innermost own call."""
    if test:
        head = re.split(r"::| › ", test)[0].replace("\\", "/")
        return head.rpartition("/" if "/" in head else ".")[0]
    return next((frame.place.rpartition(".")[0] for frame in frames), "")


def _borders(trace: Trace) -> dict[str, float]:
    """Foreign calls at the innermost end: the one that threw, and the one that the application made."""
    inner: list[str] = []
    for frame in trace.frames:
        if frame.in_app:
            break
        inner.append(frame.name)
    borders = {inner[-1]: 1.0} if inner else {}
    if len(inner) > 1:
        borders.setdefault(inner[0], 0.5)
    return borders


@lru_cache(maxsize=4096)
def _sides(message: str) -> tuple[str, str] | None:
    """What an assertion expected, and what it got."""
    start = message.lower().find("expected")
    if start < 0:
        return None
    rest = message[start + len("expected") :].lstrip(": ")
    found = _SIDES.search(rest)
    if not found:
        return None
    expected, got = rest[: found.start()].strip(), rest[found.end() :].strip()
    if "\n" not in expected:
        got = got.partition("\n")[0]
    return expected.strip("<>"), got.strip("<>")


def difference(message: str) -> dict[str, float]:
    """How an assertion's two sides differ: words lost and won, with their neighbours; empty where there are no sides.
    Looks at 80 words of each."""
    sides = _sides(message[:1000])
    if sides is None:
        return {}
    left, right = (_WORD.findall(side[:400])[:80] for side in sides)
    lost, won = (["0" if word.isdigit() else word.lower() for word in words] for words in (left, right))
    told: dict[str, float] = {}
    for kind, i, j, k, m in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        told.update((f"-{word}", 1.0) for word in lost[i:j])
        told.update((f"+{word}", 1.0) for word in won[k:m])
        if i:
            told[f"<{lost[i - 1]}"] = 0.5
        if j < len(lost):
            told[f">{lost[j]}"] = 0.5
        if j - i <= 2 and m - k <= 2:
            told[f"={' '.join(lost[i:j])}|{' '.join(won[k:m])}"] = 1.0
        if len(told) > 24:
            break
    return told
