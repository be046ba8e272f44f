"""What an agent remembers comes back as it left, in every format, and no input does more harm than InvalidInput."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engrain.agent import Agent
from engrain.errors import InvalidInput
from engrain.exchange.formats import READERS, rows_of, told_by
from engrain.exchange.rows import COUNTS, TIMES
from engrain.intake.redact import redact
from engrain.model.exchange import CONFLICTS
from engrain.model.item import KINDS
from engrain.testing import SimulatedWorld
from tests.postgres import Place

QUIET = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink])
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
WORDS = (TEXT | st.sampled_from(["=1+1", "'", "@x", "-", "a\r\nb", "\ra", "ü\u2028\x85x", '"', ","])).filter(
    lambda text: bool(text.strip()) and not redact(text).rules
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 (bounds)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "kind": st.sampled_from(KINDS),
    "importance": st.floats(1, 10),
    "tags": st.lists(WORDS, max_size=4, unique=True),
    "metadata": st.dictionaries(WORDS, JSON, max_size=3),
    "session": WORDS,
    "role": WORDS,
    "decay_rate": st.floats(0, 10),
    "visibility": st.sampled_from(["private", "team", "public"]),
    "pinned": st.booleans(),
    "source": WORDS,
}
ROW = st.fixed_dictionaries(
    {"content": WORDS},
    optional={
        **FIELDS,
        "key": st.sampled_from(["k", "K"]) | WORDS,
        "occurred_at": MOMENTS,
        "expires_in": st.timedeltas(timedelta(seconds=1), timedelta(days=3000)),
    },
)
STEP = st.one_of(
    st.tuples(st.just("remember"), ROW),
    st.tuples(st.sampled_from(["again", "get", "helpful", "recall", "forget"]), st.integers(0, 9)),
    st.tuples(st.just("update"), st.fixed_dictionaries({"content": WORDS}, optional=FIELDS).map(
        lambda row: {name: value for name, value in row.items() if name != "kind"})),
    st.tuples(st.just("wait"), st.sampled_from([1, 4000, 10**6])),
)  # fmt: skip


def body(data: bytes, format_: str) -> Any:
    """What was exported, apart from its header."""
    if format_ == "csv":
        return data
    return json.loads(data)["items"] if format_ == "json" else data.split(b"\n", 1)[1]


def live(agent: Agent, world: SimulatedWorld, steps: list[tuple[str, Any]]) -> None:
    """Do what the steps say, with the agent's latest items."""
    told: list[Any] = []
    for what, given_ in steps:
        if what == "remember":
            told.append(agent.remember(**given_))
        elif what == "wait":
            world.advance(seconds=given_)
        elif told and (item := agent.get(told[given_ % len(told) if isinstance(given_, int) else -1].id)):
            if what == "update" and item.state == "active":
                agent.update(item.id, **given_)
            elif what == "again":
                agent.remember(item.content, kind=item.kind)
            elif what == "helpful":
                agent.helpful(item.id, bool(given_ % 2))
            elif what == "recall":
                agent.recall(item.content)
            elif what == "forget":
                agent.forget(item.id)


@pytest.mark.parametrize("examples", [15])
def test_what_is_exported_comes_back_the_same(make_place: Callable[..., Place], examples: int) -> None:
    world = SimulatedWorld("2026-01-01T00:00:00Z", seed=1)
    here, there = make_place().open(world=world), make_place().open(world=world)
    number = itertools.count()

    @settings(QUIET, max_examples=examples)
    @given(st.lists(STEP, min_size=1, max_size=12))
    def check(steps: list[tuple[str, Any]]) -> None:
        one = f"t{next(number)}"
        agent = here.agent("a", tenant=one)
        live(agent, world, steps)
        for format_ in ("json", "jsonl", "csv"):
            left = b"".join(agent.export_data(format_))
            other = there.agent("another", tenant=f"{one} {format_}")
            for _ in range(2):  # importing twice is the same as once
                came = other.import_data([left], format_)
                assert came.refused == 0
                assert body(b"".join(other.export_data(format_)), format_) == body(left, format_)
            other.forget(everything=True)  # the ids are free again
        copy = here.agent("copy", tenant=one)  # every id is taken: the items have others, and nothing else has changed
        copy.import_data([b"".join(agent.export_data("jsonl"))])
        assert _nameless(copy) == _nameless(agent)
        check_untouched = body(b"".join(agent.export_data("jsonl")), "jsonl")
        copy.forget(everything=True)
        assert body(b"".join(agent.export_data("jsonl")), "jsonl") == check_untouched

    check()


