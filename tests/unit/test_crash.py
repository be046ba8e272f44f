"""What makes failures one issue: at once by their key, later by likeness."""

from __future__ import annotations

import random
from typing import Any

from engrain.fixes import Signer, crash
from engrain.fixes.signature import DETAILS
from tests.stacks import SAMPLES


def failure(test: str, message: str = "expected:<3> but was:<4>", *calls: str) -> dict[str, Any]:
    cls, _, method = test.partition("::")
    frames = ["junit.framework.Assert.fail(Assert.java:57)", *calls, f"{cls}.{method}({cls.rpartition('.')[2]}.java:5)"]
    return {"exception": "junit.framework.AssertionFailedError", "message": message, "frames": frames, "test": test}


def crashed(top: str, exception: str = "java.lang.NullPointerException", message: str = "") -> str:
    return f"{exception}: {message}\n\tat {top}(X.java:5)\n\tat com.acme.Main.run(Main.java:9)\n"


SHOP = "com.acme.shop.CartTest::"
WORLD: list[Any] = [
    *(
        failure(f"{SHOP}testRoundsTotal{name}", f"expected:<{n}.25> but was:<{n}.26>")
        for n, name in enumerate(("Up", "Down", "Half"))
    ),
    *(
        failure(f"com.acme.mail.InboxTest::{name}", "inbox not sorted")
        for name in ("testSortByDate", "testSortBySender")
    ),
    *(crashed(f"com.acme.Orders.{name}", message=f"order {n}") for n, name in enumerate(("save", "save", "load"))),
    failure("com.acme.tax.RateTableTest::testReadsColumns", "no column vat"),
    failure(
        "com.acme.pdf.FontTest::embedsGlyphs", "expected:<true> but was:<false>", "com.acme.pdf.Font.load(Font.java:3)"
    ),
    failure("com.acme.net.RetryTest::givesUpAtLast", "waited for ever"),
    failure("com.acme.i18n.PluralTest::testPolish", "expected:<pliki> but was:<plik>"),
]


def test_the_key_leaves_out_what_changes_from_run_to_run() -> None:
    for name, text in SAMPLES.items():
        found = crash.signature(text)
        moved = crash.signature("noise before it\n\n" + text.replace(":9", ":11").replace("line 1", "line 8"))
        assert found is not None, name
        assert moved is not None, name
        assert found.key == moved.key, name
    one, other = crash.signature(crashed("a.B$3.lambda$go$7")), crash.signature(crashed("a.B$4.lambda$go$1"))
    assert one is not None
    assert other is not None
    assert one.key == other.key
    assert (one.kind, one.title) == ("crash", "NullPointerException (a.B.go)")
    assert crash.signature("nothing is wrong") is None
    keys = {found.key for top in ("a.B.go", "a.B.stop") if (found := crash.signature(crashed(top)))}
    keys |= {found.key for kind in ("x.AError", "x.BError") if (found := crash.signature(crashed("a.B.go", kind)))}
    assert len(keys) == 4


def test_alike_failures_are_one_issue_and_others_are_not() -> None:
    groups = []
    for seed in range(3):
        order = list(range(len(WORLD)))
        random.Random(seed).shuffle(order)
        signer = Signer()
        raw = {at: signer.add(WORLD[at]).raw for at in order}
        found: dict[str, set[int]] = {}
        for at, one in raw.items():
            found.setdefault(signer.resolve(one), set()).add(at)
        groups.append(sorted(map(sorted, found.values())))
    assert groups[0] == groups[1] == groups[2]
    assert groups[0] == [[0, 1, 2], [3, 4], [5, 6], [7], *([n] for n in range(8, 12))]


def test_a_person_has_the_last_word_and_all_survives_an_export() -> None:
    signer = Signer()
    raw = [signer.add(problem).raw for problem in WORLD]
    assert signer.resolve(raw[1]) == signer.resolve(raw[2]) == raw[0]
    signer.split(raw[1])
    assert signer.resolve(raw[1]) == raw[1] != signer.resolve(raw[2])
    signer.merge(raw[7], raw[5])
    loaded = Signer.load(signer.export())
    assert [loaded.resolve(one) for one in raw] == [signer.resolve(one) for one in raw]
    assert loaded.resolve(raw[5]) == loaded.resolve(raw[7])
    signer.undo()
    signer.undo()
    assert (signer.resolve(raw[1]), signer.resolve(raw[7])) == (raw[0], raw[7])
    late = failure(f"{SHOP}testRoundsTotalEven", "expected:<9.25> but was:<9.26>")
    assert (signer.peek(late).id, signer.peek(late).is_new) == (raw[0], False)
    alike = signer.alike(late, limit=4)
    assert {one for one, _ in alike[:3]} == set(raw[:3])
    assert 1.0 >= alike[0][1] >= alike[1][1] > alike[3][1] > 0.0
    assert signer.alike("no trace at all") == []
    for n in range(3):  # those that come after the groups were made
        signer.add(failure(f"{SHOP}testRoundsTotal{n}Times", f"expected:<{n}.5> but was:<{n}.6>"))
    assert signer.resolve(signer.add(late).raw) == raw[0]


def test_projects_stay_apart_and_damage_stays_alone() -> None:
    signer = Signer()
    one, other = (signer.add({**failure(f"{SHOP}testRoundsTotalUp"), "project": name}).raw for name in ("shop", "bank"))
    assert signer.resolve(one) != signer.resolve(other)
    for broken in (
        "no details",
        f"a{DETAILS}",
        f"a{DETAILS}[1,2,3]",
        f'b{DETAILS}["t","s",[{{}}]]',
        f"c{DETAILS}" + "[" * 9999,
    ):
        raw = signer.know("crash", "", broken)
        assert signer.resolve(raw) in {raw, signer.resolve(raw)}
    assert signer.template(signer.know("crash", "", "no details")) == "no details"


def test_the_two_sides_of_an_assertion() -> None:
    told = crash.difference("expected:<a[b]c> but was:<a[x]c>")
    assert {"-b", "+x", "=b|x"} <= set(told)
    assert crash.difference("Expected: 1\n  Received: 2") == crash.difference("expected:<1> but was:<2>")
    assert crash.difference("no sides here") == {}
