"""Reports of a home's health: what they say, and that no name of an agent can make them say something else."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engrain.errors import NotFound
from engrain.lifecycle.charts import bars, short
from engrain.lifecycle.report import Health, plain_markdown
from engrain.memory import Memory
from engrain.model.run import Alert, RoleState, Run
from engrain.testing import SimulatedWorld
from tests.postgres import Place

NOW = datetime(2026, 1, 29, tzinfo=UTC)
EVIL = "<script>alert(1)</script>&\"'|[x](javascript:y)`*_#\n# Heading"
DAY = {
    "memories": 10,
    "importance": 5.0,
    "bytes": 900,
    "uses": 4,
    "accesses": 2,
    "expired": 1,
    "archived": 2,
    "promoted": 0,
}
ROW = {"tenant": "default", "agent": "ann", "kind": "fact", **DAY}


class Page(HTMLParser):
    """The tags of a page, its text, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def health(agent: str = "ann", **given: Any) -> Health:
    days = [{"day": (NOW - timedelta(days=28 - n)).strftime("%Y-%m-%d"), **DAY, "memories": n} for n in range(28)]
    days[3] |= dict.fromkeys(("memories", "importance", "bytes", "uses", "accesses"))
    figures = {"series": days, "totals": DAY, "agents": [ROW | {"agent": agent}]}
    run = Run("r", "decay", "failed", False, NOW, NOW + timedelta(seconds=2), {}, agent)
    roles = [RoleState("decay", "on", 86400.0, NOW, 3, run), RoleState("prune", "paused", 86400.0, NOW, 0, None)]
    alerts = [Alert("a", NOW, "growth", f"default/{agent}", "has 9 memories, more than 3", None)]
    week = {"moved": {"memory:archived": 14}, "score": 60}
    return Health(**{"figures": figures, **week, "roles": roles, "alerts": alerts, **given})


def test_both_texts_tell_the_same_week() -> None:
    one = health()
    page = Page(one.html())
    for told in (one.markdown(), page.text):
        for part in ("2026-01-22 to 2026-01-28", "default/ann", "has 9 memories, more than 3", "archived", "+7", "14"):
            assert part in told, part
        assert "failed 2026-01-29 00:00" in told
        assert "never run" in told
    assert one.accesses == 14, "2 on each of seven days"


@pytest.mark.parametrize("name", [EVIL, "</title><svg onload=x>", "a|b\\|c", "\u202elluf", "x" * 128])
def test_a_name_cannot_make_itself_markup(name: str) -> None:
    one = health(name)
    page = Page(one.html())
    assert page.tags == Page(health().html()).tags
    assert page.attributes == Page(health().html()).attributes
    assert name in page.text
    assert one.markdown().count("\n") == health().markdown().count("\n")
    cells = re.compile(r"(?<!\\)(?:\\\\)*\|")
    widths = [len(cells.findall(row)) for row in one.markdown().splitlines()]
    assert widths == [len(cells.findall(row)) for row in health().markdown().splitlines()]
    assert "<script" not in one.markdown()


@given(st.text(max_size=20))
def test_markdown_is_one_line_without_markup(text: str) -> None:
    told = plain_markdown(text)
    assert "\n" not in told
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_|\[\]]|[<>]", told)
    assert unescape(re.sub(r"\\(.)", r"\1", told)) == " ".join(text.split())


def test_a_page_needs_no_network_and_no_script() -> None:
    page = health().html()
    assert "script" not in Page(page).tags
    assert "link" not in Page(page).tags
    assert not re.search(r"https?:|url\(|@import", page)
    assert "prefers-color-scheme:dark" in page


def test_a_chart_shows_what_is_known_and_marks_what_is_not() -> None:
    days = [f"2026-01-0{n}" for n in range(1, 6)]
    text = bars('a "title" & more', days, [("one", [1, None, 3, 0, 5]), ("two", [1, None, 0, 0, 5])])
    chart = ElementTree.fromstring(text)  # it is well-formed
    drawn = [one for one in chart if one.tag == "rect"]
    assert [one.get("class") for one in drawn] == ["s0", "s1", "s0", "s0", "s1"]
    tall = [float(one.get("height", 0)) for one in drawn]
    assert tall[3] == tall[4] == pytest.approx(5 * tall[0], rel=0.01)
    assert float(drawn[4].get("y", 0)) == 8.0, "the highest bar reaches the top line"
    assert [one.get("class") for one in chart if one.tag == "line"] == ["axis", "grid", "gap"]
    assert chart.get("aria-label") == 'a "title" & more'
    assert ElementTree.fromstring(bars("empty", [], [("one", [])])).tag == "svg"


@pytest.mark.parametrize(("number", "told"), [(0, "0"), (950, "950"), (1000, "1k"), (1234, "1.2k"), (3.4e6, "3.4M")])
def test_numbers_are_short_on_a_scale(number: float, told: str) -> None:
    assert short(number) == told


def test_a_weekly_report_is_kept_and_read_back_after_a_restart(place: Place) -> None:
    world = SimulatedWorld()
    memory: Memory = place.open(world=world)
    memory.agent("ann").remember("one", expires_in="30h")
    with pytest.raises(NotFound, match="one week after"):
        memory.report(last=True)
    for _ in range(7):
        world.advance(days=1)
        memory.tick()
    fresh, kept = memory.report(), memory.report(last=True)
    assert kept.period == fresh.period == "2026-01-01/2026-01-07"
    assert "- expired: 1" in kept.markdown
    assert "| 2026-01-01 | 1 | 0 | 0 | 0 | 0 |" in kept.markdown
    assert "| 2026-01-03 | 0 | 0 | 1 | 1 | 0 |" in kept.markdown, "archived at midnight, that is the next day"
    memory.close()
    assert place.open(world=world).report(last=True) == kept
