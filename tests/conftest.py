"""What every test obeys: no more than five seconds of processor time, unless it says that it is slow."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from tests.life import agent, memory, world
from tests.postgres import engine, make_place, place, server

__all__ = ["agent", "engine", "make_place", "memory", "place", "server", "world"]  # fixtures


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("cpu_budget_seconds", "processor time of one test that is not marked slow", default="5")


def cpu_seconds() -> float:
    """Processor time of this process, its threads and the children it has waited for.

    Not wall time: a busy machine makes a test late, not slow.
    """
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    before = cpu_seconds()
    yield
    spent = cpu_seconds() - before
    budget = float(item.config.getini("cpu_budget_seconds"))
    if spent > budget and item.get_closest_marker("slow") is None:
        pytest.fail(f"{spent:.1f} s of processor time; above {budget:g} s a test is marked slow", pytrace=False)
