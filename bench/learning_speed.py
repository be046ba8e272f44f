"""How long one offline pass over archived experiences takes: read them, learn, and judge what was learned off-policy.

Beside it a textbook doing the same in the same run: it reads the experiences from the archive as Python rows, finds
what came next, replays them (a dict of Q-values, one update an experience, the maximum over actions; one sweep, and as
many as until no value moves by 1e-3, at most ``SWEEPS``), and judges the greedy policy by self-normalised importance
sampling of all decisions with 200 bootstraps in numpy. Made data: a home whose archive has so many experiences of
decisions in episodes of 50, over 5,000 states and 6 actions, without next states: these must be found. Files are as
large as the compactor makes them.

Seconds are of the clock and of the processor (all threads): on a busy machine only these tell.
"""

from __future__ import annotations

import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bench.learning_table import Table

T = TypeVar("T")
STATES, ACTIONS, LENGTH, DISCOUNT = 5_000, ["drop", "east", "north", "pick", "south", "west"], 50, 0.9
SWEEPS, STEP, CLOSE = 25, 0.1, 1e-3
BOOTSTRAPS = 200  # of the textbook; ours draws 1,000
AT_ONCE = 50_000  # rows of a batch, and of its file: as large as the compactor makes one
LIMIT = 4.0  # GB