def _nameless(agent: Agent) -> list[str]:
    """The items without their ids, versions with how many follow them."""
    rows = {row["id"]: row for row in body(b"".join(agent.export_data("json")), "json")}

    def depth(row: Any) -> int:
        return 1 + depth(rows[row["superseded_by"]]) if row.get("superseded_by") in rows else 0

    hidden = ("id", "superseded_by")
    plain = [{n: v for n, v in row.items() if n not in hidden} | {"depth": depth(row)} for row in rows.values()]
    return sorted(json.dumps(row, sort_keys=True) for row in plain)


IDS = st.text("0123456789abcdefghjkmnpqrstvwxyz", min_size=26, max_size=26)
FULL = st.fixed_dictionaries(
    {
        "id": IDS,
        "content": WORDS,
        "state": st.sampled_from(["active", "superseded", "archived"]),
        **{name: MOMENTS.map(datetime.isoformat) for name in ("created_at", "told_at", "updated_at")},
    },
    optional={
        **FIELDS,
        **{name: MOMENTS.map(datetime.isoformat) for name in TIMES if name[:4] not in ("crea", "told", "upda")},
        **{name: st.integers(1, 10**12) for name in COUNTS},
        "key": WORDS,
        "superseded_by": IDS,
        "archived_reason": WORDS,
        "weighed": st.floats(1, 10),
    },
)


def test_every_row_that_is_accepted_comes_out_as_it_went_in(make_place: Callable[..., Place]) -> None:
    memory = make_place().open()
    number = itertools.count()

    @settings(QUIET, max_examples=30)
    @given(st.lists(FULL, max_size=4, unique_by=lambda row: row["id"]))
    def check(rows: list[dict[str, Any]]) -> None:
        keys = [(row.get("kind", "context"), row["key"]) for row in rows if row["state"] == "active" and "key" in row]
        if len(keys) != len(set(keys)):
            return
        agent = memory.agent("a", tenant=f"t{next(number)}")
        for row in rows:
            if row["state"] != "active":
                row.setdefault(f"{row['state']}_at", row["updated_at"])
        agent.import_data([json.dumps(row).encode() + b"\n" for row in rows] or [b"\n"], "jsonl")
        found = {row["id"]: row for row in body(b"".join(agent.export_data("json")), "json")}
        unsaid = {
            "importance": 5.0,
            "kind": "context",
            "visibility": "private",
            "pinned": False,
            "tags": [],
            "metadata": {},
        }
        assert [unsaid | found[row["id"]] for row in rows] == [unsaid | row for row in rows]
        agent.forget(everything=True)

    check()


NAMES = st.sampled_from(["content", "id", "state", "type", "message", "memory", "results", "items", "engrain", "name",
                         "tags", "metadata", "observations", "statistics", "echoes", "created_at", "role"])  # fmt: skip
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=4),
    max_leaves=8,
)
BLOBS = st.binary(max_size=60) | st.lists(ODD.map(json.dumps), max_size=3).map(lambda some: "\n".join(some).encode())


def test_whatever_is_read_nothing_but_invalid_input(make_place: Callable[..., Place]) -> None:
    agent = make_place().open().agent("a")

    @settings(QUIET, max_examples=150)
    @given(BLOBS, st.sampled_from([*READERS, None]), st.booleans())
    def check(data: bytes, format_: str | None, partial: bool) -> None:
        before = agent.count()
        came = None
        with suppress(InvalidInput):
            came = agent.import_data([data], format_, partial=partial)
        assert agent.count() <= before + (came.imported if came else 0)

    check()


@settings(QUIET, max_examples=150)
@given(BLOBS)
def test_the_format_of_anything_is_told_or_refused(data: bytes) -> None:
    for name in ("a.csv", "a.json", "a.jsonl", "a"):
        try:
            assert told_by(name, data) in READERS
        except InvalidInput as error:
            assert "name it" in str(error)  # noqa: PT017 (either is right)


