"""Web: which terms each short statement of a view holds, and which statements hold a term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engrain.recall.columns import Floats, Mask, Wide

_LOW = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Web:
    """``names``: the distinct terms (hashes), ascending; below they are numbers in it. ``items`` from ``of[t]`` to
    ``of[t + 1]`` hold term t; item i holds the terms ``terms`` from ``at[i]`` to ``at[i + 1]``, none unless it is a
    statement. ``idf`` of each term, ``rarest`` of one that stands nowhere; ``age`` of each item, greater is newer;
    ``statement``: which items are some."""

    names: npt.NDArray[np.uint32]
    of: Wide
    items: Wide
    at: Wide
    terms: Wide
    idf: Floats
    rarest: float
    age: Wide
    statement: Mask

    def holders(self, terms: Wide) -> tuple[Wide, Wide]:
        """(which of these terms, item that holds it)."""
        return _runs(terms, self.of, self.items)

    def held(self, items: Wide) -> tuple[Wide, Wide]:
        """(which of these items, number of a term that it holds)."""
        return _runs(items, self.at, self.terms)

    def numbers(self, hashes: Sequence[int]) -> Wide:
        """Of those terms that stand in a statement."""
        asked = np.array(hashes, np.uint32)
        at = np.minimum(self.names.searchsorted(asked), len(self.names) - 1)
        found: Wide = at[self.names[at] == asked]
        return found


def _runs(which: Wide, bounds: Wide, values: Wide) -> tuple[Wide, Wide]:
    first = bounds[which]
    sizes = bounds[which + 1] - first
    owner = np.repeat(np.arange(len(which)), sizes)
    places = np.arange(len(owner)) + np.repeat(first - (np.cumsum(sizes) - sizes), sizes)
    return owner, values[places]


def weave(postings: Sequence[tuple[npt.NDArray[np.uint32], Wide]], statements: Mask, order: Wide) -> Web:
    """From (term, item) of every posting; others than those of ``statements`` [items] are left out. ``order``: all
    items, the oldest first."""
    keys = [np.empty(0, np.uint64)]
    for terms, items in postings:
        kept = statements[items]
        keys.append((terms[kept].astype(np.uint64) << np.uint64(32)) | items[kept].astype(np.uint64))
    every = np.concatenate(keys)
    every.sort()
    hashes, owner = (every >> np.uint64(32)).astype(np.uint32), (every & _LOW).astype(np.int64)
    fresh = np.flatnonzero(np.diff(hashes, prepend=~hashes[:1]))
    sizes = np.diff(fresh, append=len(hashes))
    total = int(np.count_nonzero(statements))
    held = np.bincount(owner, minlength=len(statements))
    age = np.empty(len(order), np.int64)
    age[order] = np.arange(len(order))
    return Web(
        hashes[fresh],
        np.append(fresh, len(hashes)),
        owner,
        np.concatenate([[0], np.cumsum(held)]),
        np.repeat(np.arange(len(fresh)), sizes)[np.argsort(owner, kind="stable")],
        np.log1p((total - sizes + 0.5) / (sizes + 0.5)).astype(np.float32),
        float(np.log1p((total + 0.5) / 0.5)),
        age,
        held > 0,
    )
