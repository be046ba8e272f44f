"""Documents of fixes: whatever was noted leaves and comes in elsewhere without loss, and never counts twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engrain
from engrain.agent import Agent
from engrain.errors import InvalidField
from engrain.fixes.places import lines_of_rows
from engrain.memory import Memory

WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(str.strip)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"problem": st.sampled_from(["disk full", "no answer after 3 s", "no answer after 4 s", 'odd " {]\u2028'])},
        optional={
            "commands": st.lists(st.sampled_from(["restart db", "echo no", "rm x"]), max_size=2), "analysis": WORDS,
            "fixer": WORDS, "success": st.booleans(), "target": st.sampled_from(["a", "b"]), "notes": WORDS,
            "system": st.dictionaries(WORDS, st.integers(), max_size=2), "seconds": st.integers(0, 9),
        },
    ),
    max_size=6,
)  # fmt: skip


def known(agent: Agent) -> Any:
    """Everything that is told of fixes, but when the document was made."""
    seen = [(one.id, one.seen, one.odds, one.targets, one.best) for one in agent.issues()]
    return {**agent.export_fixes(), "exported_at": ""}, agent.fix_stats(), sorted(seen)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Memory]]:
    folder = tmp_path_factory.mktemp("homes")
    found = [engrain.open(folder / name, embedder="hash") for name in ("one", "two", "three")]
    yield found
    for one in found:
        one.close()


TENANTS = count()


@settings(max_examples=15, deadline=None)
@given(ROWS, ROWS, st.data())
def test_what_two_homes_know_adds_up_once(
    homes: list[Memory], mine: list[dict[str, Any]], theirs: list[dict[str, Any]], data: st.DataObject
) -> None:
    tenant = f"t{next(TENANTS)}"
    a, b, copy = (home.agent("a", tenant=tenant) for home in homes)
    path = Path(str(homes[0].home)) / "fixes.out"
    for agent, rows in ((a, mine), (b, theirs)):
        made = agent.record_fixes([{**row, "verified": row.get("success") is True} for row in rows]) if rows else []
        tried = [one for one in made if one.effective]
        told: bool = data.draw(st.booleans())
        if tried and told:
            agent.verify_fix(data.draw(st.sampled_from(tried)).id, data.draw(st.booleans()))
    before, alone, (document, stats, _) = a.fix_stats(), b.fix_stats(), known(a)
    a.export_fixes(path)
    for added in (len(mine), 0):
        found = b.import_fixes(path)
        assert (found.added, found.revised, found.known) == (added, 0, len(mine) - added)
    sums = b.fix_stats()
    for name in ("seen", "tried", "solved", "failed", "claimed", "unknown"):
        assert getattr(sums, name) == getattr(before, name) + getattr(alone, name)
    copy.import_fixes(path)
    assert known(copy)[:2] == (document, stats), "nothing is lost on the way"
    if mine:
        number = data.draw(st.integers(0, len(mine) - 1))
        line = spoil(path, number)
        held = known(b)
        with pytest.raises(
            InvalidField, match=rf"Nothing was imported\. fixes\[{number}\] \(line {line}\): occurred_at"
        ):
            b.import_fixes(path)
        assert known(b) == held


def spoil(path: Path, number: int) -> int:
    """Make a row of a document's fixes a bad one; the line on which it stands."""
    rows = path.read_text(encoding="utf-8").split("\n")
    row = json.loads("\n".join(rows))["fixes"][number]
    place = next(n for n, text in enumerate(rows) if f'"id": "{row["id"]}"' in text)
    rows[place] = json.dumps({**row, "occurred_at": "soon"}) + "," * rows[place].endswith(",")
    path.write_text("\n".join(rows), encoding="utf-8", newline="")
    return place + 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=50)
@given(st.dictionaries(st.text(max_size=8), JSON, max_size=4), st.sampled_from([None, 0, 1, "\t"]))
def test_the_lines_of_rows_are_those_where_they_stand(document: dict[str, Any], indent: Any) -> None:
    text = json.dumps(document, indent=indent)
    found = lines_of_rows(text)
    assert {key: len(value) for key, value in document.items() if isinstance(value, list) and value} == {
        name: 1 + max(number for one, number in found if one == name) for name, _ in found
    }
    for (name, number), line in found.items():
        rest = "\n".join(text.split("\n")[line - 1 :])
        assert json.dumps(document[name][number], indent=indent).split("\n")[0] in rest.split("\n")[0]