def test_any_note_and_any_transcript_is_read_or_refused(tmp_path: Path) -> None:
    names = itertools.count()

    @settings(QUIET, max_examples=100)
    @given(st.binary(max_size=80) | TEXT.map(lambda text: f"---\n{text}\n---\n{text}".encode()), st.booleans())
    def check(data: bytes, notes: bool) -> None:
        folder = tmp_path / str(next(names))
        folder.mkdir()
        (folder / ("a.md" if notes else "a.jsonl")).write_bytes(data)
        for where, row in rows_of(folder, None)():
            assert where.startswith("a.")
            assert isinstance(row, dict | InvalidInput)

    check()


@pytest.mark.parametrize("opening", [b"[", b'{"items":', b'{"a":', b'[{"content":'])
def test_json_without_a_bottom_is_refused(opening: bytes) -> None:
    for read in READERS.values():
        for _, row in read(io.BytesIO(opening * 100_000)):
            assert isinstance(row, InvalidInput) or row == {}


FEW = st.sampled_from(["2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00", "2026-03-01T00:00:00+00:00"])
MEETING = st.fixed_dictionaries(
    {
        "content": st.sampled_from(["one", "two"]),
        "state": st.sampled_from(["active", "active", "superseded", "archived"]),
    },
    optional={
        "id": st.sampled_from(["a", "b", "c"]),
        "key": st.sampled_from(["k", "l"]),
        "superseded_by": st.sampled_from(["a", "b", "c"]),
        "tags": st.lists(st.sampled_from(["x", "y"]), unique=True),
        "visibility": st.sampled_from(["private", "public"]),
        "updated_at": FEW,
        "told_at": FEW,
        "expires_at": FEW,
        "shown": st.integers(1, 3),
    },
).filter(lambda row: row["state"] == "active" or "id" in row)
MEETINGS = st.lists(MEETING, max_size=6)


def test_whatever_rows_meet_twice_is_as_once_and_others_keep_theirs(make_place: Callable[..., Place]) -> None:
    world = SimulatedWorld("2026-02-15T00:00:00Z", seed=3)
    memory = make_place().open(world=world)
    number = itertools.count()

    @settings(QUIET, max_examples=25)
    @given(MEETINGS, MEETINGS, MEETINGS, st.sampled_from(CONFLICTS))
    def check(theirs: Any, before: Any, rows: Any, policy: str) -> None:
        tenant = f"t{next(number)}"
        other, agent = memory.agent("other", tenant=tenant), memory.agent("a", tenant=tenant)
        for one, some in ((other, theirs), (agent, before)):
            one.import_data([json.dumps(row).encode() + b"\n" for row in some] or [b"\n"], "jsonl", "overwrite")
        untouched = b"".join(other.export_data("csv"))
        data = [json.dumps(row).encode() + b"\n" for row in rows] or [b"\n"]
        found = []
        for _ in range(2):
            came = agent.import_data(data, "jsonl", policy)
            assert came.imported + came.skipped + came.overwritten + came.merged == len(rows)
            found.append(_settled(agent))
        assert b"".join(other.export_data("csv")) == untouched
        assert _fits(agent)
        named = [row.get("key") for row in rows if row["state"] == "active"]
        if len({row["id"] for row in rows if "id" in row}) == len(rows) and len(set(named)) == len(named):
            assert found[0].keys() == found[1].keys()  # rows that contradict each other may take turns
        for one in (other, agent):
            one.forget(everything=True)
        assert memory.store.check() == []

    check()


def _settled(agent: Agent) -> dict[str, Any]:
    return {row["id"]: row for row in body(b"".join(agent.export_data("json")), "json")}


def _fits(agent: Agent) -> bool:
    """Every active item is found by recall as it is stored, and no other."""
    live = {item.id: item.content for item in agent.list()}
    found = [hit.item for hit in agent.recall("one two", limit=100, min_score=0.0)]
    hits = {item.id: item.content for item in found if item.agent == agent.scope.agent}
    return live == hits
