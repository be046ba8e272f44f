"""Random verbs through a service and through an embedded memory, in turn, on one home: the answers of a plain model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from engrain.memory import Memory
from engrain.shells.client import Client
from tests.property.test_model import FolderMachine, explore
from tests.serving import Inside


class Served(Client):
    """A client, and the memory behind its service: closed together, and known by each other's parts."""

    def __init__(self, inside: Inside, memory: Memory) -> None:
        inside.give(memory)
        super().__init__(inside.url)
        self.closed = False
        self.behind = memory
        self.signals, self.store, self.sweeps = memory.signals, memory.store, memory.sweeps

    def close(self) -> None:
        self.closed = True
        super().close()
        self.behind.close()


class ClientMachine(FolderMachine):
    """The first of two memories is behind a service."""

    inside: ClassVar[Inside]
    served: Served | None = None

    def opened(self) -> Memory:
        memory = super().opened()
        if self.served is not None and not self.served.closed:
            return memory
        self.served = Served(self.inside, memory)
        return self.served


@pytest.fixture
def machine() -> Iterator[type[ClientMachine]]:
    ClientMachine.inside = Inside()
    yield ClientMachine
    ClientMachine.inside.stop()


def test_client_against_model(machine: type[ClientMachine]) -> None:
    explore(machine, examples=2, steps=10)
    assert machine.inside.routes is not None, "a service was asked"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_client_against_model_at_length(machine: type[ClientMachine]) -> None:
    explore(machine, examples=30, steps=40)
    assert machine.inside.routes is not None
