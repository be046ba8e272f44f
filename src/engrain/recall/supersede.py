"""Supersession: of items that say the same of the same thing and differ in one value only, the newest comes first."""

from __future__ import annotations

from collections.abc import Sequence

from engrain.recall.analyze import analyze

SHARE = 0.5  # of the words of the shorter one that two items must share, at their beginning and end
LEAST = 3  # ... and so many words at least
LONGEST = 400  # characters; longer items are narratives, not facts with a value


def families(contents: Sequence[str], roles: Sequence[str | None], asked: set[int]) -> list[list[int]]:
    """Groups (of two or more, by position) of contents that one speaker said and that differ in one run of words only:
    "I live in Ulm" of two people is no change, nor is a word of thanks said twice. A run that holds a term of
    the question which the shared words lack is a subject, not a value: such contents speak of different things."""
    split = [_words(content) for content in contents]
    found: list[list[int]] = []
    taken: set[int] = set()
    for first, words in enumerate(split):
        if first in taken or not words:
            continue
        family = [first] + [
            other
            for other in range(first + 1, len(split))
            if other not in taken and roles[other] == roles[first] and _same(words, split[other], asked)
        ]
        if len(family) > 1:
            taken.update(family)
            found.append(family)
    return found


def _words(content: str) -> list[str]:
    return content.rstrip(" .!?").split() if len(content) <= LONGEST else []


def _same(one: list[str], other: list[str], asked: set[int]) -> bool:
    shorter = min(len(one), len(other))
    if not other or (one[0] != other[0] and one[-1] != other[-1]) or shorter <= LEAST:
        return False
    head = 0
    while head < shorter and one[head] == other[head]:
        head += 1
    tail = 0
    while tail < shorter - head and one[-1 - tail] == other[-1 - tail]:
        tail += 1
    if head + tail < max(LEAST, SHARE * shorter) or one == other:
        return False
    shared = set(analyze(" ".join([*one[:head], *one[len(one) - tail :]])))
    values = {term for words in (one, other) for term in analyze(" ".join(words[head : len(words) - tail]))}
    return not (asked & values) - shared
