"""Which problems are one issue: by fingerprint, by stack trace, by masked and mined message, and by a person."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from engrain.errors import InvalidField, UnknownSignature
from engrain.fixes import Signer
from engrain.fixes.masks import mask
from engrain.model.fix import Problem

NAMES = ["ada", "ben", "cleo", "dora", "emil", "fritz", "gerd", "hugo", "ida", "jana", "karl", "lena", "mats", "nora"]
PLACES = ["atlas", "borealis", "callisto", "deneb", "europa", "fomalhaut", "ganymede", "io", "kepler", "luna"]
APPS = ["com.example.mail", "org.sample.player", "net.demo.maps", "com.example.chat.ui", "org.sample.notes", "io.tool"]


def grouped(lines: list[str]) -> set[frozenset[int]]:
    signer = Signer()
    ids = [signer.add(line).id for line in lines]
    groups = defaultdict(set)
    for at, one in enumerate(ids):
        groups[signer.resolve(one)].add(at)
    return {frozenset(group) for group in groups.values()}


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("Took 12.5 ms for 3 MB (3,145,728 bytes), 17% left", "Took <*> for <*>, <*> left"),
        ("at 2024-01-02T03:04:05.678Z, Sat Jul 9 12:59:45 2005 or 3:07 PM", "at <*>, <*> or <*>"),
        ("from 10.0.0.7:8080, fe80::1c2:aa%en0 and 00:1a:2b:3c:4d:5e", "from <*>, <*> and <*>"),
        ("id 550e8400-e29b-41d4-a716-446655440000 at 0x7ffe in deadbeefcafe", "id <*> at <*> in <*>"),
        ("open /var/log/a.log and C:\\Program Files\\x.dll", "open <*> and <*>"),
        ("see https://example.com/x?q=1, me@example.com or ns1.example.org", "see <*>, <*> or <*>"),
        ("task_17 on node-4 (rack R02-M1-N0-C:J12) of job_9_x", "<*> on node-<*> (rack <*>) of <*>"),
        ('name="View Lock", ready=true, mode: off', "name=<*>, ready=<*>, mode: <*>"),
        ("open 'a b': No such file or directory", "open <*>: No such file or directory"),
        ("4042 bytes (3.94 KB) sent, lifetime <1 sec", "<*> sent, lifetime <*>"),
        ('10.0.0.1 "GET /v2/servers HTTP/1.1" status: 200', "<*> GET <*> status: <*>"),
        ("can't read and/or write org.apache.spark.Executor", "can't read and/or write org.apache.spark.Executor"),
        ("fans 3552 3534 3375 turn", "fans <*> turn"),
    ],
)  # fmt: skip
def test_masks_take_out_values_and_leave_words(line: str, masked: str) -> None:
    assert mask(line) == masked


def written(templates: list[str], count: int, seed: int) -> tuple[list[str], list[int]]:
    """Lines of events such as programs write, and which event each is; frequent ones first. {u}ser, {h}ost, {p}ackage,
    {n}umber, he{x}, {i}p, {f}ile, {q}uoted, {b}ool, {l}ist, {d}uration, {v}alues of a nested record."""
    rng = random.Random(seed)

    def number(top: int = 10**6) -> str:
        return str(rng.randrange(top))

    values: dict[str, Callable[[], str]] = {
        "u": lambda: rng.choice(NAMES),
        "h": lambda: rng.choice(PLACES) + rng.choice(("", "-" + number(30), ".lab.example.org")),
        "p": lambda: rng.choice(APPS),
        "n": number,
        "x": lambda: f"{rng.getrandbits(32):08x}",
        "i": lambda: ".".join(number(256) for _ in range(4)) + rng.choice(("", ":" + number(60000))),
        "f": lambda: "/" + "/".join(rng.choices(NAMES + PLACES, k=rng.randint(1, 4))),
        "q": lambda: '"' + " ".join(rng.choices(NAMES, k=rng.randint(1, 3))) + '"',
        "b": lambda: rng.choice(("true", "false")),
        "l": lambda: ", ".join(number() for _ in range(rng.randint(1, 5))),
        "d": lambda: rng.choice((number(99) + "ms", number(99) + " seconds", "0.25 s")),
        "v": lambda: f"Token{{{rng.getrandbits(28):x} Record{{u0 {rng.choice(APPS)}/.Main t{number()}}}}}",
    }
    weights = [1 / (1 + at) for at in range(len(templates))]
    truth = rng.choices(range(len(templates)), weights, k=count)
    return [re.sub(r"\{(\w)\}", lambda at: values[at[1]](), templates[one]) for one in truth], truth


KINDS = {
    "a phone": [
        "acquire lock={n}, flags=0x{x}, tag={q}, name={p}, ws=null, uid={n}",
        "Skipping window {v} -- going to hide",
        "ready={b},policy={n},wakefulness={n},mask=0x{x}",
        "cancel key={n}|{p}|{n}|null|{n}",
        "Start proc {n}:{p}/u0a{n} for broadcast",
        "handleMessage: enter",
        "handleMessage: exit",
    ],
    "users and hosts": [
        "session opened for user {u} by (uid={n})",
        "session closed for user {u}",
        "Failed password for {u} from {i} port {n} ssh2",
        "Failed password for invalid user {u} from {i} port {n} ssh2",
        "({u}) CMD (run-parts {f})",
        "user {u} of host {h} logged in from {h} after {d}",
        "connect from {h}[{i}]",
        "disconnect from {h}[{i}]",
        "check pass; user unknown",
    ],
    "a cloud": [
        '{i} "GET /v2/{x}/detail HTTP/1.1" status: 200 len: {n}',
        '{i} "POST /v2/{x}/events HTTP/1.1" status: 200 len: {n}',
        '{i} "DELETE /v2/{x} HTTP/1.1" status: 204 len: {n}',
        "[instance: {x}] VM Started (Lifecycle Event)",
        "[instance: {x}] VM Stopped (Lifecycle Event)",
        "[instance: {x}] VM Paused (Lifecycle Event)",
        "[instance: {x}] VM Resumed (Lifecycle Event)",
        "blocks {l} are gone from {f}",
        "Audit of node {h} took {d}",
        "Transition of {x} from NEW to RUNNING",
        "Transition of {x} from RUNNING to DONE",
    ],
}


@pytest.mark.parametrize("kind", KINDS)
def test_lines_of_one_event_are_one_issue(kind: str) -> None:
    lines, truth = written(KINDS[kind], 600, seed=7)
    wanted = {frozenset(at for at, one in enumerate(truth) if one == event) for event in set(truth)}
    assert grouped(lines) == wanted
    assert {frozenset(599 - at for at in group) for group in grouped(lines[::-1])} == wanted


def test_few_words_at_a_place_are_events_and_many_are_values() -> None:
    assert len(grouped([f"the {name} of the house was painted" for name in ("door", "roof", "wall")])) == 3
    assert len(grouped([f"the {name} of the house was painted" for name in NAMES])) == 1
    words = ("started", "failed", "finished", "stopped", "ok", "RUNNING")
    assert len(grouped([f"job {word} in the main queue" for word in words])) == 6
    assert len(grouped([f"{name} succeeded" for name in NAMES])) == len(NAMES)  # too little is left to tell it by


def test_an_id_is_given_at_once_and_resolves_to_what_is_known_later() -> None:
    signer = Signer()
    told = [signer.add(f"no mail for user {name} today") for name in NAMES[:3]]
    assert [one.is_new for one in told] == [True] * 3
    assert len({signer.resolve(one.id) for one in told}) == 3
    told += [signer.add(f"no mail for user {name} today") for name in NAMES[3:5]]
    assert {signer.resolve(one.id) for one in told} == {told[0].id}
    late = signer.add(f"no mail for user {NAMES[6]} today")
    assert (late.id, late.is_new, late.template) == (told[0].id, False, "no mail for user <*> today")
    assert late.raw not in {one.raw for one in told}
    assert signer.members(late.id) == (*(one.raw for one in told), late.raw)
    asked = signer.peek(f"no mail for user {NAMES[8]} today")
    assert (asked.id, asked.is_new) == (told[0].id, False)
    with pytest.raises(UnknownSignature):
        signer.resolve(asked.raw)  # a question leaves nothing behind


def test_a_fingerprint_decides_then_a_trace_then_the_message() -> None:
    def crash(problem: Any) -> Any:
        frames = problem.get("frames") if isinstance(problem, Mapping) else "frame" in str(problem)
        return SimpleNamespace(scope="", text="ValueError at shop.cart") if frames else None

    signer = Signer(crash=crash)
    given = signer.add("boom 1", fingerprint=["shop", "cart"])
    assert given.kind == "fingerprint"
    assert (
        signer.add({"message": "all else 2", "fingerprint": "shop"}).id
        == signer.add("x", fingerprint="shop").id
        != given.id
    )
    trace = signer.add({"message": "boom 1", "frames": ["a"]})
    assert (trace.kind, signer.add("Traceback\n  frame 7").id, trace.template) == (
        "crash",
        trace.id,
        "ValueError at shop.cart",
    )
    message = signer.add("boom 1")
    assert (message.kind, message.template) == ("template", "boom <*>")
    assert len({given.id, trace.id, message.id}) == 3
    for wrong in ("", [], ["a", ""], [1], 7):
        with pytest.raises(InvalidField):
            signer.add("boom", fingerprint=wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidField, match="not int"):
        signer.add(3)


def test_the_same_problem_in_any_form_is_the_same_issue() -> None:
    signer = Signer()
    told = signer.add("TimeoutError: no answer within 30 s")
    for same in (
        TimeoutError("no answer within 5 s"),
        {"message": "TimeoutError: no answer within 7 s", "type": "timeout", "target": "model-7"},
        Problem("TimeoutError: no answer within 12 s", type="error", target="other"),
        '{"level": "error", "msg": "TimeoutError: no answer within 8 s", "at": 17}',
        "worker 7 starts\nTimeoutError: no answer within 8 s\nworker 7 ends",
    ):
        assert signer.add(same).id == told.id, same
    assert signer.add("Command failed:\nmake: no rule for x").id != signer.add("Command failed:\nls: no such file").id


def test_an_answer_counts_by_the_class_of_its_length_and_a_prompt_by_its_words() -> None:
    """LESSONS 5.2: the exact length of a response and fifty characters of the prompt made every case its own."""
    signer = Signer()

    def issue(**more: str) -> str:
        return signer.add({"issue_type": "unexpected_response", "model": "m-1", "description": "", **more}).id

    prompt = "Sort the list of 10 numbers"
    first = issue(test_prompt=prompt, actual_response="x" * 37)
    assert issue(test_prompt=prompt.replace("10", "99"), actual_response="y" * 381) == first
    assert (
        issue(test_prompt=prompt, actual_response="x" * 37, model="m-2-large") == first
    )  # an issue may befall any target
    assert (
        len(
            {first, issue(test_prompt=prompt, actual_response=""), issue(test_prompt=prompt, actual_response="x" * 900)}
        )
        == 3
    )
    assert issue(test_prompt="Translate this text", actual_response="x" * 37) != first
    assert issue(actual_response="") != issue(actual_response="short")


def test_a_person_merges_splits_and_takes_it_back() -> None:
    signer = Signer()
    users = [signer.add(f"no mail for user {name} today").raw for name in NAMES[:6]]
    disk, room = signer.add("disk is full").raw, signer.add("no room left on device").raw
    assert signer.merge(disk, room) == disk == signer.resolve(room)
    assert signer.template(room) == "disk is full"
    assert signer.members(room) == (disk, room)
    assert signer.split(users[0]) == users[0]
    assert signer.members(users[1]) == tuple(users[1:])  # evidence does not bring it back
    signer.add(f"no mail for user {NAMES[9]} today")
    assert signer.resolve(users[0]) != signer.resolve(users[1])
    assert signer.merge(users[0], disk) == users[0] == signer.resolve(room)
    assert signer.undo() == ("merge", users[0], disk)
    assert signer.undo() == ("split", users[0])
    assert signer.resolve(users[5]) == users[0]
    for call in (signer.resolve, signer.split, signer.template, signer.members, lambda one: signer.merge(disk, one)):
        with pytest.raises(UnknownSignature, match="no problem was signed 'template-1-none'"):
            call("template-1-none")


def test_what_is_exported_is_checked_when_it_comes_back() -> None:
    signer = Signer()
    one, two = signer.add("disk is full").raw, signer.add("no room left").raw
    signer.merge(one, two)
    data = signer.export()
    assert Signer.load(data).resolve(two) == one
    for wrong in (
        {**data, "format": "other"},
        {**data, "version": "0"},
        {**data, "shapes": None},
        {**data, "shapes": [["template", "x"]]},
        {**data, "shapes": [["template", 3, ""]]},
        {**data, "shapes": [["magic", "", "x"]]},
        {**data, "changes": [["merge", one]]},
        {**data, "changes": [["drop", one]]},
    ):
        with pytest.raises(InvalidField):
            Signer.load(wrong)
    with pytest.raises(UnknownSignature):
        Signer.load({**data, "changes": [["split", "template-1-none"]]})


def test_ids_are_the_same_in_every_process() -> None:
    """Another hash seed, another process, another day."""
    code = (
        "from engrain.fixes import Signer; import random; rng = random.Random(3); s = Signer()\n"
        "names = 'ada ben cleo dora emil fritz gerd hugo'.split()\n"
        "ids = [s.add(f'mail of {rng.choice(names)} to {rng.choice(names)} at 10.0.0.{n} was lost on the way')"
        ".id for n in range(60)]\n"
        "border = 'ann bo cy a/b started stopped failed opened closed locked marked parked walked'.split()\n"
        "ids += [s.add(f'{one} came to the door of the house').raw for one in border]  # just enough to be a value\n"
        "print(s.add('disk is full').id, *(s.resolve(i) for i in ids), *(s.template(i) for i in ids), *ids)"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "5")
    }
    assert len(told) == 1
    assert told.pop().startswith(b"template-1-3c16e2eaa5f994538334 ")


def test_a_flood_is_bounded() -> None:
    """A mebibyte in one line, and far more different lines than there is room for."""
    signer = Signer(room=300)
    for text in (
        "A" * (1 << 20),
        "a/" * (1 << 19),
        '"' * (1 << 20),
        "1 2," * (1 << 18),
        "\n" * (1 << 20),
        "{" * (1 << 20),
    ):
        assert len(signer.add(text).template) <= 1024
    rng = random.Random(5)
    words = ["".join(rng.choices("bcdfghjk", k=6)) for _ in range(4000)]
    ids = [signer.add(f"user {rng.choice(words)} lost the key of {rng.choice(words)}").id for _ in range(2000)]
    ids += [signer.add(" ".join(rng.choices(words, k=8))).id for _ in range(4000)]
    assert len(signer.export()["shapes"]) <= 300 + 256
    assert signer.resolve(ids[0]) == signer.resolve(ids[1999])
    assert all(signer.resolve(one) for one in ids)
    kept = signer.know("template", "", "a line that was signed when there was room")
    assert signer.resolve(kept) == kept  # what is stored elsewhere can be told
