"""Excerpts: of a text too long to be shown, the part that a question asks about."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable

from engrain.recall.analyze import analyze, spans
from engrain.recall.index import split

MARK = "…"
BORDER = 40  # characters that an excerpt is shortened by, at most, so as to begin and end with a word
_SPACE = re.compile(r"\s")


def excerpt(text: str, question: str, near: int, fits: Callable[[str], bool]) -> str:
    """The text when it fits; else the longest excerpt of it that does, around where most of what the question asks is
    said within ``near`` characters; "" when none fits."""
    if fits(text):
        return text
    around = focus(text, question, near)
    low, high = 0, len(text) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if fits(cut(text, around, middle)):
            low = middle
        else:
            high = middle - 1
    return cut(text, around, low) if low else ""


def focus(text: str, question: str, most: int) -> tuple[int, int]:
    """Where in a text most of what a question asks is said within ``most`` characters: its begin and end, of the
    passage that holds most of the question's terms, and there of the stretch that does. A term that few parts of the
    text have counts for more; of equals the first is taken. (0, 0) where nothing is said of it."""
    wanted = frozenset(analyze(question))
    passages = split(text)
    held = [wanted.intersection(analyze(passage)) for passage in passages]
    place = _richest(held)
    if place is None:
        return 0, 0
    at = text.index(passages[place])
    words = [
        (at + begin, at + end, terms)
        for begin, end in spans(passages[place])
        if (terms := wanted.intersection(analyze(passages[place][begin:end])))
    ]
    ends = [_reach(words, first, most) for first in range(len(words))]
    stretches = [frozenset[int]().union(*(one[2] for one in words[i : ends[i]])) for i in range(len(words))]
    first = _richest(stretches, (one[2] for one in words))
    return (0, 0) if first is None else (words[first][0], words[ends[first] - 1][1])


def cut(text: str, around: tuple[int, int], most: int) -> str:
    """At most ``most`` characters of a text, at word borders, and an ellipsis where it was cut; the beginning if that
    holds what it is ``around``, else as much before that as after it."""
    if len(text) <= most:
        return text
    begin, end = around
    start = 0 if end <= most else max(0, min(begin - (most - (end - begin)) // 2, len(text) - most))
    stop = start + most
    if start and not text[start - 1].isspace() and (space := _SPACE.search(text, start, start + BORDER)):
        start = space.end()
    if stop < len(text) and not text[stop].isspace():
        spaces = [space.start() for space in _SPACE.finditer(text, max(start, stop - BORDER), stop)]
        stop = spaces[-1] if spaces else stop
    return (MARK if start else "") + text[start:stop].strip() + (MARK if stop < len(text) else "")


def _reach(words: list[tuple[int, int, frozenset[int]]], first: int, most: int) -> int:
    """The number behind the last word that ends within ``most`` characters of where the first begins."""
    last = first + 1
    while last < len(words) and words[last][1] - words[first][0] <= most:
        last += 1
    return last


def _richest(parts: list[frozenset[int]], among: Iterable[frozenset[int]] | None = None) -> int | None:
    """The first part with the greatest sum of its terms' rarity: one over how many have a term."""
    counts = Counter(term for one in (parts if among is None else among) for term in one)
    worth = [sum(1 / counts[term] for term in part) for part in parts]
    return worth.index(max(worth)) if any(worth) else None
