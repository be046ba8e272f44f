"""What a row of the archive is: the columns of its two tables, by versioned steps, and what makes a row's digest.

The columns are seed 004's and ours. Times are µs UTC timestamps; ``tags``, ``metadata`` and other JSON are text.
``place`` is unique and rises: the number of the batch, and the row's number in it (see ``place_of``). ``year`` and
``month`` are those of archival, UTC. A step only ever adds columns: rows from before have null there.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from engrain.archive.port import Kind

try:
    import pyarrow as pa
    import pyarrow.compute as pc
except ImportError as missing:
    from engrain.errors import ConfigError

    raise ConfigError("The archive needs pyarrow, deltalake and duckdb: pip install 'engrain[archive]'.") from missing


_WIDTH = 20  # bits of a row's number within its batch
MOST = 1 << _WIDTH  # rows of a batch

_text, _number, _real, _flag, _bytes = pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.binary()
_time = pa.timestamp("us", tz="UTC")
_own = [("place", _number), ("batch", _number), ("id", _text), ("tenant", _text), ("agent", _text)]
_filed = [("archived_at", _time), ("decay_reason", _text), ("year", pa.int32()), ("month", pa.int32())]
_passage = pa.struct(
    [("number", _number), ("length", _number), ("terms", _bytes), ("vector", _bytes), ("scale", _real),
     ("embedder", _text), ("analyzer", _text)]
)  # fmt: skip
_echo = pa.struct([("session", _text), ("at", _time)])

# Of memories: ``importance`` is what it had faded to when it was archived, ``told_importance`` what it was told with;
# ``access_count`` counts read, applied and helpful; ``outcome`` is 1, 0 or -1 as more votes called it helpful, as many,
# or fewer, null without votes; ``gist`` its beginning in brief; ``file_path``, ``project_id`` and ``event_type`` are
# those of its metadata. The vector is int8, dim values, in ``scale``; an item of several passages has them in
# ``passages`` instead.
_MEMORIES_1 = [
    *_own,
    ("kind", _text), ("key", _text), ("content", _text), ("gist", _text), ("importance", _real),
    ("told_importance", _real), ("tags", _text), ("metadata", _text), ("file_path", _text), ("project_id", _text),
    ("event_type", _text), ("session", _text), ("role", _text), ("occurred_at", _time), ("created_at", _time),
    ("told_at", _time), ("updated_at", _time), ("expires_at", _time), ("decay_rate", _real), ("visibility", _text),
    ("pinned", _flag), ("source", _text), ("superseded_by", _text), ("superseded_at", _time), ("promoted_at", _time),
    ("redacted", _text), ("repeats", _number), ("echoes", pa.list_(_echo)), ("shared", _flag), ("fingerprint", _text),
    ("access_count", _number), ("outcome", _number), ("shown", _number), ("read", _number), ("applied", _number),
    ("helpful", _number), ("unhelpful", _number), ("last_shown_at", _time), ("last_used_at", _time),
    ("weighed_at", _time), ("length", _number), ("terms", _bytes), ("vector", _bytes), ("scale", _real),
    ("embedder", _text), ("analyzer", _text), ("passages", pa.list_(_passage)), *_filed,
]  # fmt: skip

# Of experiences: the decision that was taken, where one was, stands beside it: its options, the distribution that the
# action was sampled from, and what was expected (value, low, high).
_EXPERIENCES_1 = [
    *_own,
    ("decision_id", _text), ("task_type", _text), ("state", _text), ("state_key", _text), ("action", _text),
    ("propensity", _real), ("success", _flag), ("evidence", _text), ("outcome", _text), ("reward", _real),
    ("reward_version", _text), ("weight", _real), ("next_state", _text), ("episode", _text), ("task_id", _text),
    ("revision", _number), ("created_at", _time), ("updated_at", _time), ("decision_state", _text),
    ("options", _text), ("advised_action", _text), ("advised_propensity", _real), ("distribution", _text),
    ("value", _real), ("low", _real), ("high", _real), ("mode", _text), ("policy", _text),
    ("decision_episode", _text), ("decided_at", _time), *_filed,
]  # fmt: skip

STEPS: dict[Kind, tuple[list[tuple[str, pa.DataType]], ...]] = {
    "memories": (_MEMORIES_1,),
    "experiences": (_EXPERIENCES_1,),
}
"""What each version of a table's layout added, from version 1 on."""

SCHEMAS: dict[Kind, pa.Schema] = {
    kind: pa.schema([one for step in steps for one in step]) for kind, steps in STEPS.items()
}
STATISTICS = "place,batch,tenant,agent,kind,archived_at,created_at"
"""Columns of which the table's log tells the least and greatest value of each file: nothing that somebody wrote."""


def place_of(batch: int, number: int) -> int:
    """The place of a row by its batch and its number in it."""
    return batch << _WIDTH | number


def places_of(batches: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The same of many."""
    return batches << _WIDTH | numbers


def batch_of(place: int) -> int:
    """The batch in which a place is."""
    return place >> _WIDTH


def in_batches(places: npt.NDArray[np.int64], gone: Sequence[int]) -> Counter[int]:
    """How many rows each batch has, by the places in the table's files, and those that are gone: until no file has
    them, old ones among them, they are counted too."""
    numbers, counts = np.unique(np.union1d(places, np.array(gone, np.int64)) >> _WIDTH, return_counts=True)
    return Counter(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))


def digest(table: pa.Table) -> str:
    """A checksum of all values of a table's rows in their order, whatever chunks and buffers they are held in."""
    names = sorted(table.column_names)
    sums = [_fed(zlib.crc32(name.encode()), table[name].combine_chunks()) for name in names]
    return hashlib.blake2b(np.array(sums, np.uint32).tobytes(), digest_size=16).hexdigest()


def _fed(told: int, column: pa.Array) -> int:
    """The checksum ``told`` with a column after it."""
    told = zlib.crc32(b"%d nulls" % column.null_count, told)
    if column.null_count == len(column):
        return told
    kind = column.type
    if column.null_count:
        told = zlib.crc32(_bytes_of(column.is_valid()), told)
        column = column.drop_null()
    if pa.types.is_struct(kind):
        for one in column.flatten():
            told = _fed(told, one)
    elif pa.types.is_list(kind):
        told = _fed(zlib.crc32(_bytes_of(pc.list_value_length(column)), told), column.flatten())
    elif pa.types.is_string(kind) or pa.types.is_binary(kind):
        told = zlib.crc32(_bytes_of(pc.binary_length(column)), told)
        _, offsets, values = column.buffers()
        if values is not None:
            ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
            told = zlib.crc32(memoryview(values)[ends[0] : ends[-1]], told)
    else:
        told = zlib.crc32(_bytes_of(column), told)
    return told


def _bytes_of(column: pa.Array) -> memoryview:
    """Of numbers, times or flags, none of them null."""
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.int64())
    elif pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    return np.ascontiguousarray(column.to_numpy(zero_copy_only=False)).data.cast("B")
