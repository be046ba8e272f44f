"""News: how much of what an item says nobody had said before it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from engrain.recall.columns import Floats, Ints, Wide
from engrain.recall.view import Part, Pool, View

LARGE = 20_000  # items
_GRID = 2.0**20  # idf becomes whole numbers: sums do not depend on the order of rows
_LOW = np.uint64(0xFFFFFFFF)
Exact = npt.NDArray[np.float64]


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
    told = np.empty(view.n + 1, np.int32)  # each item's place in the order of telling; what is invisible comes last
    told[order], told[view.n] = np.arange(view.n, dtype=np.int32), view.n
    one = len(view.parts) == 1 and view.single
    every, fresh = _plain(view.parts[0], told, view.n) if one else _mixed(view, told)
    share = np.divide(fresh, every, out=np.zeros(view.n + 1), where=every > 0)
    return share[told[:-1]].astype(np.float32)


def _idf(total: int, items: Wide) -> Exact:
    found: Exact = np.rint(np.log1p((total - items + 0.5) / (items + 0.5)) * _GRID)
    return found


def _plain(part: Part, told: Ints, n: int) -> tuple[Exact, Exact]:
    """(information of each item, of it what is new) by place in the order of telling, of a view of one part whose items
    are one passage each: its postings come term after term as they are."""
    terms, starts, rows, late_terms, late_rows = part.postings.grouped()
    who, late = told[part.passage_at[rows]], told[part.passage_at[late_rows]]  # -1 is the last: invisible
    first, held = np.full(len(terms), n, np.int32), np.zeros(len(terms), np.int64)
    if len(terms):
        first = np.minimum.reduceat(who, starts[:-1])
        held = np.diff(starts) if len(part.rows) == len(part.first) else np.add.reduceat(who < n, starts[:-1])
    if len(late):
        at = np.minimum(terms.searchsorted(late_terms), max(len(terms) - 1, 0))
        known = terms[at] == late_terms if len(terms) else np.zeros(len(late), np.bool_)
        added, number = np.unique(late_terms[~known], return_inverse=True)
        at = np.array(at)
        at[~known] = len(terms) + number
        first, held = (
            np.append(first, np.full(len(added), n, np.int32)),
            np.append(held, np.zeros(len(added), np.int64)),
        )
        np.minimum.at(first, at, late)
        held += np.bincount(at, late < n, len(held)).astype(np.int64)
        idf = _idf(n, held)
        every = _sums(late, idf[at], n)
    else:
        idf, every = _idf(n, held), np.zeros(n + 1)
    every += _sums(who, np.repeat(idf[: len(terms)], np.diff(starts)), n)
    return every, _sums(first, idf, n)


def _sums(who: npt.NDArray[Any], values: Exact, n: int) -> Exact:
    """[n + 1]: the sum of the values of each."""
    return np.asarray(np.bincount(who, values, n + 1), np.float64)


def _mixed(view: View, told: Ints) -> tuple[Exact, Exact]:
    """The same for any view: terms of several parts and passages are brought together by sorting."""
    found = [
        (terms.astype(np.uint64) << np.uint64(32)) | told[items].astype(np.uint64)
        for terms, items in view.postings_of_items()
    ]
    keys = np.concatenate(found)
    keys.sort()
    keys = keys[np.flatnonzero(np.diff(keys, prepend=~keys[:1]))]  # a term counts once an item
    first = np.flatnonzero(np.diff(keys >> np.uint64(32), prepend=~keys[:1] >> np.uint64(32)))
    items = np.diff(first, append=len(keys))  # that hold each term
    idf, who = _idf(view.n, items), (keys & _LOW).astype(np.int64)
    return _sums(who, np.repeat(idf, items), view.n), _sums(who[first], idf, view.n)
