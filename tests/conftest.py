"""What every test obeys: no more than five seconds of processor time, unless it says that it is slow."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

CPU_BUDGET_SECONDS = 5.0


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
    if spent > CPU_BUDGET_SECONDS and item.get_closest_marker("slow") is None:
        pytest.fail(
            f"{spent:.1f} s of processor time; a test that needs more than {CPU_BUDGET_SECONDS:g} s is marked slow",
            pytrace=False,
        )
