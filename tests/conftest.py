"""What every test obeys: little processor time, unless it is marked slow or ``slow.txt`` has it."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.life import agent, memory, world
from tests.postgres import engine, make_place, place, server

SLOW = Path(__file__).with_name("slow.txt")
__all__ = ["agent", "engine", "make_place", "memory", "place", "server", "world"]  # fixtures


def pytest_addoption(parser: pytest.Parser) -> None:
    # From five seconds on a test is to be marked; it fails at twice that: machines differ, and so do their neighbours.
    parser.addini("cpu_budget_seconds", "processor time of one test that is not marked slow", default="10")


def long_cases() -> set[str]:
    """Ids of the single cases that run with the slow tests."""
    return {line for line in SLOW.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before pytest chooses by marks."""
    long = long_cases()
    for item in items:
        if item.nodeid in long:
            item.add_marker(pytest.mark.slow)


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
