"""Question: what a text asks, read once: its terms, who it names, when it speaks of, whose words it wants."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from engrain.recall.analyze import analyze
from engrain.recall.columns import Floats
from engrain.recall.dates import times

CUT = 8000  # characters of a question that are read; the embedder reads no more either
TERMS = 256  # different words of it that are looked up

# "What did you recommend?", "your advice": what the assistant said is wanted, not what the user said.
_ANSWERED = re.compile(
    r"\b(?:did you|your (?:advice|suggestion|recommendation|answer|explanation)s?|you (?:recommended|suggested|advised"
    r"|explained|told|said|gave|provided|mentioned|proposed|described|outlined))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Question:
    """``terms``: distinct hashes. ``named``: those that are names of who speaks; ``mute``: the same, unless nothing
    else is asked. ``vector``: of the text without times; ``bare``: without names, too; unit length or zeros.
    ``asked``: the times that it speaks of, (from, until) in µs UTC. ``calibrated``: cosines are the packaged model's.
    ``now``: µs UTC. ``answered``: it asks what the assistant said."""

    terms: list[int]
    named: frozenset[int]
    mute: frozenset[int]
    asked: list[tuple[int, int]]
    vector: Floats
    bare: Floats
    now: int
    calibrated: bool = True
    answered: bool = False


def read(
    query: str,
    names: Collection[int],
    oldest: Callable[[], int],
    embed: Callable[[list[str]], Floats],
    now: int,
    calibrated: bool = True,
) -> Question:
    """The question in a query, for a view in which ``names`` (hashes) speak, and whose oldest item is of ``oldest``.

    A name says who spoke, not what about: "Hey Anna!" is no answer to what Anna said; and "on 13 May" is not about a
    13. So names and times score no words and no meaning, and lift what the named one said, or what happened then.
    """
    asked, rest = times(query[:CUT], now, oldest)
    text = rest if asked and rest.strip(" ?!.,") else query[:CUT]
    terms = list(dict.fromkeys(analyze(rest)))[:TERMS]
    named = frozenset(term for term in terms if term in names)
    mute = named if len(named) < len(terms) else frozenset()
    bare = " ".join(word for word in text.split() if named.isdisjoint(analyze(word))) if named else ""
    vectors = embed([text, bare] if bare else [text])
    answered = bool(_ANSWERED.search(text))
    return Question(terms, named, mute, asked, vectors[0], vectors[-1], now, calibrated, answered)
