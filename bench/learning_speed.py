"""How long one offline pass over archived experiences takes: read them, learn, and judge what was learned off-policy.

Beside it a textbook replay of the same data: a dict of Q-values, one update an experience, the maximum over actions, as
many sweeps as until no value moves by 1e-3, at most ``SWEEPS``. Its time does not count reading: it has the experiences
in memory, in order. Made data: a home whose archive has so many experiences of decisions in episodes of 50, over 5,000
states and 6 actions, without next states: these must be found.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.learning_table import Table

STATES, ACTIONS, LENGTH, DISCOUNT = 5_000, ["drop", "east", "north", "pick", "south", "west"], 50, 0.9
SWEEPS, STEP, CLOSE = 50, 0.1, 1e-3
AT_ONCE = 250_000  # rows of a batch
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


def one_pass(home: Path) -> dict[str, float]:
    """Seconds of each part, and peak GB of memory of this process."""
    import engrain
    from engrain.learn.empirical import model_of
    from engrain.learn.evaluate import evaluate
    from engrain.learn.pessimism import pessimistic
    from engrain.learn.rule import TableRule

    with engrain.open(home, embedder="hash") as memory:
        found, began = {}, time.perf_counter()
        counts, log = memory.logged.both("default", "deliver")
        found["read"] = time.perf_counter() - began
        began = time.perf_counter()
        model = model_of(counts)
        solved = pessimistic(model, DISCOUNT).solution
        entries: dict[str, dict[str, tuple[float, float | None, float]]] = {}
        cells = zip(model.state.tolist(), model.action.tolist(), solved.policy.tolist(), solved.q.tolist(),
                    model.visits.tolist(), strict=True)  # fmt: skip
        for state, action, chance, value, visits in cells:
            entries.setdefault(model.keys[state], {})[model.actions[action]] = (chance, value, visits)
        rule = TableRule(entries)
        found["train"] = time.perf_counter() - began
        began = time.perf_counter()
        told = evaluate(log, rule, discount=DISCOUNT)
        found["evaluate"] = time.perf_counter() - began
        found |= {"n": len(log), "value": told.value or np.nan, "low": told.low or np.nan}
        found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    return found


def replay(home: Path, most: int) -> tuple[list[float], float]:
    """Seconds of each sweep of the textbook, and by how much a value moved in the last."""
    import engrain

    with engrain.open(home, embedder="hash") as memory:
        log = memory.logged.log("default", "deliver")
    rows = list(zip(log.state.tolist(), log.action.tolist(), log.reward.tolist(), log.next.tolist(), strict=True))
    actions, q, taken, moved = range(len(log.actions)), dict[tuple[int, int], float](), list[float](), np.inf
    while len(taken) < most and moved >= CLOSE:
        began, before = time.perf_counter(), dict(q)
        for state, action, reward, after in rows:
            best = max(q.get((after, one), 0.0) for one in actions) if after >= 0 else 0.0
            old = q.get((state, action), 0.0)
            q[state, action] = old + STEP * (reward + DISCOUNT * best - old)
        taken.append(time.perf_counter() - began)
        moved = max(abs(value - before.get(pair, 0.0)) for pair, value in q.items())
    return taken, moved


def run(quick: bool) -> list[Table]:
    rows, most = (100_000, 3) if quick else (1_000_000, SWEEPS)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        build(home, rows)
        passes = [_child(home) for _ in range(3)]
        best = min(passes, key=lambda one: one["read"] + one["train"] + one["evaluate"])
        sweeps, moved = replay(home, most)
    whole = best["read"] + best["train"] + best["evaluate"]
    lines = [[f"engrain: {part}", f"{best[part]:.2f}", ""] for part in ("read", "train", "evaluate")]
    lines += [
        ["**engrain: the whole pass**", f"**{whole:.2f}**", ""],
        ["textbook: one sweep", f"{sweeps[0]:.2f}", f"{sweeps[0] / whole:.1f}×"],
        [f"textbook: {len(sweeps)} sweeps (a value still moves by {moved:.2g})", f"{sum(sweeps):.1f}",
         f"{sum(sweeps) / whole:.1f}×"],
    ]  # fmt: skip
    tables = [
        Table(
            f"One offline pass over {rows:,} archived experiences",
            ("", "seconds", "of the whole pass"),
            lines,
            "The best of three processes. What was learned would be worth "
            f"{best['value']:.3f} an episode, at least {best['low']:.3f}.",
            () if quick else (("replay to the end, of the whole pass", sum(sweeps) / whole, 20.0, True),),
        )
    ]
    if not quick:
        with tempfile.TemporaryDirectory() as name:
            build(Path(name) / "home", 10 * rows)
            large = _child(Path(name) / "home")
        parts = [f"{large[part]:.1f}" for part in ("read", "train", "evaluate", "memory")]
        tables.append(
            Table(
                f"The same of {10 * rows:,}",
                ("read, s", "train, s", "evaluate, s", "peak memory, GB"),
                [parts],
                checks=(("peak memory, GB", large["memory"], LIMIT, False),),
            )
        )
    return tables


def _child(home: Path) -> dict[str, float]:
    """``one_pass`` in a process of its own."""
    code = "import json, sys; from pathlib import Path; from bench.learning_speed import one_pass; "
    code += "print(json.dumps(one_pass(Path(sys.argv[1]))))"
    told = subprocess.run(
        [sys.executable, "-c", code, str(home)], check=True, capture_output=True, text=True,
        cwd=Path(__file__).resolve().parent.parent,
    )  # fmt: skip
    found: dict[str, float] = json.loads(told.stdout)
    return found
