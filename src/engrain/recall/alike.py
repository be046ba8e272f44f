"""Alike: where what is asked is itself such a thing as is remembered, the wording decides.

A question about things and one more thing of the same kind want different arithmetic. "Where does Anna live?" is
answered by what holds its rare words. A task or a report is served by the earlier one that is worded alike: there the
common words say what kind of thing it is ("ordered by", "more than", "delete all"), and the rare ones are its
particulars. Inverse document frequency then points the wrong way (Debole and Sebastiani, Supervised Term Weighting for
Automated Text Categorization, 2003).

The form of a text: the set of its words, those of grammar among them, and of its pairs of neighbouring words.
Likeness: the cosine of two such sets (Ochiai, 1957), 0..1. Candidates are compared by score × likeness ** power, and
the power says how much such a thing the question is, by two measures that must agree: the share of its information that
no item holds (an answer holds most of it; an earlier task lacks the particulars of this one), and how alike the
candidates are on the average (what is said in a conversation is not worded like the questions about it).

The numbers were chosen on LifelongAgentBench's db tasks, WebArena's intents and the sets of ``bench/recall.py`` at
once; a fifth more or less of one of them costs up to 0.6 points of what is told of each, of NEAR 2.5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from engrain.recall.analyze import run

LOOKED = 10  # candidates that are compared; what stands further down stays there
NEAR = 0.6  # ... and have this share of the best score: where one stands out it is the answer
CUT = 2000  # characters of a text that are compared: its beginning shows its form
ABOUT, SAME = 0.1, 0.2  # mean likeness up to which a question is about things; from which it is such a thing itself
POWER = 6.0  # of likeness, where no item holds anything of the question's information
LEAST = 0.001  # likeness of what has no word in common


def order(query: str, covered: float, texts: Sequence[str], scores: Sequence[float]) -> list[int]:
    """The places of the candidates in their new order. ``texts`` and ``scores`` (greater than 0, best first) are given
    in the old one. ``covered``: the greatest share of the query's information that an item and what surrounds it hold,
    0..1."""
    places = range(len(texts))
    if covered >= 1 or len(texts) < 2:
        return list(places)
    asked = _form(query)
    alike = [_cosine(asked, _form(text)) for text in texts]
    same = (math.fsum(alike) / len(alike) - ABOUT) / (SAME - ABOUT)
    power = POWER * (1 - covered) * min(1.0, max(0.0, same))
    good = [score * max(LEAST, like) ** power for like, score in zip(alike, scores, strict=True)]
    return sorted(places, key=lambda place: -good[place])


def _form(text: str) -> set[str | tuple[str, str]]:
    words = run(text[:CUT])
    return {*words, *pairwise(words)}


def _cosine(one: set[str | tuple[str, str]], other: set[str | tuple[str, str]]) -> float:
    return len(one & other) / math.sqrt(len(one) * len(other)) if one and other else 0.0
