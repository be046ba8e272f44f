"""Trajectories: the steps of tasks, judged when they are told, and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engrain.errors import NotFound
from engrain.model.pattern import Step, Trajectory
from engrain.model.scope import Scope
from engrain.patterns.judge import judge
from engrain.patterns.room import Room
from engrain.store.changes import bump
from engrain.store.port import Row
from engrain.store.rows import to_json
from engrain.world import from_micros

Acts = Callable[[Sequence[str], str | None], bool]


def own_scope(agent: str) -> str:
    """The name of the change sequence of an agent's trajectories."""
    return f"trajectories:{agent}"


class Trajectories:
    """Those of a home. ``acts`` tells whether commands do anything."""

    def __init__(self, room: Room, acts: Acts) -> None:
        self._room, self._acts = room, acts

    def add(self, scope: Scope, told: Mapping[str, Any]) -> Trajectory:
        """Keep and judge one whose fields were checked: task, steps, success, evidence, task_type, task_id, visibility.
        The same task, type, id and steps told again is the same one, judged again by what is told now."""
        steps: Sequence[Step] = told["steps"]
        verdict = judge(steps, told["success"], told["evidence"], self._acts)
        written = to_json([_written(step) for step in steps])
        same = to_json([told["task"], told["task_type"], told["task_id"], written])
        base = {"tenant": scope.tenant, "agent": scope.agent}
        row = {
            **base, "id": self._room.world.new_id(), "task": told["task"], "task_type": told["task_type"],
            "task_id": told["task_id"], "steps": written, "visibility": told["visibility"],
            "fingerprint": hashlib.blake2b(same.encode(), digest_size=16).hexdigest(),
            "success": None if verdict.success is None else int(verdict.success), "evidence": verdict.evidence,
            "why": verdict.why, "now": self._room.world.now(),
        }  # fmt: skip
        with self._room.store.transaction(scope.tenant) as tx:
            row["seq"] = bump(tx, scope.tenant, own_scope(scope.agent))
            there = tx.read("trajectory_same", {**base, "fingerprint": row["fingerprint"]})
            if there:
                row["id"] = there[0]["id"]
                tx.run("trajectory_judged", row)
            else:
                tx.run("trajectory_insert", row)
        return self.get(scope, row["id"])

    def get(self, scope: Scope, id_: str) -> Trajectory:
        """Raises NotFound."""
        found = self.latest(scope, id_=id_, limit=1)
        if not found:
            raise NotFound(f"{id_!r} is not a trajectory that agent {scope.agent!r} can see.")
        return found[0]

    def latest(
        self,
        scope: Scope,
        *,
        id_: str | None = None,
        task_type: str | None = None,
        success: bool | None = None,
        limit: int = 100,
    ) -> list[Trajectory]:
        """Those that a scope sees, the latest first."""
        asked = {"id": id_, "task_type": task_type, "success": None if success is None else int(success)}
        rows = self._room.store.read("trajectory_list", {**self._room.reader(scope), **asked, "limit": limit})
        return [trajectory_of(row) for row in rows]


def trajectory_of(row: Row) -> Trajectory:
    """One from its row."""
    return Trajectory(
        id=row["id"],
        agent=row["agent"],
        task=row["task"],
        task_type=row["task_type"],
        steps=tuple(_step(one) for one in json.loads(row["steps"])),
        success=None if row["success"] is None else row["success"] == 1,
        evidence=row["evidence"],
        why=row["why"],
        task_id=row["task_id"],
        visibility=row["visibility"],
        created_at=from_micros(row["created_at"]),
        distilled=tuple(json.loads(row["distilled"])),
    )


def _written(step: Step) -> dict[str, Any]:
    told = {name: getattr(step, name) for name in Step.__slots__}
    return {name: value for name, value in told.items() if value is not None and value != {}}


def _step(told: Mapping[str, Any]) -> Step:
    tests = told.get("tests")
    return Step(
        told["action"],
        told.get("state", {}),
        told.get("output"),
        told.get("success"),
        told.get("exit_code"),
        None if tests is None else (tests[0], tests[1]),
    )
