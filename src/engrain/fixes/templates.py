"""Templates: masked lines that differ only in values are one event, as soon as there is evidence for it.

Masks cannot know that *alice* and *bob* are values. `Miner` compares masked lines that have the same delimiters at the
same places, piece by piece, and replaces a place by ``<*>`` when enough different words stood there while all the rest
was equal. What counts as enough depends on the words: a structured name (``a.b.c``, ``x/y``, ``node-<*>``) speaks for a
value, a word that tells what happened (*failed*, *starting*, ``RUNNING``) against it, and so does the first word of a
line. The groups are a function of the **set** of lines: neither order nor number of repetitions matters.

Drawn from: SLCT (Vaarandi 2003), words that are frequent at a place; IPLoM (Makanju et al. 2009), places with few
words; Drain (He et al. 2017), first words and length part events; Brain (Yu et al. 2023), common columns first, then
variable ones by the number of their words.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from engrain.fixes.masks import MASK

Pieces = tuple[str, ...]


class Grouper(Protocol):
    """Which texts of one kind and scope are one issue: those with equal labels. `Miner` is one, `Alone` another."""

    def add(self, scope: str, line: str) -> None:
        """Take a text in; cheap."""

    def settle(self) -> bool:
        """Bring the labels up to date; whether any may have changed."""

    def label(self, scope: str, line: str) -> str:
        """The group of a text that was added, as of the last `settle`."""

    def fit(self, scope: str, line: str) -> str | None:
        """The label of a group that is known to hold more than one text and that a text fits, else None."""

    def show(self, scope: str, line: str) -> str:
        """What is common to the group of a text that was added."""


class Alone:
    """For kinds where what differs stays apart."""

    def add(self, scope: str, line: str) -> None:
        """Nothing to take in."""

    def settle(self) -> bool:
        """Nothing ever changes."""
        return False

    def label(self, scope: str, line: str) -> str:
        """The text itself."""
        return f"{scope}\x1f{line}"

    def fit(self, scope: str, line: str) -> str | None:
        """None: a text is its own group."""

    def show(self, scope: str, line: str) -> str:
        """The text itself."""
        return line


VALUES = 4.0  # different words at one place, of weight 1, that make it a value; 4 to 6 is a plateau
STRUCTURED = 2.0  # weight of a word with structure
TELLING = 1 / 3  # weight of a word that tells what happened
BESIDE_VALUE = 1.0  # weight needed where the place is known to hold values
FEW_WORDS = {0: 1e9, 1: 2.5, 2: 1.5}  # times as much where only so many words stay
FIRST = 2.0  # times as much for the first word
TOGETHER = 1.5  # times as much for each of several places that change together
WORDS = 3  # that stay where several places change
LENGTHS = 3  # different lengths of a list of values that make it a list of any length
MOST = 63  # pieces; longer lines are events of their own
PATTERNS = 32  # of places of values, tried when a line is fitted

_PIECE = re.compile(r"(?:<\*>|[^\s=,;:()\[\]{}|\"'<>!?.]|\.(?!\s|$))+|[=,;:()\[\]{}|\"'<>!?.]")
_DELIMITERS = frozenset("=,;:()[]{}|\"'<>!?.")
_WORD = re.compile(r"[^\W\d_]{2,}")
_STRUCTURED = re.compile(r"\..*\.|[/@\\$#]|<\*>.*<\*>|<\*>.*[-._]|[-._].*<\*>")
_TELLING = re.compile(
    r"\w+(?:ed|ing|ion|able)|ok|up|down|on|off|success|successful\w*|fail|failure|fatal|error|warn|warning|info|debug|start"
    r"|stop|open|close|begin|end|ready|idle|busy|active|inactive|normal|critical|timeout|lost|found|not|no|done",
    re.IGNORECASE,
)


def pieces(line: str) -> Pieces:
    """A masked line in words and delimiters; values that follow one another are one."""
    return _collapsed(_PIECE.findall(line))


@dataclass(slots=True)
class _Bucket:
    """Lines with the same delimiters at the same places: only these can be one event."""

    lines: set[Pieces] = field(default_factory=set)
    mined: dict[Pieces, Pieces] = field(default_factory=dict)  # line → template, of the lines that were looked at
    patterns: list[tuple[int, ...]] = field(default_factory=list)  # places of values in templates, most frequent first
    templates: set[Pieces] = field(default_factory=set)


class Miner:
    """Groups of masked lines, each within its scope. `add` is cheap; `settle` looks at what has come since.

    A label names a group: lines of one scope with equal labels are one event. Labels change as evidence comes.
    """

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self._stale: set[tuple[str, str]] = set()
        self._lengths: dict[tuple[str, Pieces], Counter[Pieces]] = defaultdict(Counter)
        self._parts: dict[tuple[str, str], tuple[tuple[str, str], Pieces]] = {}  # of the lines that were added

    def add(self, scope: str, line: str) -> None:
        """Take a masked line in."""
        key, parts = self._parts[scope, line] = self._place(scope, line)
        bucket = self._buckets.setdefault(key, _Bucket())
        if parts not in bucket.lines:
            bucket.lines.add(parts)
            self._stale.add(key)

    def settle(self) -> bool:
        """Bring the groups up to date; whether any label may have changed."""
        stale, self._stale = self._stale, set()
        for key in stale:
            bucket = self._buckets[key]
            self._count(key[0], bucket, -1)
            bucket.mined = mine(bucket.lines)
            bucket.templates = {found for found in bucket.mined.values() if MASK in found}
            frequent = Counter(_places(found) for found in bucket.templates)
            bucket.patterns = sorted(frequent, key=lambda at: (-frequent[at], at))[:PATTERNS]
            self._count(key[0], bucket, 1)
        return bool(stale)

    def label(self, scope: str, line: str) -> str:
        """The group of a line that was added, as of the last `settle`; a new line is a group of its own."""
        key, parts = self._place(scope, line)
        bucket = self._buckets.get(key)
        return self._label(scope, bucket.mined.get(parts, parts) if bucket else parts)

    def fit(self, scope: str, line: str) -> str | None:
        """The label of a known template that a line fits, be it added or not; None when there is none."""
        key, parts = self._place(scope, line)
        bucket = self._buckets.get(key)
        if bucket is None:
            return None
        found = parts if parts in bucket.templates else _fitting(parts, bucket.templates, bucket.patterns)
        return None if found is None else self._label(scope, found)

    def show(self, scope: str, line: str) -> str:
        """The template of a line that was added, spaced as the line is."""
        key, parts = self._place(scope, line)
        bucket = self._buckets.get(key)
        mined = bucket.mined.get(parts, parts) if bucket else parts
        if mined == parts:
            return line
        at, shown, end = -1, [], 0
        last = ""
        for match in _PIECE.finditer(line):
            if not (match[0] == MASK == last):  # as `_collapsed` counts
                at += 1
            last = match[0]
            shown += [line[end : match.start()], mined[at] if match[0] not in _DELIMITERS else match[0]]
            end = match.end()
        return re.sub(r"<\*>(?: <\*>)+", MASK, "".join(shown) + line[end:])

    def _place(self, scope: str, line: str) -> tuple[tuple[str, str], Pieces]:
        """The bucket of a line, and its pieces."""
        if known := self._parts.get((scope, line)):
            return known
        parts = pieces(line)
        return (scope, _skeleton(parts)), parts

    def _label(self, scope: str, template: Pieces) -> str:
        short, listed = _names(template)
        known = self._lengths.get((scope, listed))
        return scope + "\x1f" + " ".join(listed if known and len(known) >= LENGTHS else short)

    def _count(self, scope: str, bucket: _Bucket, sign: int) -> None:
        """Keep count of the lengths of lists of values, over all buckets: a list's length changes the delimiters."""
        for short, listed in {_names(found) for found in bucket.mined.values()}:
            counts = self._lengths[scope, listed]
            counts[short] += sign
            if counts[short] <= 0:
                del counts[short]


