"""Random verbs give the answers of a plain in-memory model, on both engines, also after reopening."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from engrain.testing.machine import MemoryMachine
from tests.postgres import Server

QUIET = list(HealthCheck)


class FolderMachine(MemoryMachine):
    """Each run in a new folder."""

    def place(self) -> dict[str, Any]:
        self.folder = tempfile.TemporaryDirectory()
        return {"location": str(Path(self.folder.name) / "home")}

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


class ServerMachine(FolderMachine):
    """Each run in a new database."""

    server: ClassVar[Server]

    def place(self) -> dict[str, Any]:
        self.database = self.server.fresh(self.server.migrated())
        return {"location": self.server.url(self.database), "home": super().place()["location"]}

    def teardown(self) -> None:
        super().teardown()
        self.server.drop(self.database)


def explore(machine: type[MemoryMachine], examples: int, steps: int) -> None:
    """Reproducible: the same examples every time, unless more are asked for."""
    wanted = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=True, database=None,
        suppress_health_check=QUIET, print_blob=False,
        phases=[phase for phase in Phase if phase is not Phase.explain],  # explaining a long run takes longer than it
    )  # fmt: skip
    run_state_machine_as_test(machine, settings=wanted)


@pytest.fixture
def server_machine(server: Server) -> type[ServerMachine]:
    ServerMachine.server = server
    return ServerMachine


def test_folder_against_model() -> None:
    explore(FolderMachine, examples=14, steps=40)


@pytest.mark.postgres
def test_server_against_model(server_machine: type[ServerMachine]) -> None:
    explore(server_machine, examples=4, steps=40)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_folder_against_model_at_length() -> None:
    explore(FolderMachine, examples=400, steps=60)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(900)
def test_server_against_model_at_length(server_machine: type[ServerMachine]) -> None:
    explore(server_machine, examples=60, steps=60)
