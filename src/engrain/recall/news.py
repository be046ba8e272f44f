"""News: how much of what an item says nobody had said before it."""

from __future__ import annotations

import numpy as np

from engrain.recall.columns import Floats
from engrain.recall.view import Pool, View

LARGE = 20_000  # items
_LOW = np.uint64(0xFFFFFFFF)


def news(view: View) -> Floats:
    """The share, 0..1, of each item's information (idf of its distinct terms) whose terms no visible item was told
    with before it. Who tells something first is evidence more often than who takes it up. Shape [items]; 0 without
    terms, and in views of more than LARGE items, where counting it would take too long. Kept with the view."""
    if isinstance(view, Pool):
        return news(view.whole)[view.places]
    if view.news is None:
        view.news = _counted(view) if view.n <= LARGE else np.zeros(view.n, np.float32)
    return view.news


def _counted(view: View) -> Floats:
    order = np.lexsort((view.items["id"], view.items["created"]))
    told = np.empty(view.n, np.uint64)  # each item's place in the order of telling
    told[order] = np.arange(view.n, dtype=np.uint64)
    found = []
    for part in view.parts:
        terms, rows = part.postings.every()
        place = part.passage_at[rows]
        seen = place >= 0
        found.append((terms[seen].astype(np.uint64) << np.uint64(32)) | told[view.owner[place[seen]]])
    keys = np.concatenate(found)
    keys.sort()
    if not view.single:
        keys = keys[np.flatnonzero(np.diff(keys, prepend=~keys[:1]))]  # a term counts once an item
    first = np.flatnonzero(np.diff(keys >> np.uint64(32), prepend=~keys[:1] >> np.uint64(32)))
    items = np.diff(first, append=len(keys))  # that hold each term
    idf = np.log1p((view.n - items + 0.5) / (items + 0.5))
    who = (keys & _LOW).astype(np.int64)
    every = np.bincount(who, np.repeat(idf, items), view.n)
    fresh = np.bincount(who[first], idf, view.n)
    share = np.divide(fresh, every, out=np.zeros(view.n), where=every > 0)
    return share[told.astype(np.int64)].astype(np.float32)