def mine(lines: Iterable[Pieces]) -> dict[Pieces, Pieces]:
    """The template of each line. All lines have the same delimiters at the same places."""
    found = {line: line for line in lines}
    while True:
        templates = set(found.values())
        if len(templates) < 2 or len(next(iter(templates))) > MOST:
            return found
        free = _one_place(templates) or _many_places(templates) or _fits(templates)
        if not free:
            return found
        wider = {line: _freed(line, places) for line, places in free.items()}
        found = {line: wider.get(template, template) for line, template in found.items()}


def _one_place(templates: Collection[Pieces]) -> dict[Pieces, Collection[int]]:
    """Places where enough words stood while all the rest was equal."""
    columns: dict[int, list[Pieces]] = {}
    for line in templates:
        hashes = [hash((place, piece)) for place, piece in enumerate(line)]
        total = sum(hashes)
        for place, piece in enumerate(line):
            if piece not in _DELIMITERS:  # the sum without this place stands for all the rest
                columns.setdefault((total - hashes[place]) * (MOST + 1) + place, []).append(line)
    free: dict[Pieces, Collection[int]] = {}
    for key, alike in columns.items():
        if len(alike) < 2:
            continue
        place = key % (MOST + 1)
        found = {line[place] for line in alike}
        needed = BESIDE_VALUE if MASK in found else VALUES
        if _weight(found) >= needed * _care(alike[0], place):
            for line in alike:
                if line[place] != MASK:
                    free[line] = {*free.get(line, ()), place}
    return free


