"""Dreams in the store: asked for, begun, how far they are, what they came to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from engrain.errors import NotFound, StoreCorrupt
from engrain.learn.credit import TENANT
from engrain.model.fading import DAY
from engrain.model.policy import ROLLED_BACK, Dream
from engrain.store.leases import gone, process
from engrain.store.port import Row, Store, Transaction
from engrain.store.rows import to_json
from engrain.world import World, from_micros

LEASE = "dream"
INGEST, TRAIN, EVALUATE, PROMOTE, REPORT, DONE = "ingest", "train", "evaluate", "promote", "report", "done"
SHOWN = 1_000  # findings of a dream that are told one by one; its counts are of all
PAGE = 200  # task types that are looked for at once
PREFIX = "learn::"  # of the names of tenants' scopes
TOLD = 7 * DAY  # for which it is told that a policy was rolled back, unless another one is promoted before
KEPT = 400 * DAY  # for which what dreams came to is kept
SCOPE = ("tenant", "task_type")
DIED = "the process that dreamed ended"


@dataclass(slots=True)
class Standing:
    """How far a dream is. ``place`` is where it goes on, as JSON values: what was asked for, ``after`` which (tenant,
    task type), ``task`` it is in the middle of, and what was ``judged`` of that."""

    id: str
    seed: int
    budget: int
    phase: str
    steps: int
    place: dict[str, Any]
    counts: dict[str, Any] = field(default_factory=dict)

    def count(self, name: str, more: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + more

    def row(self) -> dict[str, Any]:
        """Parameters of ``dream_step``."""
        told = {"checkpoint": to_json(self.place), "findings": to_json(self.counts)}
        return {"id": self.id, "phase": self.phase, "steps": self.steps, **told}


class Journal:
    """Of one home. Everything but ``ask`` is written under the lease of the dreamer, through its store."""

    def __init__(self, store: Store, world: World) -> None:
        self._store, self._world = store, world

    # -- asking and looking --------------------------------------------------------------------------------------------

    def ask(self, reason: str, scope: Mapping[str, str | None], seed: int, budget: int) -> str:
        """Ask for a dream; the id of it, or of one that waits or was interrupted and does the same."""
        place = {name: scope.get(name) for name in SCOPE}
        with self._store.transaction("*") as tx:
            for row in tx.read("dream_open"):
                known = _place(row)
                dead = row["state"] != "running" or gone(str(row["holder"])) is not None
                if dead and all(known.get(name) == place[name] for name in SCOPE):
                    return str(row["id"])
            id_ = self._world.new_id()
            told = {"id": id_, "reason": reason, "checkpoint": to_json(place), "seed": seed, "budget": budget}
            tx.run("dream_insert", {**told, "now": self._world.now()})
        return id_

    def open(self) -> list[str]:
        """Dreams that were asked for and are not through, those first that were begun."""
        return [str(row["id"]) for row in self._store.read("dream_open")]

    def find(self, id_: str | None) -> Dream:
        """One dream, or the last that was begun, with its findings. Raises NotFound."""
        rows = self._store.read("dream_last") if id_ is None else self._store.read("dream_find", {"id": id_})
        if not rows:
            raise NotFound("No dream has been dreamt yet." if id_ is None else f"There is no dream {id_!r}.")
        return self._told(rows)[0]

    def unkept(self, standing: Standing, begun: int, findings: list[dict[str, Any]], error: str | None) -> Dream:
        """A dry run as a dream that nobody kept."""
        state, now = "interrupted" if error else "completed", from_micros(self._world.now())
        told = {**standing.counts, "dry": True, "findings": findings}
        start = from_micros(begun)
        return Dream(
            "", state, "asked", DONE, standing.seed, standing.budget, standing.steps, start, start, now, told, error
        )

    def latest(self, limit: int) -> list[Dream]:
        """The latest first."""
        return self._told(self._store.read("dream_list", {"limit": limit}))

    def _told(self, rows: Sequence[Row]) -> list[Dream]:
        found: dict[str, list[Any]] = {str(row["id"]): [] for row in rows}
        if found:
            for one in self._store.read("dream_findings_of", {"ids": list(found), "limit": SHOWN}):
                found[one["dream"]].append(_json(one["finding"], one["dream"]))
        lease = self._store.read("lease_find", {"name": LEASE})
        holder = lease[0]["holder"] if lease and lease[0]["expires_at"] > self._world.now() else None
        return [_dream(row, found[row["id"]], holder) for row in rows]

    # -- what waits ----------------------------------------------------------------------------------------------------

    def waiting(self, place: Mapping[str, Any], after: tuple[str, str] = ("", "")) -> Iterator[Row]:
        """Task types with outcomes that no dream has used, in the order of their tenants and names."""
        asked = {"tenant": place.get("tenant"), "task_type": place.get("task_type"), "limit": PAGE}
        while True:
            keys = {"after_tenant": after[0], "after_name": PREFIX + after[1]}
            rows = self._store.read("dream_waiting", {**asked, **keys})
            yield from (row for row in rows if row["outcomes"] > 0)
            if len(rows) < PAGE:
                return
            after = (rows[-1]["tenant"], rows[-1]["task_type"])

    def waits(self) -> tuple[int, int]:
        """How many task types have outcomes that no dream has used, and how many outcomes those are at least."""
        fresh = [_fresh(row) for row in self.waiting({})]
        return len(fresh), sum(fresh)

    def purges(self, tenant: str, task_type: str) -> int:
        """How often outcomes of a task type were taken away; -1 when all of it was."""
        rows = self._store.read("scope_state", {"tenant": tenant, "name": PREFIX + task_type})
        return int(rows[0]["purges"]) if rows else -1

    def urgent(self, most: int) -> bool:
        """Whether a dream was asked for or interrupted, or so many outcomes wait."""
        return bool(self.open()) or self.waits()[1] >= most

    def settle(self) -> None:
        """Alerts of policies that were rolled back have been told for long enough after a week."""
        now = self._world.now()
        self._store.write([("alert_past", {"name": ROLLED_BACK, "now": now, "before": now - TOLD})])

    # -- going on ------------------------------------------------------------------------------------------------------

    def begin(self, store: Store, id_: str, budget: int) -> Standing | None:
        """Begin a dream, or go on with it; None when it is through. One that has used its budget up gets ``budget``."""
        with store.transaction("*") as tx:
            for row in tx.read("dream_open"):
                if row["state"] == "running" and row["id"] != id_:  # nobody else has the lease
                    end = {"state": "interrupted", "now": self._world.now(), "error": DIED}
                    tx.run("dream_end", {**_standing(row).row(), **end})
            rows = [row for row in tx.read("dream_open") if row["id"] == id_]
            if not rows:
                return None
            found = _standing(rows[0])
            if found.budget <= found.steps:
                found.budget = found.steps + budget
            row = {"id": id_, "holder": f"{process()}|{id_}", "now": self._world.now(), "budget": found.budget}
            tx.run("dream_begin", row)
        return found

    def step(self, tx: Transaction, standing: Standing) -> None:
        """Keep how far it is, in the transaction that makes it so."""
        tx.run("dream_step", standing.row())

    def tell(self, tx: Transaction, standing: Standing, finding: Mapping[str, Any]) -> None:
        """Keep what it came to of one task type, of a tenant or an agent."""
        place = standing.counts.get("tasks", 0)
        standing.count("tasks")
        standing.count(str(finding["outcome"]))
        whose = {name: finding[name] for name in SCOPE} | {"agent": finding["agent"] or TENANT}
        tx.run("dream_finding_put", {**whose, "dream": standing.id, "place": place, "finding": to_json(dict(finding))})

    def end(self, store: Store, standing: Standing, state: str, error: str | None) -> None:
        """The end of it, or of one run of it."""
        row = {**standing.row(), "state": state, "now": self._world.now(), "error": error}
        old: Iterable[tuple[str, Mapping[str, Any]]] = ()
        if state == "completed":
            old = (("dream_trim", {"before": self._world.now() - KEPT}), ("dream_findings_trim", {}))
        store.write([("dream_end", row), *old])


def _fresh(row: Row) -> int:
    return max(1, int(row["outcomes"]) - int(row["trained"]), int(row["seq"]) - int(row["seen"]))


def _standing(row: Row) -> Standing:
    counts = _json(row["findings"], row["id"])
    return Standing(
        row["id"], int(row["seed"]), int(row["budget"]), row["phase"], int(row["steps"]), _place(row), counts
    )


def _place(row: Row) -> dict[str, Any]:
    return dict(_json(row["checkpoint"] or "{}", row["id"]))


def _json(text: str, id_: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise StoreCorrupt(f"What is told of dream {id_} is damaged. Restore a backup.") from error


def _dream(row: Row, found: list[Any], holder: str | None) -> Dream:
    """``holder`` is who dreams now. A dream that runs in a process that is gone was interrupted."""
    state, error = row["state"], row["error"]
    if state == "running" and (holder is None or gone(holder)):
        state, error = "interrupted", DIED
    findings = {**_json(row["findings"], row["id"]), "findings": found}
    return Dream(
        row["id"], state, row["reason"], row["phase"], int(row["seed"]), int(row["budget"]), int(row["steps"]),
        from_micros(row["requested_at"]), _at(row["started_at"]), _at(row["ended_at"]), findings, error,
    )  # fmt: skip


def _at(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
