"""Feedback: which question a verdict answers, the examples that come of it, and the adapter of each tenant.

A recall leaves a trace: the question's vector (not its text) and its best candidates with the parts of their scores.
Traces are buffered like signals of use; the latest of each agent are kept in the store for an hour, so that another
process may say what helped. A verdict goes to the newest trace that had the item, and makes an example of it. When
enough verdicts have come the tenant's adapter is learned anew from all examples (``adapt``) and put in the place of the
version it saw; whoever comes second drops its own. Other processes notice by the change number of the scope ADAPT.
``forget`` itself deletes the questions that nobody judged and switches off an adapter that learned from what goes. All
is derived: what cannot be read is dropped, with a warning, and learned anew.
"""

from __future__ import annotations

import logging
import threading
import zlib
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from engrain.model.scope import Scope
from engrain.recall.adapt import DAMAGE, LEAST, Adapter, Example, Trial, judge, train
from engrain.recall.cache import ADAPT
from engrain.recall.traces import Trace, alone, example, put, question_of, there
from engrain.store.port import Store, Transaction
from engrain.world import World, from_micros

BUFFERED = 64  # traces of an agent in memory that have no verdict
HELD = 512  # traces in memory
RECENT = 8  # of those without a verdict that are written at once
KEPT = 32  # traces of an agent in the store
LATE = 3_600_000_000  # µs: a verdict that comes later finds no question
MOST = 400  # examples of a tenant
FRESH = 100  # of them, the newest, that always stay
TENANTS = 64  # adapters held in memory

_log = logging.getLogger(__name__)


