"""Many daemons on one store, their clocks moved together: each role is run once an interval, whoever looks."""

from __future__ import annotations

import pytest

from tests.fleet import live
from tests.postgres import Place

pytestmark = pytest.mark.slow


def test_of_several_daemons_each_role_is_run_by_one(place: Place) -> None:
    intervals, wrong = live(place, many=3, days=1, minutes=15)
    assert intervals > 96
    assert wrong == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_daemons_run_each_role_once_an_interval_for_a_week(place: Place) -> None:
    intervals, wrong = live(place, many=10, days=7, minutes=15)
    assert intervals > 672
    assert wrong == 0
