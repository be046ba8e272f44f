"""Question: what a text asks, read once: its terms, who it names, when it speaks of, whose words it wants."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from engrain.recall.analyze import analyze
from engrain.recall.columns import Floats

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
    else is asked. ``vector`` and ``bare``: of the whole text and of it without names; unit length or zeros.
    ``calibrated``: cosines are the packaged model's. ``now``: µs UTC. ``answered``: it asks what the assistant said."""

    text: str
    terms: list[int]
    named: frozenset[int]
    mute: frozenset[int]
    vector: Floats
    bare: Floats
    now: int
    calibrated: bool = True
    answered: bool = False


def read(
    query: str, names: Collection[int], embed: Callable[[list[str]], Floats], now: int, calibrated: bool = True
) -> Question:
    """The question in a query, for a view in which ``names`` (hashes) speak.

    A name says who spoke, not what about: "Hey Anna!" is no answer to what Anna said. So names score no words and no
    meaning, and lift what the named one said instead.
    """
    text = query[:CUT]
    terms = list(dict.fromkeys(analyze(text)))[:TERMS]
    named = frozenset(term for term in terms if term in names)
    mute = named if len(named) < len(terms) else frozenset()
    bare = " ".join(word for word in text.split() if named.isdisjoint(analyze(word))) if named else ""
    vectors = embed([text, bare] if bare else [text])
    return Question(text, terms, named, mute, vectors[0], vectors[-1], now, calibrated, bool(_ANSWERED.search(text)))
