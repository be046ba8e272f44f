"""Progress is told where a terminal is and where none is."""

from __future__ import annotations

import re

import pytest

from engrain.shells import screen


def test_without_a_terminal_progress_is_lines_with_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(screen, "EVERY", 0.0)
    with screen.progress(4000, "rebuild") as advance:
        for done in (1000, 1000, 2500, 4000):
            advance(done)
    told = capsys.readouterr().err.splitlines()
    assert [re.sub(r"\d+:\d\d", "T", row) for row in told] == [
        "rebuild: 2,500 of 4,000, T left",
        "rebuild: 4,000 of 4,000, T left",
    ]
    monkeypatch.setattr(screen, "EVERY", 60.0)
    with screen.progress(4000, "rebuild") as advance:
        for done in (0, 4000):
            advance(done)
    assert capsys.readouterr().err == "", "what is over at once is not worth a line"


def test_on_a_terminal_progress_is_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    with screen.progress(4000, "rebuild") as advance:
        for done in (1000, 2500, 4100):
            advance(done)
    told = capsys.readouterr()
    assert told.out == ""
    assert "rebuild" in told.err
    assert "4100/4100" in told.err, "what was added meanwhile counts too"


@pytest.mark.parametrize(("share", "cells"), [(0.0, 0), (0.001, 0), (0.02, 1), (0.5, 6), (0.51, 7), (1.0, 12)])
def test_a_bar_has_the_length_of_its_share(share: float, cells: int) -> None:
    assert len(screen.bar(share)) == cells