class Feedback:
    """Traces, verdicts and adapters of one process. Threads may share it."""

    def __init__(self, store: Store, world: World) -> None:
        self._store, self._world = store, world
        self._lock = threading.Lock()
        self._traces: dict[Scope, list[Trace]] = {}
        self._late: list[tuple[Scope, str, int]] = []
        self._due: dict[str, bool] = {}  # tenants to learn for at the next flush; True: whatever is new
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
            while sum(map(len, self._traces.values())) > HELD:
                scope, found = next(iter(self._traces.items()))
                self._late += [(scope, id_, sign) for id_, sign in found.pop(0).verdicts.items()]
                if not found:
                    del self._traces[scope]

    def say(self, scope: Scope, id_: str, helped: bool) -> None:
        """An item of a recall helped or did not."""
        sign = 1 if helped else -1
        with self._lock:
            for trace in reversed(self._traces.get(scope, [])):
                if id_ in trace.ids:
                    trace.verdicts[id_] = sign
                    return
            self._late = [*self._late[-HELD:], (scope, id_, sign)]

    def flush(self) -> None:
        """Write what is buffered, and learn when enough has come. Raises StoreError; verdicts are not lost then."""
        with self._lock:
            tenants = {scope.tenant for scope in self._traces} | {one[0].tenant for one in self._late} | {*self._due}
        for tenant in sorted(tenants):
            with self._lock:
                traces = {scope: self._traces.pop(scope) for scope in [*self._traces] if scope.tenant == tenant}
                late = [one for one in self._late if one[0].tenant == tenant]
                self._late = [one for one in self._late if one[0].tenant != tenant]
            new = 0
            try:
                if traces or late:
                    with self._store.transaction(tenant) as tx:
                        new = self._write(tx, tenant, traces, late)
            except BaseException:
                with self._lock:
                    for scope, found in traces.items():
                        self._traces[scope] = found + self._traces.get(scope, [])
                    self._late = late + self._late
                raise
            if new or tenant in self._due:
                self._learn(tenant, anew=self._due.get(tenant, False))
                with self._lock:
                    self._due.pop(tenant, None)

    def forgotten(self, tenant: str) -> None:
        """Items of the tenant were deleted. What is stored of them went with them, what is buffered of them will not be
        stored; noted is only that the next flush may have to learn without them."""
        with self._lock:
            self._due.setdefault(tenant, False)

    def reset(self, tenant: str) -> int:
        """Delete all examples of a tenant and what was learned from them; how many questions had a verdict."""
        with self._lock:
            for scope in [scope for scope in self._traces if scope.tenant == tenant]:
                del self._traces[scope]
            self._late = [one for one in self._late if one[0].tenant != tenant]
            self._due.pop(tenant, None)
        _, _, examples = self._counts(tenant)
        with self._store.transaction(tenant) as tx:
            alone(tx, tenant)
            tx.read("scope_bump", {"tenant": tenant, "name": ADAPT, "purges": 1})
            tx.run("purge_recall_questions", {"tenant": tenant})
            tx.run("adapter_reset", {"tenant": tenant, "nothing": b""})
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
                try:
                    found = Adapter.unpacked(row["state"])
                except DAMAGE as error:
                    _log.warning("the adapter of tenant %r is damaged and will be learned anew: %s", tenant, error)
                    with self._lock:
                        self._due[tenant] = True
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
        self,
        tx: Transaction,
        tenant: str,
        traces: Mapping[Scope, Sequence[Trace]],
        late: Sequence[tuple[Scope, str, int]],
    ) -> int:
        """Traces and verdicts, in one transaction; how many verdicts are new."""
        alone(tx, tenant)
        new, now = 0, self._world.now()
        tx.run("question_expire", {"tenant": tenant, "since": now - LATE, "until": now + LATE})
        known = there(tx, tenant, {id_ for found in traces.values() for one in found for id_ in one.ids})
        for scope, found in traces.items():
            plain = [one for one in found if not one.verdicts][-RECENT:]
            for one in [*plain, *(one for one in found if one.verdicts)]:
                new += put(tx, one, known)
            tx.run("question_trim", {"tenant": tenant, "agent": scope.agent, "keep": KEPT})
        for scope, id_, sign in late:
            question = question_of(tx, scope, id_, now - LATE)
            if question is not None:
                values = {"tenant": tenant, "question_id": question, "memory_id": id_, "verdict": sign}
                new += tx.run("answer_judge", values)
        if new:
            tx.run("adapter_note", {"tenant": tenant, "more": new, "now": now})
        return new

    def _learn(self, tenant: str, anew: bool = False) -> None:
        """Train on all examples and put the adapter in the place of the version that was there; not when another
        process was faster, nor before a twentieth of the examples is new (``anew``: at once)."""
        row, _, examples = self._counts(tenant)
        if row is None or (not anew and row["pending"] < max(1, examples // 20)):
            return
        found, damaged = self._examples(tenant)
        surplus = sorted(found[:-FRESH], key=lambda one: zlib.crc32(one[0].encode()))[: max(0, len(found) - MOST)]
        dropped = {id_ for id_, _, _ in surplus}
        kept = [one for one in found if one[0] not in dropped]
        made_by = kept[-1][1] if kept else ("", "")
        chosen = [replace(example, current=made == made_by) for _, made, example in kept if made[0] == made_by[0]]
        try:
            trial = judge(chosen)
            state = train(chosen).packed() if trial.passed else b""
        except DAMAGE as error:
            _log.warning("nothing can be learned from the feedback of tenant %r: %s", tenant, error)
            trial, state = Trial(len(chosen)), b""
        values = {
            "tenant": tenant,
            "version": row["version"],
            "seen": row["pending"],
            "examples": trial.examples,
            "answers": sum(len(example.ids) for _, _, example in kept),
            "in_force": int(trial.passed),
            "gain": trial.gain,
            "low": trial.low,
            "embedder": made_by[0],
            "ranking": made_by[1],
            "now": self._world.now(),
            "state": state,
        }
        with self._store.transaction(tenant) as tx:
            alone(tx, tenant)
            if tx.run("adapter_put", values):
                tx.read("scope_bump", {"tenant": tenant, "name": ADAPT, "purges": 0})
            for id_ in sorted(dropped | damaged):
                tx.run("question_drop", {"tenant": tenant, "id": id_})

    def _examples(self, tenant: str) -> tuple[list[tuple[str, tuple[str, str], Example]], set[str]]:
        """([(id, what made it, example), oldest first], ids of those that are damaged)"""
        answers: dict[str, list[Any]] = defaultdict(list)
        for row in self._store.read("example_answers", {"tenant": tenant}):
            answers[row["question_id"]].append(row)
        found, damaged = [], set()
        for row in self._store.read("example_questions", {"tenant": tenant}):
            rows = answers[row["id"]]
            if not any(one["verdict"] for one in rows):  # what was judged was forgotten
                continue
            try:
                found.append((row["id"], (row["embedder"], row["ranking"]), example(row, rows)))
            except DAMAGE as error:
                _log.warning("question %s of tenant %r is damaged and dropped: %s", row["id"], tenant, error)
                damaged.add(row["id"])
        return found, damaged