def build(home: Path, rows: int) -> None:
    """A home with so many archived experiences of the task type "deliver"."""
    import engrain
    from engrain.learn.state import checked_state

    rng = np.random.default_rng(0)
    made = [
        {"row": n // 100, "column": n % 100, "cargo": "abcd"[n % 4], "load": round(n / 7, 3)} for n in range(STATES)
    ]
    states = [checked_state(one) for one in made]
    follow = rng.integers(0, STATES, (STATES, len(ACTIONS), 3))
    mean = rng.uniform(-1, 1, (STATES, len(ACTIONS)))
    with engrain.open(home, embedder="hash") as memory:
        for number, start in enumerate(range(0, rows, AT_ONCE), 1):
            runs = min(AT_ONCE, rows - start) // LENGTH
            at, action = np.empty((runs, LENGTH), np.int64), rng.integers(0, len(ACTIONS), (runs, LENGTH))
            now = rng.integers(0, STATES, runs)
            for step in range(LENGTH):
                at[:, step] = now
                now = follow[now, action[:, step], rng.choice(3, runs, p=[0.8, 0.1, 0.1])]
            reward = np.clip(mean[at, action] + rng.normal(0.0, 0.3, at.shape), -2.0, 2.0)
            _append(memory, number, start, states, at.ravel(), action.ravel(), reward.ravel())


def _append(memory: Any, number: int, start: int, states: Sequence[Any], at: Any, action: Any, reward: Any) -> None:
    import pyarrow as pa

    from engrain.archive.layout import SCHEMAS, places_of
    from engrain.world import encode_id

    schema, n = SCHEMAS["experiences"], len(at)
    count = np.arange(start, start + n)
    when = pa.array(1_760_000_000_000_000 + count * 1_000_000)
    run = pa.array([f"run-{one:07d}" for one in (count // LENGTH).tolist()])
    ids = [pa.array([encode_id(1_760_000_000_000 + 1000 * one, part) for one in count.tolist()]) for part in (1, 2)]
    chance, names = 1.0 / len(ACTIONS), pa.array(ACTIONS).take(pa.array(action))
    text, key = (pa.array([getattr(one, name) for one in states]).take(pa.array(at)) for name in ("text", "key"))
    told: dict[str, Any] = {
        "place": places_of(np.full(n, number), np.arange(n)), "batch": np.full(n, number), "id": ids[0],
        "decision_id": ids[1], "agent": [f"agent-{one}" for one in (count // LENGTH % 10).tolist()], "state": text,
        "decision_state": text, "state_key": key, "action": names, "advised_action": names, "reward": reward,
        "value": reward, "low": reward, "high": reward, "success": reward > 0.0, "episode": run,
        "decision_episode": run, "weight": np.full(n, 0.75), "propensity": np.full(n, chance),
        "advised_propensity": np.full(n, chance), "revision": np.zeros(n, np.int64),
        "outcome": [f'{{"evidence":"executed","reward":{one:.6f}}}' for one in reward.tolist()],
        **dict.fromkeys(("created_at", "updated_at", "decided_at", "archived_at"), when),
    }  # fmt: skip
    same = {
        "tenant": "default", "task_type": "deliver", "evidence": "executed", "reward_version": "1", "mode": "advised",
        "policy": "online-1", "options": json.dumps(ACTIONS), "year": 2026, "month": 3, "decay_reason": "settled",
        "distribution": json.dumps(dict.fromkeys(ACTIONS, chance)),
    }  # fmt: skip
    columns = []
    for field in schema:
        if field.name in told:
            given = told[field.name]
            columns.append((given if isinstance(given, pa.Array) else pa.array(given)).cast(field.type))
        else:
            columns.append(pa.array([same.get(field.name)] * n, field.type))
    table = memory.tables.table("experiences")
    rows = pa.Table.from_arrays(columns, schema=schema)
    memory.tables.append("experiences", table, rows, number)
    batch = {"kind": "experiences", "number": number, "n": n, "now": memory.world.now()}
    opened = {**batch, "members": "[]", "bytes": rows.nbytes, "digest": ""}
    memory.store.write([("batch_open", opened), ("batch_close", batch)])


class Clock:
    """Seconds by part: of the clock and of the processor."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = {}
        self.busy: dict[str, float] = {}

    def of(self, part: str, work: Callable[[], T]) -> T:
        began, busy = time.perf_counter(), time.process_time()
        found = work()
        self.wall[part], self.busy[part] = time.perf_counter() - began, time.process_time() - busy
        return found

    def told(self) -> dict[str, Any]:
        return {"wall": self.wall, "busy": self.busy, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


def passes(home: Path, times: int) -> list[dict[str, Any]]:
    """So many passes in one process, each by its parts: the first also loads libraries and gets its memory."""
    import engrain
    from engrain.learn.evaluate import evaluate

    found = []
    with engrain.open(home, embedder="hash") as memory:
        for _ in range(times):
            clock = Clock()
            counts, log = clock.of("read", lambda: memory.logged.both("default", "deliver"))
            rule = clock.of("train", lambda one=counts: _trained(one))  # type: ignore[misc]
            told = clock.of("evaluate", lambda one=log, made=rule: evaluate(one, made, discount=DISCOUNT))  # type: ignore[misc]
            found.append({**clock.told(), "n": len(log), "value": told.value or np.nan, "low": told.low or np.nan})
            del counts, log, rule
    return found


def _trained(counts: Any) -> Any:
    from engrain.learn.empirical import model_of
    from engrain.learn.offline import table
    from engrain.learn.pessimism import pessimistic

    model = model_of(counts)
    solved = pessimistic(model, DISCOUNT).solution
    return table(model, solved.policy, solved.q)


# -- the textbook ------------------------------------------------------------------------------------------------------

Row = dict[str, Any]
Q = dict[tuple[str, str], float]


def textbook(home: Path, most: int) -> dict[str, Any]:
    """Its parts, one sweep after the other, and by how much a value moved in the last."""
    clock = Clock()
    rows = clock.of("rows", lambda: _fetched(home))
    steps = clock.of("next states", lambda: _followed(rows))
    q: Q = {}
    clock.of("one sweep", lambda: _swept(steps, q))
    clock.of("judge", lambda: _judged(rows, q))
    moved, sweeps, before = np.inf, 1, dict(q)
    began, busy = clock.wall["one sweep"], clock.busy["one sweep"]
    while sweeps < most and moved >= CLOSE:
        clock.of("a sweep", lambda: _swept(steps, q))
        began, busy, sweeps = began + clock.wall["a sweep"], busy + clock.busy["a sweep"], sweeps + 1
        moved, before = max(abs(value - before.get(pair, 0.0)) for pair, value in q.items()), dict(q)
    clock.wall["all sweeps"], clock.busy["all sweeps"] = began, busy
    return {**clock.told(), "sweeps": sweeps, "moved": float(moved), "n": len(rows)}


def _fetched(home: Path) -> list[Row]:
    from deltalake import DeltaTable

    names = ["agent", "episode", "decided_at", "id", "state_key", "action", "reward", "propensity"]
    table = DeltaTable(home / "archive" / "experiences").to_pyarrow_table(
        columns=names, filters=[("task_type", "=", "deliver"), ("tenant", "=", "default")]
    )
    rows: list[Row] = table.to_pylist()
    return rows


def _followed(rows: list[Row]) -> list[tuple[str, str, float, str | None]]:
    """(state, action, reward, next state)."""
    rows.sort(key=lambda row: (row["agent"], row["episode"], row["decided_at"], row["id"]))
    found = []
    for row, after in zip(rows, [*rows[1:], None], strict=True):
        goes_on = after is not None and (after["agent"], after["episode"]) == (row["agent"], row["episode"])
        found.append(
            (row["state_key"], row["action"], row["reward"], after["state_key"] if after and goes_on else None)
        )
    return found


def _swept(steps: Sequence[tuple[str, str, float, str | None]], q: Q) -> None:
    for state, action, reward, after in steps:
        best = 0.0 if after is None else max(q.get((after, one), 0.0) for one in ACTIONS)
        old = q.get((state, action), 0.0)
        q[state, action] = old + STEP * (reward + DISCOUNT * best - old)


def _judged(rows: Sequence[Row], q: Q) -> tuple[float, float, float]:
    """The mean reward of a decision of the greedy policy, self-normalised, and its 95 % interval."""
    greedy: dict[str, tuple[float, str]] = {}
    for (state, action), value in q.items():
        greedy[state] = max(greedy.get(state, (-np.inf, "")), (value, action))
    weight = np.array([(greedy[row["state_key"]][1] == row["action"]) / row["propensity"] for row in rows])
    worth = weight * np.array([row["reward"] for row in rows])
    rng, found = np.random.default_rng(0), []
    for _ in range(BOOTSTRAPS):
        some = rng.integers(0, len(rows), len(rows))
        found.append(worth[some].sum() / weight[some].sum())
    low, high = np.quantile(found, [0.025, 0.975])
    return float(worth.sum() / weight.sum()), float(low), float(high)


# -- dreams ------------------------------------------------------------------------------------------------------------


def dream(home: Path) -> dict[str, Any]:
    """``memory.dream()`` after one more outcome of that task type."""
    import engrain

    with engrain.open(home, embedder="hash", discount=DISCOUNT) as memory:
        _decided(memory, 1, random.Random(1))
        clock = Clock()
        found = clock.of("dream", memory.dream)
        return {**clock.told(), "state": found.state, "error": found.error}


def dreams(times: int, decisions: int) -> dict[str, Any]:
    """Of a home with so many decisions, all still in the store: each dream after 100 more."""
    import engrain

    with tempfile.TemporaryDirectory() as name, engrain.open(Path(name) / "home", embedder="hash") as memory:
        dice, wall, busy = random.Random(0), [], []
        _decided(memory, decisions, dice)
        for _ in range(times):
            _decided(memory, 100, dice)
            clock = Clock()
            clock.of("dream", memory.dream)
            wall.append(clock.wall["dream"])
            busy.append(clock.busy["dream"])
        return {**clock.told(), "wall": wall, "busy": busy}


def _decided(memory: Any, count: int, dice: random.Random) -> None:
    from engrain import Outcome

    agent = memory.agent("agent-0")
    for _ in range(count):
        at = dice.randrange(50)
        state = {"row": at // 10, "column": at % 10, "cargo": "abcd"[at % 4], "load": round(at / 7, 3)}
        advice = agent.advise("deliver", state=state, options=ACTIONS)
        good = dice.random() < (0.8 if advice.action == ACTIONS[at % len(ACTIONS)] else 0.3)
        agent.observe(advice, Outcome(success=good, evidence="executed"))


# -- tables ------------------------------------------------------------------------------------------------------------


def run(quick: bool) -> list[Table]:
    rows, most = (100_000, 3) if quick else (1_000_000, SWEEPS)
    with _home(rows) as home:
        told = [_child("passes", home, 3) for _ in range(1 if quick else 3)]
        plain = _child("textbook", home, most)
        slept = _child("dream", home)
    first = min((one[0] for one in told), key=_busy)
    later = min((one for some in told for one in some[1:]), key=_busy)
    tables = [_compared(rows, first, later, plain, quick)]
    small = _child("dreams", *((3, 1_000) if quick else (9, 10_000)))
    lines = [
        [f"{rows:,} archived decisions", f"{slept['wall']['dream']:.1f}", f"{slept['busy']['dream']:.1f}",
         f"{slept['memory'] / (1 << 20):.2f}", str(slept["state"])],
        [f"{1_000 if quick else 10_000:,} in the store, median of {len(small['wall'])}",
         f"{statistics.median(small['wall']):.2f}", f"{statistics.median(small['busy']):.2f}",
         f"{small['memory'] / (1 << 20):.2f}", "completed"],
    ]  # fmt: skip
    heads = ("", "seconds", "of the processor", "peak memory, GB", "came out")
    return [*tables, Table("memory.dream(): every algorithm, each judged by the gate", heads, lines)]


def _compared(rows: int, first: Any, later: Any, plain: Any, quick: bool) -> Table:
    ours, own = sum(later["busy"].values()), sum(later["wall"].values())

    def line(name: str, wall: float, busy: float, of: bool = False) -> list[str]:
        return [
            name,
            f"{wall:.2f}",
            f"{busy:.2f}",
            f"{wall / own:.1f}×" if of else "",
            f"{busy / ours:.1f}×" if of else "",
        ]

    lines = [line(f"engrain: {part}", later["wall"][part], later["busy"][part]) for part in later["wall"]]
    lines.append(line("**engrain: the whole pass**", own, ours))
    lines.append(line("the first pass of a process", sum(first["wall"].values()), _busy(first)))
    wall, busy = plain["wall"], plain["busy"]
    parts = ("rows", "next states", "one sweep", "judge")
    lines += [line(f"textbook: {part}", wall[part], busy[part], part == "one sweep") for part in parts]
    whole = sum(busy[part] for part in parts)
    lines.append(line("**textbook: all of that**", sum(wall[part] for part in parts), whole, True))
    more = f"textbook: {plain['sweeps']} sweeps (a value still moves by {plain['moved']:.2g})"
    lines.append(line(more, wall["all sweeps"], busy["all sweeps"], True))
    checks = (
        ("the textbook with one sweep, of the whole pass", whole / ours, 20.0, True),
        ("its replay to the end alone, of the whole pass", busy["all sweeps"] / ours, 20.0, True),
    )
    return Table(
        f"One offline pass over {rows:,} archived experiences",
        ("", "seconds", "of the processor", "of the pass", "by the processor"),
        lines,
        f"The best pass of three processes; its peak memory {later['memory'] / (1 << 20):.2f} GB, the textbook's "
        f"{plain['memory'] / (1 << 20):.2f}. What was learned would be worth {later['value']:.3f} an episode, at least "
        f"{later['low']:.3f}.",
        () if quick else checks,
    )


def large(quick: bool) -> list[Table]:
    """A pass over ten millions; making them takes minutes."""
    rows = 1_000_000 if quick else 10_000_000
    with _home(rows) as home:
        told = _child("passes", home, 1)[0]
    gigabytes = told["memory"] / (1 << 20)
    cells = [f"{told['wall'][part]:.1f} ({told['busy'][part]:.1f})" for part in told["wall"]]
    heads = ("read, s (of the processor)", "train", "evaluate", "peak memory, GB")
    checks = () if quick else (("peak memory, GB", gigabytes, LIMIT, False),)
    return [Table(f"The whole pass over {rows:,}", heads, [[*cells, f"{gigabytes:.2f}"]], checks=checks)]


def _busy(one: Any) -> float:
    return float(sum(one["busy"].values()))


@contextmanager
def _home(rows: int) -> Any:
    with tempfile.TemporaryDirectory() as name:
        build(Path(name) / "home", rows)
        yield Path(name) / "home"


def _child(function: str, *given: Any) -> Any:
    """What a function of this module finds in a process of its own."""
    code = "import json, sys; from pathlib import Path; from bench import learning_speed as one; "
    code += "given = [Path(x) if isinstance(x, str) else x for x in json.loads(sys.argv[2])]; "
    code += "print(json.dumps(getattr(one, sys.argv[1])(*given)))"
    given = [str(one) if isinstance(one, Path) else one for one in given]  # type: ignore[assignment]
    told = subprocess.run(
        [sys.executable, "-c", code, function, json.dumps(given)], check=True, stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).resolve().parent.parent,
    )  # fmt: skip
    return json.loads(told.stdout.splitlines()[-1])
