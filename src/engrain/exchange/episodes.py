"""Experiences of one task type as a data set that Minari reads (https://minari.farama.org, its format of Parquet).

A state is a vector: numbers as they are (0 where one is missing, and a column that says so), and a column of 0 and 1
for each text, truth and tag. An episode that goes on after a step whose reward is not known, or whose next state was
told and is not where the next step began, is cut there: what is before ends truncated. An episode that ended without a
next state ends terminated, and its last state stands once more, as nothing is known of the one after it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engrain.archive.exports import asked
from engrain.errors import InvalidField
from engrain.model.decision import EVIDENCE

if TYPE_CHECKING:
    import duckdb

READS = "0.5.0"  # Minari from this version on
MOST_COLUMNS, MOST_EPISODES = 4_096, 200_000
_STEPS = """select agent, episode, state, action, propensity, evidence, reward, weight, next_state,
    epoch_us(decided_at) as decided_at from exported"""
_STATES = (
    "select distinct state from exported union select distinct next_state from exported where next_state is not null"
)
_VERSIONED = re.compile(r"(.+)-v(\d+)")
Step = Mapping[str, Any]


class Space:
    """The columns of states, by what these have."""

    def __init__(self, states: Iterator[str]) -> None:
        numbers: dict[str, int] = {}
        tokens: set[str] = set()
        count = 0
        for text in states:
            own, marks = _parts(text)
            count += 1
            tokens.update(marks)
            for name in own:
                numbers[name] = numbers.get(name, 0) + 1
        missing = [f"{name} is missing" for name, there in numbers.items() if there < count]
        self.columns = [*sorted(numbers), *sorted(missing), *sorted(tokens)] or ["nothing"]
        if len(self.columns) > MOST_COLUMNS:
            raise InvalidField(f"States have {len(self.columns):,} columns, more than {MOST_COLUMNS:,}: use parquet.")
        self._at = {name: at for at, name in enumerate(self.columns)}
        self._missing = [(name.removesuffix(" is missing"), self._at[name]) for name in missing]
        self.vector = lru_cache(100_000)(self._vector)

    def _vector(self, text: str) -> np.ndarray[Any, np.dtype[np.float32]]:
        """A state [d]."""
        found = np.zeros(len(self.columns), np.float32)
        numbers, tokens = _parts(text)
        for name, value in numbers.items():
            found[self._at[name]] = value
        for token in tokens:
            found[self._at[token]] = 1.0
        for name, at in self._missing:
            found[at] = name not in numbers
        return found


def _parts(text: str) -> tuple[dict[str, float], list[str]]:
    """The numbers of a state, and what else it has."""
    numbers: dict[str, float] = {}
    tokens = []
    for name, value in json.loads(text).items():
        if isinstance(value, (bool, str)):
            tokens.append(f"{name} = {json.dumps(value, ensure_ascii=False)}")
        elif isinstance(value, list):
            tokens += [f"{name} has {json.dumps(one, ensure_ascii=False)}" for one in value]
        elif value is not None:
            numbers[name] = float(value)
    return numbers, tokens


def write_episodes(database: duckdb.DuckDBPyConnection, path: Path, about: Mapping[str, Any]) -> dict[str, int]:
    """The folder; how many episodes and experiences it has, and how many have no reward yet and are left out."""
    if about["task_type"] is None:
        raise InvalidField("minari needs a task_type: states and actions of different tasks are no one space.")
    space = Space(text for batch in asked(database, _STATES) for text in batch[0].to_pylist())
    known = "select distinct action from exported where reward is not null order by action"
    actions = [name for batch in asked(database, known) for name in batch[0].to_pylist()]
    if not actions:
        raise InvalidField(f"No experience of {about['task_type']!r} has a known reward.")
    counts = {"episodes": 0, "experiences": 0, "unknown": 0, "bytes": 0}
    number = {name: at for at, name in enumerate(actions)}
    data = path / "data"
    data.mkdir(parents=True, mode=0o700)
    for steps in _episodes((row for batch in asked(database, _STEPS) for row in batch.to_pylist()), space, counts):
        if counts["episodes"] == MOST_EPISODES:
            raise InvalidField(
                f"There are more than {MOST_EPISODES:,} episodes, each a folder of its own: use parquet."
            )
        folder = data / str(counts["episodes"])
        folder.mkdir()
        pq.write_table(_table(steps, space, number), folder / "part-0.parquet")
        told = {"id": counts["episodes"], "total_steps": len(steps), "agent": steps[0]["agent"]}
        (folder / "metadata.json").write_text(json.dumps({**told, "episode": steps[0]["episode"]}), encoding="utf-8")
        counts["bytes"] += (folder / "part-0.parquet").stat().st_size
        counts["episodes"] += 1
        counts["experiences"] += len(steps)
    _describe(data, _identity(path.name), {**about, "columns": space.columns, "actions": actions}, counts)
    return counts


def _identity(folder: str) -> str:
    """The id of the data set: the folder's name as far as Minari allows, and version 0 where it names none."""
    found = _VERSIONED.fullmatch(folder)
    name, version = found.groups() if found else (folder, "0")
    return f"{re.sub(r'[^-_a-zA-Z0-9]+', '-', name).strip('-') or 'experiences'}-v{int(version)}"


