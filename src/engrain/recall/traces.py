"""Questions with their candidates, as they are buffered and as they are stored: all candidates in one row, or a row by
candidate once one is judged. Whoever writes them is ``alone``, so that nobody waits in a circle nor writes twice."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engrain.model.scope import Scope
from engrain.recall.adapt import DAMAGE, Adapter, Example, Floats
from engrain.recall.index import quantize
from engrain.store.port import Store, Transaction

CANDIDATES = 30  # of a question that are kept
CHUNK = 400  # ids of one read
WIDEST = 10.0  # no share of a score nor number of a vector is as large
FEEDBACK = "feedback"  # the scope that whoever writes any of this holds

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Trace:
    """A question with its best candidates, the best first; copies, of CANDIDATES only. ``made_by``: what embedded
    it and the ranking. Shapes: vector [dim], parts [len(names), k], vectors [k, dim]. ``verdicts``: 1 or -1 by item."""

    scope: Scope
    at: int
    made_by: tuple[str, str]
    vector: Floats
    names: Sequence[str]
    parts: Floats
    ids: Sequence[str]
    vectors: Floats
    verdicts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ids, self.vectors = list(self.ids[:CANDIDATES]), self.vectors[:CANDIDATES].copy()
        self.parts = self.parts[:, :CANDIDATES].copy()

    @property
    def id(self) -> str:
        """The same trace has the same id; two that differ have not."""
        told = json.dumps([self.scope.tenant, self.scope.agent, self.at, list(self.ids)]).encode()
        return hashlib.blake2b(told + self.vector.tobytes(), digest_size=16).hexdigest()


def unreadable(store: Store, tenant: str) -> bool:
    """Is the adapter of a tenant in force but damaged?"""
    rows = store.read("adapter_get", {"tenant": tenant})
    try:
        return bool(rows and rows[0]["in_force"]) and not Adapter.unpacked(rows[0]["state"])
    except DAMAGE:
        return True


def alone(tx: Transaction, tenant: str) -> None:
    """Until the transaction ends, nobody else writes feedback of the tenant nor deletes a memory of it."""
    tx.read("scope_bump", {"tenant": tenant, "name": FEEDBACK, "purges": 0})


def there(tx: Transaction, tenant: str, ids: Iterable[str]) -> set[str]:
    """Those of some memories that exist."""
    asked = sorted(ids)
    some = [asked[start : start + CHUNK] for start in range(0, len(asked), CHUNK)]
    return {row["id"] for part in some for row in tx.read("signal_lock", {"tenant": tenant, "ids": part})}


def example(row: Any, rows: Sequence[Any]) -> Example:
    """Raises one of DAMAGE."""
    names, vector = tuple(json.loads(row["names"])), _floats(row["vector"])
    parts = np.stack([np.frombuffer(one["parts"], "<f2") for one in rows]).astype(np.float32)
    vectors = np.stack([_floats(one["vector"]) for one in rows])
    dim = int(row["embedder"].rpartition("/")[2])
    if parts.shape[1:] != (len(names),) or vectors.shape[1:] != (dim,) or vector.shape != (dim,):
        raise ValueError("its numbers have other lengths than they should")
    if not all(np.isfinite(one).all() and np.abs(one).max() <= WIDEST for one in (parts, vectors, vector)):
        raise ValueError("its numbers are no shares of a score or no unit vectors")
    verdicts = np.array([one["verdict"] for one in rows], np.int8)
    return Example(names, vector, parts, vectors, tuple(one["memory_id"] for one in rows), verdicts)


def put(tx: Transaction, trace: Trace, known: Collection[str]) -> int:
    """Write a trace; with verdicts, as an example. Of its items only those that are there. The verdicts written."""
    kept = [place for place, id_ in enumerate(trace.ids) if id_ in known]
    if not kept:
        return 0
    ids = [trace.ids[place] for place in kept]
    top = float(trace.parts.sum(axis=0).max(initial=0.0))
    shares = (trace.parts.T[kept] / (top or 1.0)).astype("<f2")
    vectors = [_bytes(one) for one in trace.vectors[kept]]
    judged = any(id_ in trace.verdicts for id_ in ids)
    question = {
        "id": trace.id,
        "tenant": trace.scope.tenant,
        "agent": trace.scope.agent,
        "at": trace.at,
        "embedder": trace.made_by[0],
        "ranking": trace.made_by[1],
        "names": json.dumps(list(trace.names)),
        "vector": _bytes(trace.vector),
        "judged": int(judged),
        "items": "[]" if judged else json.dumps(ids),
        "parts": b"" if judged else shares.tobytes(),
        "vectors": b"" if judged else b"".join(vectors),
    }
    stored = not tx.run("question_put", question)
    if not judged:
        return 0
    if stored and not tx.run("question_judged", {**question, "nothing": b""}):
        verdicts = [{"memory_id": id_, "verdict": trace.verdicts[id_]} for id_ in ids if id_ in trace.verdicts]
        return sum(tx.run("answer_judge", {**question, "question_id": trace.id, **one}) for one in verdicts)
    return _answers(tx, trace.scope.tenant, trace.id, list(zip(ids, shares, vectors, strict=True)), trace.verdicts)


def _answers(
    tx: Transaction,
    tenant: str,
    question: str,
    items: Sequence[tuple[str, Any, bytes]],
    verdicts: Mapping[str, int],
) -> int:
    rows = [
        {
            "tenant": tenant,
            "question_id": question,
            "memory_id": id_,
            "place": place,
            "parts": share.tobytes(),
            "vector": vector,
            "verdict": verdicts.get(id_, 0),
        }
        for place, (id_, share, vector) in enumerate(items)
    ]
    tx.run_many("answer_put", rows)
    return sum(row["verdict"] != 0 for row in rows)


def question_of(tx: Transaction, scope: Scope, id_: str, since: int) -> str | None:
    """The newest question of an agent that had an item among its candidates, made an example when it is none yet."""
    who = {"tenant": scope.tenant, "agent": scope.agent}
    judged = tx.read("answer_recent", {**who, "memory_id": id_, "since": since})
    for row in tx.read("question_recent", {**who, "since": since}):
        if judged and judged[0]["at"] >= row["at"]:
            break
        try:
            items = _items(row) if id_ in row["items"] else []
        except DAMAGE as error:
            _log.warning("question %s of tenant %r is damaged and dropped: %s", row["id"], scope.tenant, error)
            tx.run("question_drop", {"tenant": scope.tenant, "id": row["id"]})
            continue
        if id_ in (one[0] for one in items):
            known = there(tx, scope.tenant, [one[0] for one in items])
            tx.run("question_judged", {**who, "id": row["id"], "nothing": b""})
            _answers(tx, scope.tenant, row["id"], [one for one in items if one[0] in known], {})
            return str(row["id"])
    return str(judged[0]["id"]) if judged else None


def _items(row: Any) -> list[tuple[str, Any, bytes]]:
    """Id, shares and vector of each candidate of a stored question. Raises one of DAMAGE."""
    ids = [id_ for id_ in json.loads(row["items"]) if isinstance(id_, str)]
    if not ids or len(ids) != len(set(ids)):
        raise ValueError("its items are no list of different ids")
    shares = np.frombuffer(row["parts"], "<f2").reshape(len(ids), len(json.loads(row["names"])))
    vectors = np.frombuffer(row["vectors"], np.uint8).reshape(len(ids), -1)
    if vectors.shape[1:] != (len(row["vector"]),):
        raise ValueError("its vectors have other lengths than the question's")
    return [(id_, shares[place], vectors[place].tobytes()) for place, id_ in enumerate(ids)]


def _bytes(vector: Floats) -> bytes:
    """A scale (float32) and int8 numbers."""
    numbers, scales = quantize(vector[None])
    return scales.astype("<f4").tobytes() + numbers.tobytes()


def _floats(blob: bytes) -> Floats:
    scaled: Floats = np.frombuffer(blob, np.int8, offset=4).astype(np.float32) * np.frombuffer(blob, "<f4", 1)
    return scaled
