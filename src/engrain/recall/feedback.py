"""Feedback: which question a verdict answers, the examples that come of it, and the adapter of each tenant.

A recall leaves a trace: the question's vector (not its text) and its best candidates with the parts of their scores.
Traces are buffered like signals of use; the latest of each agent are kept in the store for an hour, so that another
process may say what helped. A verdict goes to the newest trace that had the item, and makes an example of it. When
enough verdicts have come the tenant's adapter is learned anew from all examples (``adapt``) and put in the place of the
version it saw; whoever comes second drops its own. Other processes notice by the change number of the scope ADAPT.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zlib
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engrain.model.scope import Scope
from engrain.recall.adapt import LEAST, Adapter, Example, Floats, judge, train
from engrain.recall.cache import ADAPT
from engrain.recall.index import quantize
from engrain.store.port import Store, Transaction
from engrain.world import World, from_micros

CANDIDATES = 30  # of a question that are kept
BUFFERED = 64  # traces of an agent in memory, and all that have a verdict
RECENT = 8  # of those without a verdict that are written at once
KEPT = 32  # traces of an agent in the store
LATE = 3_600_000_000  # µs: a verdict that comes later finds no question
MOST = 400  # examples of a tenant
FRESH = 100  # of them, the newest, that always stay
TENANTS = 64  # adapters held in memory


@dataclass(slots=True, eq=False)
class Trace:
    """A question with its best candidates, the best first. ``made_by``: the embedder and the ranking. Shapes: vector
    [dim], parts [len(names), k], vectors [k, dim]. ``verdicts``: 1 or -1 by item."""

    scope: Scope
    at: int
    made_by: tuple[str, str]
    vector: Floats
    names: Sequence[str]
    parts: Floats
    ids: Sequence[str]
    vectors: Floats
    verdicts: dict[str, int] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The same trace has the same id; two that differ have not."""
        told = json.dumps([self.scope.tenant, self.scope.agent, self.at, list(self.ids)]).encode()
        return hashlib.blake2b(told + self.vector.tobytes(), digest_size=16).hexdigest()