def _describe(data: Path, name: str, about: Mapping[str, Any], counts: Mapping[str, int]) -> None:
    size = len(about["columns"])
    box = {"type": "Box", "dtype": "float32", "shape": [size], "low": [-np.inf] * size, "high": [np.inf] * size}
    discrete = {"type": "Discrete", "dtype": "int64", "start": 0, "n": len(about["actions"])}
    told = {
        "dataset_id": name, "minari_version": READS, "data_format": "parquet", "jpeg_encoding": False,
        "total_episodes": counts["episodes"], "total_steps": counts["experiences"],
        "dataset_size": counts["bytes"] / 1e6, "observation_space": json.dumps(box),
        "action_space": json.dumps(discrete), "algorithm_name": "engrain", "engrain": about,
    }  # fmt: skip
    (data / "metadata.json").write_text(json.dumps(told), encoding="utf-8")


def _episodes(rows: Iterator[Step], space: Space, counts: dict[str, int]) -> Iterator[list[Step]]:
    """Steps that follow one another, with known rewards."""
    steps: list[Step] = []
    for row in rows:
        if steps and not (row["reward"] is not None and _follows(row, steps[-1], space)):
            yield steps
            steps = []
        if row["reward"] is None:
            counts["unknown"] += 1
        else:
            steps.append(row)
    if steps:
        yield steps


def _follows(row: Step, last: Step, space: Space) -> bool:
    if row["episode"] is None or (row["agent"], row["episode"]) != (last["agent"], last["episode"]):
        return False
    after = last["next_state"]
    return after is not None and bool((space.vector(after) == space.vector(row["state"])).all())


def _table(steps: Sequence[Step], space: Space, number: Mapping[str, int]) -> pa.Table:
    """An episode of n steps as n + 1 rows: the last has the state after it. What is told of a step in ``infos`` stands
    beside the state that it led to, and the first row has none."""
    last = steps[-1]["next_state"]
    states = [space.vector(one["state"]) for one in steps]
    states.append(states[-1] if last is None else space.vector(last))
    ends = np.zeros((2, len(steps) + 1), bool)
    ends[0 if last is None else 1, len(steps) - 1] = True
    infos = {
        "propensity": np.array([np.nan, *(one["propensity"] for one in steps)], np.float64),
        "evidence": np.array([-1, *(EVIDENCE.index(one["evidence"]) for one in steps)], np.int64),
        "weight": np.array([np.nan, *(one["weight"] for one in steps)], np.float64),
        "decided_at": np.array([-1, *(one["decided_at"] for one in steps)], np.int64),
    }
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(states)), len(space.columns))
    return pa.table(
        {
            "observations": vectors,
            "actions": np.array([*(number[one["action"]] for one in steps), 0], np.int64),
            "rewards": np.array([*(one["reward"] for one in steps), 0.0]),
            "terminations": ends[0],
            "truncations": ends[1],
            "infos": pa.StructArray.from_arrays([pa.array(one) for one in infos.values()], names=list(infos)),
        }
    )
