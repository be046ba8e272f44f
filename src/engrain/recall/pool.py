"""Pool: of a scope too large to be ranked item by item, those that can come first, with their neighbours.

Chosen by what can be had quickly over the whole: BM25 of items and sessions from the postings alone, and every cosine.
The pool is then ranked like any view, with the statistics of the whole.
"""

from __future__ import annotations

import numpy as np

from engrain.recall.columns import Floats, Mask, Wide
from engrain.recall.question import Question
from engrain.recall.rank import Weights, asked_for, relative
from engrain.recall.vectors import meanings
from engrain.recall.view import Pool, View
from engrain.recall.words import REACH, rarest, sparse

LARGE = 20_000  # items from which a view is ranked by its pool
WIDTH = 1000  # items chosen by each measure, at least
SAMPLED = 16


def pool(view: View, question: Question, weights: Weights, admitted: Mask, most: int) -> Pool:
    """The items of a view that may be among the best ``most`` of those admitted."""
    found = view.look_up(question.terms)
    rare = rarest(view, question.terms, found, question.mute)
    words, sessions = sparse(view, found, rare, weights.item, weights.episode, weights.whole)
    meaning = meanings(view, question.vector, question.bare)
    cosine, alike = map(view.per_item, meaning)
    together = (weights.words + weights.wide) * relative(words)
    together += weights.session * relative(sessions)[view.group]
    together += weights.meaning * relative(alike) + weights.around * relative(cosine)
    width = max(WIDTH, 2 * most)
    chosen = [_best(view, measure, width) for measure in (words, cosine, alike, together)]
    # A question of only a name or a time has no words that would find it: among those that fit, the likeliest.
    chosen += [_best(view, fits * (1 + together), width) for fits in asked_for(view, question).values()]
    if not admitted.all():
        chosen.append(_best(view, np.where(admitted, together, np.float32(-1)), width))
    core = np.zeros(view.n, np.bool_)
    for places in chosen:
        core[places] = True
    if np.count_nonzero(core) < most:  # next to nothing in common: any will do
        core[_by_lot(view, np.flatnonzero(admitted), most)] = True
    kept, centres = core.copy(), np.flatnonzero(core)
    for step in (*range(-REACH, 0), *range(1, REACH + 1)) if not view.alone else ():
        beside = (centres + step).clip(0, view.n - 1)
        kept[beside[view.group[beside] == view.group[centres]]] = True
    near = np.flatnonzero(kept)
    return Pool(view, near, found, meaning, sessions)


def _best(view: View, measure: Floats, width: int) -> Wide:
    """The places of the greatest values above 0; among equals by lot."""
    border = np.float32(0)
    if len(measure) > 4 * SAMPLED * width:  # every so many-th value tells about where the border lies
        sample = measure[::SAMPLED]
        few = 2 * width // SAMPLED
        border = max(border, np.partition(sample, len(sample) - few)[len(sample) - few])
    good = np.flatnonzero(measure > border)
    if len(good) < width and border > 0:
        good = np.flatnonzero(measure > 0)
    if len(good) <= width:
        return good
    values = measure[good]
    least = np.partition(values, len(good) - width)[len(good) - width]
    above, equal = good[values > least], good[values == least]
    return np.concatenate([above, _by_lot(view, equal, width - len(above))])


def _by_lot(view: View, places: Wide, most: int) -> Wide:
    """Some of these places, whatever their order."""
    if len(places) <= most:
        return places
    return places[np.argpartition(view.lots[places], most)[:most]]