class Feedback:
    """Traces, verdicts and adapters of one process. Threads may share it."""

    def __init__(self, store: Store, world: World) -> None:
        self._store, self._world = store, world
        self._lock = threading.Lock()
        self._traces: dict[Scope, list[Trace]] = {}
        self._late: list[tuple[Scope, str, int]] = []
        self._held: OrderedDict[str, tuple[int, tuple[str, str], Adapter | None]] = OrderedDict()

    # -- what happens -------------------------------------------------------------------------------------------------

    def note(self, trace: Trace) -> None:
        """A question was answered. Costs nothing but memory until ``flush``."""
        with self._lock:
            traces = self._traces.setdefault(trace.scope, [])
            traces.append(trace)
            unjudged = [one for one in traces if not one.verdicts]
            if len(unjudged) > BUFFERED:
                traces.remove(unjudged[0])

    def say(self, scope: Scope, id_: str, helped: bool) -> None:
        """An item of a recall helped or did not."""
        sign = 1 if helped else -1
        with self._lock:
            for trace in reversed(self._traces.get(scope, [])):
                if id_ in trace.ids[:CANDIDATES]:
                    trace.verdicts[id_] = sign
                    return
            self._late.append((scope, id_, sign))

    def flush(self) -> None:
        """Write what is buffered, and learn when enough has come. Raises StoreError; verdicts are not lost then."""
        with self._lock:
            traces, self._traces = self._traces, {}
            late, self._late = self._late, []
        tenants = {scope.tenant for scope in traces} | {scope.tenant for scope, _, _ in late}
        for tenant in sorted(tenants):
            mine = {scope: found for scope, found in traces.items() if scope.tenant == tenant}
            verdicts = [one for one in late if one[0].tenant == tenant]
            try:
                with self._store.transaction(tenant) as tx:
                    new = self._write(tx, mine, verdicts)
            except BaseException:
                with self._lock:
                    self._late = [*((s, i, v) for s, t in mine.items() for one in t for i, v in one.verdicts.items()),
                                  *verdicts, *self._late]  # fmt: skip
                raise
            if new:
                self._learn(tenant)

    def forgotten(self, tenant: str) -> None:
        """Items of the tenant were deleted: drop the traces, which may name them, and what was learned from them."""
        with self._lock:
            for scope in [scope for scope in self._traces if scope.tenant == tenant]:
                del self._traces[scope]
        row, answers, _ = self._counts(tenant)
        if self._store.read("question_any", {"tenant": tenant}):
            self._store.write([("forget_questions", {"tenant": tenant})])
        if row is not None and answers < row["answers"]:
            self._learn(tenant, anew=True)

    def reset(self, tenant: str) -> int:
        """Delete all examples of a tenant and what was learned from them; how many questions had a verdict."""
        with self._lock:
            for scope in [scope for scope in self._traces if scope.tenant == tenant]:
                del self._traces[scope]
            self._late = [one for one in self._late if one[0].tenant != tenant]
        _, _, examples = self._counts(tenant)
        with self._store.transaction(tenant) as tx:
            tx.read("scope_bump", {"tenant": tenant, "name": ADAPT, "purges": 1})
            tx.run("purge_recall_questions", {"tenant": tenant})
            tx.run("purge_adapters", {"tenant": tenant})
        return examples

    # -- what is known ------------------------------------------------------------------------------------------------

    def adapter(self, tenant: str, seq: int, made_by: tuple[str, str]) -> Adapter | None:
        """The adapter in force as of a change number of the scope ADAPT, for an embedder and a ranking; None while
        there is none. Reads the store only when the number has changed."""
        if not seq:
            return None
        held = self._held.get(tenant)
        if held is None or held[0] != seq:
            row, answers, _ = self._counts(tenant)
            found = None
            if row is not None and row["in_force"] and answers >= row["answers"]:
                found = _decoded(row["state"])
            held = (seq, (row["embedder"], row["ranking"]) if row is not None else ("", ""), found)
            with self._lock:
                self._held[tenant] = held
                if len(self._held) > TENANTS:
                    self._held.popitem(last=False)
        return held[2] if held[1] == made_by else None

    def status(self, tenant: str) -> dict[str, Any]:
        """How far a tenant's adaptation is, as plain JSON values; what is not known yet is None."""
        row, answers, examples = self._counts(tenant)
        tried = row is not None and row["low"] is not None
        on = bool(row is not None and row["in_force"] and answers >= row["answers"] and examples >= LEAST)
        if row is None or examples < LEAST:
            state = f"off: {examples} of at least {LEAST} examples"
        elif on:
            state = "on"
        else:
            state = (
                f"off: no gain is proved on {examples} examples"
                if tried
                else f"off: {examples} examples, not tried yet"
            )
        return {
            "on": on,
            "state": state,
            "examples": examples,
            "needed": LEAST,
            "gain": row["gain"] if tried else None,
            "low": row["low"] if tried else None,
            "embedder": row["embedder"].rpartition("/")[0] if tried and row["embedder"] else None,  # without its length
            "learned_at": from_micros(row["trained_at"]).isoformat() if tried else None,
        }

    def _counts(self, tenant: str) -> tuple[Any, int, int]:
        """(row of the adapter or None, answers of all examples, different questions that have a verdict)"""
        rows = self._store.read("adapter_get", {"tenant": tenant})
        counts = self._store.read("adapter_counts", {"tenant": tenant})[0]
        return rows[0] if rows else None, int(counts["answers"]), int(counts["examples"])

    # -- writing ------------------------------------------------------------------------------------------------------

    def _write(
        self, tx: Transaction, traces: Mapping[Scope, list[Trace]], late: Sequence[tuple[Scope, str, int]]
    ) -> int:
        """Traces and verdicts, in one transaction; how many verdicts are new."""
        new, since = 0, self._world.now() - LATE
        for scope, found in traces.items():
            plain = [one for one in found if not one.verdicts][-RECENT:]
            for one in [*plain, *(one for one in found if one.verdicts)]:
                new += _put(tx, one)
            who = {"tenant": scope.tenant, "agent": scope.agent}
            tx.run("question_trim", {**who, "since": since, "keep": KEPT})
        for scope, id_, sign in late:
            question = _question_of(tx, scope, id_, since)
            if question is not None:
                values = {"tenant": scope.tenant, "question_id": question, "memory_id": id_, "verdict": sign}
                new += tx.run("answer_judge", values)
        if new:
            tenant = next(iter(traces or [late[0][0]])).tenant
            tx.run("adapter_note", {"tenant": tenant, "more": new})
        return new

    def _learn(self, tenant: str, anew: bool = False) -> None:
        """Train on all examples and put the adapter in the place of the version that was there; not when another
        process was faster, nor before a twentieth of the examples is new (``anew``: at once)."""
        row, answers, examples = self._counts(tenant)
        if row is None or (not anew and row["pending"] < max(1, examples // 20)):
            return
        found = self._examples(tenant)
        surplus = sorted(found[:-FRESH], key=lambda one: zlib.crc32(one[0].encode()))[: max(0, len(found) - MOST)]
        dropped = {id_ for id_, _, _ in surplus}
        kept = [one for one in found if one[0] not in dropped]
        made_by = kept[-1][1] if kept else ("", "")
        chosen = [replace(example, current=made == made_by) for _, made, example in kept if made[0] == made_by[0]]
        trial = judge(chosen)
        values = {
            "tenant": tenant,
            "version": row["version"],
            "seen": row["pending"],
            "examples": trial.examples,
            "answers": answers - sum(len(one[2].ids) for one in surplus),
            "in_force": int(trial.passed),
            "gain": trial.gain,
            "low": trial.low,
            "embedder": made_by[0],
            "ranking": made_by[1],
            "now": self._world.now(),
            "state": _encoded(train(chosen)) if trial.passed else b"",
        }
        with self._store.transaction(tenant) as tx:
            tx.read("scope_bump", {"tenant": tenant, "name": ADAPT, "purges": 0})
            if tx.run("adapter_put", values) and dropped:
                tx.run("example_drop", {"tenant": tenant, "ids": sorted(dropped)})

    def _examples(self, tenant: str) -> list[tuple[str, tuple[str, str], Example]]:
        """(id, what made it, example), oldest first."""
        answers: dict[str, list[Any]] = defaultdict(list)
        for row in self._store.read("example_answers", {"tenant": tenant}):
            answers[row["question_id"]].append(row)
        found = []
        for row in self._store.read("example_questions", {"tenant": tenant}):
            rows, names = answers[row["id"]], tuple(json.loads(row["names"]))
            if not rows:  # every candidate was forgotten
                continue
            example = Example(
                names,
                _floats(row["vector"]),
                np.stack([np.frombuffer(one["parts"], "<f2") for one in rows]).astype(np.float32),
                np.stack([_floats(one["vector"]) for one in rows]),
                tuple(one["memory_id"] for one in rows),
                np.array([one["verdict"] for one in rows], np.int8),
            )
            found.append((row["id"], (row["embedder"], row["ranking"]), example))
        return found


def _put(tx: Transaction, trace: Trace) -> int:
    """Write a trace; with verdicts, as an example. The verdicts that found their item."""
    ids, parts = list(trace.ids[:CANDIDATES]), trace.parts[:, :CANDIDATES].T
    top = float(parts.sum(axis=1).max(initial=0.0))
    shares = (parts / (top or 1.0)).astype("<f2")
    vectors = [_bytes(one) for one in trace.vectors[:CANDIDATES]]
    judged = bool(trace.verdicts)
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
    if not tx.run("question_put", question) or not judged:
        return 0
    return _answers(tx, trace.scope.tenant, trace.id, ids, shares, vectors, trace.verdicts)


def _answers(
    tx: Transaction,
    tenant: str,
    question: str,
    ids: Sequence[str],
    shares: Any,
    vectors: Sequence[bytes],
    verdicts: Mapping[str, int],
) -> int:
    there = {row["id"] for row in tx.read("signal_lock", {"tenant": tenant, "ids": list(ids)})}
    rows = [
        {
            "tenant": tenant,
            "question_id": question,
            "memory_id": id_,
            "place": place,
            "parts": shares[place].tobytes(),
            "vector": vectors[place],
            "verdict": verdicts.get(id_, 0),
        }
        for place, id_ in enumerate(ids)
        if id_ in there
    ]
    tx.run_many("answer_put", rows)
    return sum(row["verdict"] != 0 for row in rows)


def _question_of(tx: Transaction, scope: Scope, id_: str, since: int) -> str | None:
    """The newest question of an agent that had an item among its candidates, made an example when it is none yet."""
    who = {"tenant": scope.tenant, "agent": scope.agent}
    judged = tx.read("answer_recent", {**who, "memory_id": id_, "since": since})
    for row in tx.read("question_recent", {**who, "since": since}):
        if judged and judged[0]["at"] >= row["at"]:
            break
        ids = json.loads(row["items"])
        if id_ in ids:
            trace = tx.read("question_get", {**who, "id": row["id"]})[0]
            shares = np.frombuffer(trace["parts"], "<f2").reshape(len(ids), -1)
            size = len(trace["vectors"]) // len(ids)
            vectors = [bytes(trace["vectors"][place * size : (place + 1) * size]) for place in range(len(ids))]
            tx.run("question_judged", {**who, "id": row["id"], "nothing": b""})
            _answers(tx, scope.tenant, row["id"], ids, shares, vectors, {})
            return str(row["id"])
    return str(judged[0]["id"]) if judged else None


def _bytes(vector: Floats) -> bytes:
    """A scale (float32) and int8 numbers."""
    numbers, scales = quantize(vector[None])
    return scales.astype("<f4").tobytes() + numbers.tobytes()


def _floats(blob: bytes) -> Floats:
    scaled: Floats = np.frombuffer(blob, np.int8, offset=4).astype(np.float32) * np.frombuffer(blob, "<f4", 1)
    return scaled


def _encoded(adapter: Adapter) -> bytes:
    out = io.BytesIO()
    np.savez(
        out,
        names=np.array(list(adapter.multipliers), dtype=np.str_),
        multipliers=np.array(list(adapter.multipliers.values())),
        left=adapter.left,
        right=adapter.right,
        questions=adapter.questions.astype(np.float16),
        ids=np.array(adapter.ids, dtype=np.str_),
        signs=adapter.signs,
        base=np.array(adapter.base),
    )
    return out.getvalue()


def _decoded(state: bytes) -> Adapter:
    with np.load(io.BytesIO(state), allow_pickle=False) as kept:
        return Adapter(
            dict(zip(kept["names"].tolist(), kept["multipliers"].tolist(), strict=True)),
            kept["left"],
            kept["right"],
            kept["questions"].astype(np.float32),
            tuple(kept["ids"].tolist()),
            kept["signs"],
            float(kept["base"]),
        )