def _many_places(templates: Collection[Pieces]) -> dict[Pieces, Collection[int]]:
    """Places that change together: what is frequent at its place stays, when enough of it stays and each of the other
    places holds enough words. Of several ways the one that frees the fewest places."""
    if len(templates) < VALUES * TOGETHER:
        return {}
    support = Counter((place, piece) for line in templates for place, piece in enumerate(line))
    groups: dict[tuple[str | None, ...], list[Pieces]] = defaultdict(list)
    for line in templates:
        counts = [len(templates) + 1 if _fixed(piece) else support[place, piece] for place, piece in enumerate(line)]
        for least in sorted(set(counts))[1:]:
            kept = tuple(piece if count >= least else None for piece, count in zip(line, counts, strict=True))
            groups[kept].append(line)
    free: dict[Pieces, tuple[int, ...]] = {}
    for kept, alike in groups.items():
        places = tuple(place for place, piece in enumerate(kept) if piece is None)
        staying = sum(1 for piece in kept if piece and _WORD.search(piece))
        if len(alike) < VALUES * TOGETHER or len(places) < 2 or staying < max(WORDS, len(places)):
            continue
        if all(_weight({line[p] for line in alike}) >= VALUES * TOGETHER * (FIRST if p == 0 else 1) for p in places):
            for line in alike:
                free[line] = min(free.get(line, places), places, key=lambda at: (len(at), at))
    return dict(free)


def _fits(templates: Collection[Pieces]) -> dict[Pieces, Collection[int]]:
    """Lines that fit a template that was found without them."""
    known = {line for line in templates if MASK in line}
    frequent = Counter(_places(line) for line in known)
    patterns = sorted(frequent, key=lambda at: (-frequent[at], at))[:PATTERNS]
    free: dict[Pieces, Collection[int]] = {}
    for line in templates:
        if fitting := _fitting(line, known, patterns):
            free[line] = [p for p, (a, b) in enumerate(zip(line, fitting, strict=True)) if a != b]
    return free


def _fitting(line: Pieces, known: Collection[Pieces], patterns: Iterable[tuple[int, ...]]) -> Pieces | None:
    """The template of `known` with the fewest values that a line fits. What it has at a value's place must look like
    one, and enough words must be left to tell the event by."""
    best: tuple[int, Pieces] | None = None
    for places in patterns:
        fitted = _freed(line, places)
        if fitted == line or fitted not in known:
            continue
        new = [line[place] for place in places if line[place] != MASK]
        staying = sum(1 for piece in fitted if _WORD.search(piece))
        if staying >= max(WORDS, len(new)) and all(_weight({piece}) >= 1 for piece in new):
            best = min(best or (len(places), fitted), (len(places), fitted))
    return best[1] if best else None


def _weight(found: Iterable[str]) -> float:
    """How much words at one place speak for a value. Exactly so in any order of the words, which come from sets."""
    return math.fsum(map(_speaks, found))


def _speaks(word: str) -> float:
    if word == MASK:
        return 0.0
    if _STRUCTURED.search(word):
        return STRUCTURED
    return TELLING if _TELLING.fullmatch(word) or (len(word) > 1 and word.isupper()) else 1.0


def _care(line: Pieces, place: int) -> float:
    """How many times as much is needed to free one place of a line."""
    staying = sum(1 for at, piece in enumerate(line) if at != place and _WORD.search(piece))
    return FEW_WORDS.get(staying, 1.0) * (FIRST if place == 0 else 1)


def _fixed(piece: str) -> bool:
    return piece == MASK or piece in _DELIMITERS


def _freed(line: Pieces, places: Collection[int]) -> Pieces:
    return tuple(MASK if place in places else piece for place, piece in enumerate(line))


def _places(line: Pieces) -> tuple[int, ...]:
    return tuple(place for place, piece in enumerate(line) if piece == MASK)


def _skeleton(line: Pieces) -> str:
    return "".join([piece if piece in _DELIMITERS else "_" for piece in line])


@lru_cache(1 << 15)
def _names(template: Pieces) -> tuple[Pieces, Pieces]:
    """A template with values that follow one another as one, and so those with commas between."""
    short = _collapsed(template)
    return short, _listed(short)


def _collapsed(line: Iterable[str]) -> Pieces:
    """Values that follow one another are one."""
    short: list[str] = []
    for piece in line:
        if not (piece == MASK and short and short[-1] == MASK):
            short.append(piece)
    return tuple(short)


def _listed(line: Pieces) -> Pieces:
    """Values with commas between are one: a list, whatever its length."""
    short: list[str] = []
    for piece in line:
        if piece == MASK and len(short) > 1 and short[-1] in ",;" and short[-2] == MASK:
            short.pop()
        else:
            short.append(piece)
    return tuple(short)
