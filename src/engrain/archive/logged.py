"""Archived experiences for training, together with those of the store. See ``learn.logged``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engrain.archive.reading import reached
from engrain.model.steps import Columns
from engrain.store.port import Store

if TYPE_CHECKING:
    from engrain.archive.tables import Tables


class ColdSteps:
    """The steps of one home while some are archived. Imports the libraries of the archive only then."""

    def __init__(self, store: Store, tables: Callable[[], Tables | None]) -> None:
        self._store, self._tables = store, tables

    def closed(self) -> int:
        return int(self._store.read("batch_closed", {"kind": "experiences"})[0]["number"])

    def agents(self, tenant: str, task_type: str) -> set[str]:
        from engrain.archive.steps import agents

        return agents(self._store, reached(self._tables), {"tenant": tenant, "task_type": task_type})

    def steps(self, tenant: str, task_type: str, agent: str | None, since: int) -> Columns:
        from engrain.archive.steps import steps

        asked = {"tenant": tenant, "task_type": task_type, "agent": agent, "since": since}
        return steps(self._store, reached(self._tables), asked)

    def grouped(self, steps: Columns) -> Columns:
        from engrain.archive.steps import counted

        return counted(steps)
