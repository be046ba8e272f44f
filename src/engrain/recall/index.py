"""Index texts: what is stored beside an item so that it can be found. Long texts become overlapping passages."""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from itertools import chain, count, islice, pairwise, zip_longest
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engrain.recall.analyze import ANALYZER, packed, spans
from engrain.recall.embed import Embedder, Floats

WHOLE = 200  # words up to which a text stays one passage
WINDOW = 160  # words of a passage of a longer text ...
STRIDE = 120  # ... and how far the next one begins, so that what a border cuts is whole in the neighbour
_IN_WORDS = (string.ascii_letters + string.digits + "_").encode()
_FEW = 4  # texts
_MOST = 65535  # occurrences that are counted
_SHORTEST = WHOLE * 2  # characters: a text shorter than this cannot have more than WHOLE words


class Passage(NamedTuple):
    """One row beside an item. ``terms``: n × uint32 hashes, ascending, then n × uint16 counts, little-endian.
    ``vector``: dim × int8; times ``scale`` it is the unit vector. None when the embedder knew nothing in the text."""

    number: int
    length: int  # terms, counted with repetition
    terms: bytes
    vector: bytes | None
    scale: float | None
    embedder: str
    analyzer: str


def index(texts: Sequence[str], embedder: Embedder, cuts: Iterable[Sequence[str] | None] = ()) -> list[list[Passage]]:
    """The passages of each text, in order. ``cuts``: what ``split()`` makes of each text, where that is known. Cost:
    about 20 µs for 80 words, without the embedder's own."""
    pieces = [split(text) for text in texts]
    flat = list(chain.from_iterable(pieces))
    vectors, scales = quantize(embedder.embed(flat))
    name, dim, blob = embedder.name, vectors.shape[1], vectors.tobytes()
    if len(flat) > len(texts):
        cuts = ()
    words = pack([packed(piece, cut) for piece, cut in zip_longest(flat, cuts)])
    rows = iter(
        [
            (length, terms, blob[at : at + dim] if scale else None, scale or None, name, ANALYZER)
            for (terms, length), scale, at in zip(words, scales.tolist(), count(0, dim), strict=False)
        ]
    )
    return [[Passage(number, *row) for number, row in enumerate(islice(rows, len(parts)))] for parts in pieces]


def split(text: str) -> list[str]:
    """The text itself, or overlapping windows of WINDOW words when it has more than WHOLE."""
    if len(text) <= _SHORTEST or len(text.encode("utf-8", "surrogatepass").translate(None, _IN_WORDS)) < WHOLE:
        return [text]  # between two words stands a byte at least that is in none
    places = spans(text)
    if len(places) <= WHOLE:
        return [text]
    starts = range(0, len(places) - (WINDOW - STRIDE), STRIDE)
    return [text[places[i][0] : places[min(i + WINDOW, len(places)) - 1][1]] for i in starts]


def pack(texts: Sequence[bytes]) -> list[tuple[bytes, int]]:
    """(blob, length) for the terms of each text, given as ``analyze.packed`` gives them; a count above 65,535 is stored
    as 65,535."""
    lengths = [len(terms) // 4 for terms in texts]
    if len(texts) <= _FEW:
        return [(_pack_one(terms, length), length) for terms, length in zip(texts, lengths, strict=True)]
    keys = np.frombuffer(b"".join(texts), "<u4").astype(np.uint64)
    keys |= np.repeat(np.arange(len(texts), dtype=np.uint64) << np.uint64(32), lengths)
    keys.sort()  # all texts at once: fast
    first = np.flatnonzero(np.concatenate(([len(keys) > 0], keys[1:] != keys[:-1])))
    freqs = np.minimum(np.diff(first, append=len(keys)), _MOST).astype("<u2").tobytes()
    keys = keys[first]
    ends = np.searchsorted(keys >> np.uint64(32), np.arange(1, len(texts) + 1, dtype=np.uint64)).tolist()
    hashes = keys.astype("<u4").tobytes()  # the low half of a key is the term
    return [
        (hashes[4 * a : 4 * b] + freqs[2 * a : 2 * b], length)
        for (a, b), length in zip(pairwise([0, *ends]), lengths, strict=True)
    ]


def _pack_one(terms: bytes, length: int) -> bytes:
    """The blob of one text, in as few calls of numpy as there may be: each costs more than the work."""
    keys = np.frombuffer(terms, "<u4").copy()
    keys.sort()
    new = np.ones(length + 1, np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=new[1:length])
    first = new.nonzero()[0]
    freqs = first[1:] - first[:-1]
    if length > _MOST:
        freqs = np.minimum(freqs, _MOST)
    return keys[first[:-1]].tobytes() + freqs.astype("<u2").tobytes()


def unpack(blobs: Sequence[bytes]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint16], npt.NDArray[np.int64]]:
    """(hashes, counts, terms of each blob) of blobs made by ``pack``, one after the other."""
    sizes = [len(blob) // 6 for blob in blobs]
    hashes = b"".join([blob[: 4 * size] for blob, size in zip(blobs, sizes, strict=True)])
    counts = b"".join([blob[4 * size :] for blob, size in zip(blobs, sizes, strict=True)])
    return np.frombuffer(hashes, "<u4"), np.frombuffer(counts, "<u2"), np.array(sizes, np.int64)


def quantize(vectors: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """int8 rows and their scales: row × scale is the vector to within scale / 2. A row of zeros has scale 0."""
    scales = np.abs(vectors).max(axis=1, initial=0.0) / 127.0
    safe = scales if scales.all() else np.where(scales > 0, scales, 1.0)
    return np.rint(vectors / safe[:, None]).astype(np.int8), scales.astype(np.float32, copy=False)
