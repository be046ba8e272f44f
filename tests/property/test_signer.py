"""Signatures hold for any text: nothing raises, masks are stable, groups do not depend on order, what is exported comes
back."""

from __future__ import annotations

import random
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from engrain.fixes import Signer
from engrain.fixes.masks import mask

FRAGMENTS = st.one_of(
    st.sampled_from(
        ["<*>", "<", ">", "<*><*>", "*>", "-1", "0x", "0xff", "1.2.3.4:80", "::1", "12:00:01", "a_1", "_1"]
    ),
    st.sampled_from(
        ["C:\\a", "b\\c", "/a", "/a/b", "x@y.de", "http://q", "5", "kB", "(5 kB)", "()", "[1,2,3]", "{a:1}"]
    ),
    st.sampled_from(
        ["=", ":", ",", ";", '"', "'", "`", "true", "=true", ":no", "Jan 3 2020", "AM", "17%", "a.b.c.com"]
    ),
    st.sampled_from(
        ["com.a.b", "a-1-b-2-c-3", "\u2028", "\ud800", "é", "漢字", "１２", "²", "\x00", "\x1f", "\n", " "]
    ),
)
TEXTS = st.one_of(st.text(max_size=60), st.lists(st.one_of(FRAGMENTS, st.text(max_size=4)), max_size=14).map("".join))
LINES = st.one_of(TEXTS, st.lists(FRAGMENTS, max_size=12).map(" ".join))
JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=9), st.lists, max_leaves=5)
PROBLEMS = st.one_of(
    LINES,
    st.dictionaries(
        st.sampled_from(["message", "type", "prompt", "response", "log", "other", "7"]), JSON | LINES, max_size=4
    ),
    LINES.map(ValueError),
)
NAMES = ["ada", "ben", "cleo", "dora", "emil", "fritz", "gerd", "hugo", "ida", "jana", "karl", "lena"]


@settings(max_examples=150)
@given(LINES)
def test_a_mask_is_stable(text: str) -> None:
    once = mask(text)
    assert mask(once) == once
    assert len(once) <= 1024
    assert "\n" not in once


@settings(max_examples=50)
@given(st.lists(PROBLEMS, max_size=12))
def test_any_problem_is_signed(problems: list[object]) -> None:
    signer, other = Signer(), Signer()
    told = [signer.add(problem) for problem in problems]
    assert [other.peek(problem).raw for problem in problems] == [one.raw for one in told]
    assert [signer.add(problem).raw for problem in problems] == [one.raw for one in told]
    assert not any(signer.peek(problem).is_new for problem in problems)
    for one in told:
        head = signer.resolve(one.id)
        assert signer.resolve(head) == head == signer.resolve(one.raw)
        assert one.raw in signer.members(head)
    back = Signer.load(signer.export())
    assert back.export() == signer.export()
    assert [back.resolve(one.id) for one in told] == [signer.resolve(one.id) for one in told]


def events(rng: random.Random) -> list[str]:
    """Lines of a few events with words as values, one or two in a line."""
    return [
        rng.choice(
            [
                f"user {rng.choice(NAMES)} could not open the door of house {rng.randrange(99)}",
                f"mail from {rng.choice(NAMES)} to {rng.choice(NAMES)} was refused by the gate",
                f"the cat of {rng.choice(NAMES)} sleeps",
                f"ids {', '.join(str(rng.randrange(9)) for _ in range(rng.randint(1, 5)))} are gone from the list",
                f"door {rng.choice(('opened', 'closed', 'failed', 'stuck'))} in the main house",
            ]
        )
        for _ in range(rng.randint(0, 120))
    ]


def partition(signer: Signer, lines: Iterable[str]) -> set[frozenset[str]]:
    groups: dict[str, set[str]] = {}
    raws = {line: signer.add(line).raw for line in lines}
    for line, raw in raws.items():
        groups.setdefault(signer.resolve(raw), set()).add(line)
    return {frozenset(group) for group in groups.values()}


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 40))
def test_groups_do_not_depend_on_order_or_on_when_they_are_asked_for(rng: random.Random, every: int) -> None:
    lines = events(rng)
    asked = Signer()
    for at, line in enumerate(lines):
        told = asked.add(line)
        if every and at % every == 0:
            asked.resolve(told.id)
    shuffled = lines[:]
    rng.shuffle(shuffled)
    assert partition(asked, lines) == partition(Signer(), shuffled)


@settings(max_examples=50, deadline=None)
@given(
    st.randoms(use_true_random=False), st.lists(st.tuples(st.booleans(), st.integers(0), st.integers(0)), max_size=8)
)
def test_what_a_person_changes_can_be_undone(rng: random.Random, changes: list[tuple[bool, int, int]]) -> None:
    signer = Signer()
    raws = list(dict.fromkeys(signer.add(line).raw for line in events(rng))) or [signer.add("alone").raw]

    def seen() -> list[str]:
        return [signer.resolve(raw) for raw in raws]

    past = [seen()]
    for merge, a, b in changes:
        one, other = raws[a % len(raws)], raws[b % len(raws)]
        if merge:
            before = signer.resolve(one) == signer.resolve(other)
            assert signer.merge(one, other) == signer.resolve(one) == signer.resolve(other)
            if before:
                continue  # nothing to undo: they were one
        else:
            assert signer.split(one) == one
            assert signer.members(one) == (one,)
        past.append(seen())
        assert Signer.load(signer.export()).export() == signer.export()
    while len(past) > 1:
        assert seen() == past.pop()
        assert signer.undo() is not None
    assert seen() == past[0]
    assert signer.undo() is None
