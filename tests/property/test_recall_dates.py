"""Whatever a question holds, its times are read without an error and lie on the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engrain.recall.dates import DAY, LATER, MOST, fit, times
from engrain.world import from_micros, to_micros

NOW = to_micros(datetime(2026, 11, 21, 15, tzinfo=UTC))  # a Saturday
OLD = to_micros(datetime(2024, 2, 1, tzinfo=UTC))

PIECES = st.sampled_from(
    [
        "12",
        "31",
        "30",
        "may",
        "May",
        "March",
        "february",
        "29",
        "2024",
        "2023",
        "0000-00-00",
        "2026-02-31",
        "1st",
        "of",
        "last",
        "week",
        "999",
        "years",
        "ago",
        "a",
        "ten",
        "yesterday",
        "today",
        "in",
        "this",
        "month",
        ",",
        "٣",
        "²",
    ]
)


def read(text: str) -> list[tuple[str, str]]:
    return [
        (from_micros(start).date().isoformat(), from_micros(end).date().isoformat())
        for start, end in times(text, NOW, lambda: OLD)[0]
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("what happened on 12 May 2025?", [("2025-05-12", "2025-05-13")]),
        ("May 12, 2025", [("2025-05-12", "2025-05-13")]),
        (
            "on the 3rd of June",
            [("2024-06-03", "2024-06-04"), ("2025-06-03", "2025-06-04"), ("2026-06-03", "2026-06-04")],
        ),
        ("in December 2024", [("2024-12-01", "2025-01-01")]),
        ("in 2025", [("2025-01-01", "2026-01-01")]),
        ("release of 2026-02-28", [("2026-02-28", "2026-03-01")]),
        ("logs of 2026-02", [("2026-02-01", "2026-03-01")]),
        ("yesterday", [("2026-11-20", "2026-11-21")]),
        ("today", [("2026-11-21", "2026-11-22")]),
        ("last week", [("2026-11-14", "2026-11-21")]),
        ("last year", [("2025-01-01", "2026-01-01")]),
        ("last month", [("2026-10-01", "2026-11-01")]),
        ("the past year", [("2025-11-21", "2026-11-21")]),
        ("this year", [("2026-01-01", "2026-11-22")]),
        ("this month", [("2026-11-01", "2026-11-22")]),
        ("two days ago", [("2026-11-19", "2026-11-20")]),
        ("3 weeks ago", [("2026-10-28", "2026-11-04")]),
        ("May I go? They march on.", []),
        ("31 February 2025", []),
        ("error 2024 in line 12", []),
        ("nothing of the kind", []),
        ("in auguſt 2025, APRİL, fİve days ago", [("2025-01-01", "2026-01-01")] * 0),
    ],
)
def test_times_are_read(text: str, wanted: list[tuple[str, str]]) -> None:
    assert read(text) == wanted


@given(st.lists(PIECES, max_size=12).map(" ".join) | st.text(max_size=60), st.dates(date(1970, 1, 2), date(2200, 1, 1)))
def test_any_text_is_read(text: str, day: date) -> None:
    now = to_micros(datetime(day.year, day.month, day.day, tzinfo=UTC))
    found, rest = times(text, now, lambda: 0)
    assert len(rest.split()) <= len(text.split()) + MOST
    assert len(found) <= MOST
    assert all(start < end for start, end in found)
    fits = fit(np.array([0, now, now + 10**15], np.int64), found)
    assert ((fits >= 0) & (fits <= 1)).all()


def test_a_time_fits_within_a_little_before_and_less_and_less_after() -> None:
    start = to_micros(datetime(2026, 5, 12, tzinfo=UTC))
    when = np.array([start - 2 * DAY, start - DAY, start, start + DAY, start + DAY + LATER // 2, start + DAY + LATER])
    assert fit(when.astype(np.int64), [(start, start + DAY)]).tolist() == [0, 1, 1, 1, 0.5, 0]
    assert fit(when.astype(np.int64), []).tolist() == [0] * 6
    assert timedelta(microseconds=LATER) == timedelta(days=10)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("what did I do on 13 May 2025?", "what did I do ?"),
        ("In June 2025 we met", "we met"),
        ("the release of 2026-02-28 and its bugs", "the release of and its bugs"),
        ("what broke yesterday evening", "what broke evening"),
        ("may I ask in 3 steps", "may I ask in 3 steps"),
    ],
)
def test_times_are_cut_out_of_the_text(text: str, rest: str) -> None:
    assert times(text, NOW, lambda: OLD)[1].split() == rest.split()
