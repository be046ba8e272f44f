"""Policies as files: those of this home, and those that somebody else's learner has made.

``{"engrain_policy": 1, "task_type": …, "rule": {…}}`` is what an export writes. Who learns elsewhere writes ``states``
in place of ``rule``: a list of ``{"state": {…}, "actions": {action: probability}}``, or ``values`` in place of
``actions``, {action: long-run value}, of which the greatest is taken. ``data.to`` says up to when it has seen what
happened here: only what was decided later can judge it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from engrain.errors import InvalidField, InvalidPolicy, PolicyTooNew, StoreError
from engrain.learn.fields import checked_text
from engrain.learn.rule import Rule, TableRule, pack, rule_of
from engrain.learn.state import checked_state
from engrain.model.policy import PolicyInfo
from engrain.world import to_micros

VERSION = 1
MOST = 64 << 20  # bytes of a file
_KNOWN = ("engrain_policy", "task_type", "agent", "version", "kind", "rule", "states", "data", "metrics", "discount",
          "seed", "code", "made_at")  # fmt: skip
_TOLD = ("from", "to", "rows", "lineages", "version")  # of data


@dataclass(frozen=True, slots=True)
class Read:
    """What a file says. ``until`` (µs UTC): the latest that its learner has seen; None: it does not say."""

    task_type: str
    rule: Rule
    data: Mapping[str, Any]
    discount: float | None
    seed: int
    until: int | None


def save(path: Path, info: PolicyInfo, rule: Rule) -> None:
    """Write a version to a file of its own. Raises InvalidField when there is one, StoreError."""
    body = json.loads(zlib.decompress(pack(rule)))
    told = {
        "engrain_policy": VERSION, "task_type": info.task_type, "agent": info.agent, "version": info.version,
        "kind": info.kind, "discount": info.discount, "seed": info.seed, "code": info.code,
        "made_at": info.made_at.isoformat(), "data": info.data, "metrics": info.metrics, "rule": body,
    }  # fmt: skip
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            json.dump(told, file, ensure_ascii=False, allow_nan=False, indent=1)
            file.write("\n")
    except FileExistsError as error:
        raise InvalidField(f"{path} exists; choose another name.") from error
    except OSError as error:
        raise StoreError(f"The policy cannot be written: {path}: {error.strerror}.") from error


def load(path: Path) -> Read:
    """What a file says. Raises InvalidField when it cannot be read, InvalidPolicy, PolicyTooNew."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST + 1)
    except OSError as error:
        raise InvalidField(f"{path} cannot be read: {error.strerror}.") from error
    return read(content)


def read(content: bytes) -> Read:
    """The same of its bytes."""
    if len(content) > MOST:
        raise InvalidPolicy(f"the file is larger than {MOST >> 20} MB.")
    try:
        told = json.loads(content.decode(), parse_constant=_not_a_number)
        json.dumps(told, ensure_ascii=False).encode()  # no name may hold half a surrogate pair
    except (ValueError, RecursionError) as error:
        raise InvalidPolicy(f"the file is not JSON: {error}.") from error
    version = told.get("engrain_policy") if isinstance(told, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InvalidPolicy('the file is no policy: it begins {"engrain_policy": 1, "task_type": …}.')
    if version > VERSION:
        raise PolicyTooNew(f"The file has format {version}; this engrain reads {VERSION}. Upgrade engrain.")
    if unknown := [name for name in told if name not in _KNOWN]:
        raise InvalidPolicy(f"there is no field {unknown[0]!r} in a policy; the fields are {', '.join(_KNOWN)}.")
    if ("rule" in told) == ("states" in told):
        raise InvalidPolicy("a policy has a rule, or states.")
    data, until = _data(told.get("data"))
    return Read(
        _text("task_type", told.get("task_type")),
        rule_of(told["rule"]) if "rule" in told else _table(told["states"]),
        {**data, "algorithm": "imported", "file": hashlib.blake2b(content, digest_size=16).hexdigest()},
        _real("discount", told["discount"], 0.0, 1.0) if told.get("discount") is not None else None,
        _seed(told.get("seed")),
        until,
    )


def _table(states: Any) -> TableRule:
    """Probabilities by state, of what an outside learner wrote."""
    if not isinstance(states, list) or not states:
        raise InvalidPolicy("states is a list of objects with state, and actions or values.")
    entries: dict[str, dict[str, list[float | None]]] = {}
    for place, one in enumerate(states):
        if (
            not isinstance(one, dict)
            or ("actions" in one) == ("values" in one)
            or set(one) - {"state", "actions", "values"}
        ):
            raise InvalidPolicy(f"states[{place}] is not an object with state, and actions or values.")
        key = _key(place, one.get("state"))
        if key in entries:
            raise InvalidPolicy(f"states[{place}] is a state that was there before.")
        entries[key] = _row(place, one)
    return TableRule.read({"entries": entries})


def _key(place: int, state: Any) -> str:
    try:
        return checked_state(state if state is not None else {}).key
    except InvalidField as error:
        raise InvalidPolicy(f"states[{place}]: {error.detail}") from error


def _row(place: int, one: Mapping[str, Any]) -> dict[str, list[float | None]]:
    """Probability, value and visits of each action."""
    greedy = "values" in one
    given = one["values" if greedy else "actions"]
    if not isinstance(given, dict) or not given:
        raise InvalidPolicy(f"states[{place}]: {'values' if greedy else 'actions'} is an object of numbers by action.")
    row = {}
    for name, value in given.items():
        limit = (-1e300, 1e300) if greedy else (0.0, 1.0)
        row[_text(f"an action of states[{place}]", name)] = _real(f"states[{place}], {name!r}", value, *limit)
    if len(row) < len(given):
        raise InvalidPolicy(f"states[{place}] has an action twice.")
    if not greedy:
        total = sum(row.values())
        if not math.isclose(total, 1.0, abs_tol=1e-6):
            raise InvalidPolicy(f"states[{place}]: the probabilities sum to {total:.6g}, not to 1.")
        return {name: [value / total, None, 0.0] for name, value in row.items()}
    best = min(row, key=lambda name: (-row[name], name))
    return {name: [float(name == best), value, 0.0] for name, value in row.items()}


def _data(told: Any) -> tuple[dict[str, Any], int | None]:
    if told is None:
        return {}, None
    if not isinstance(told, dict):
        raise InvalidPolicy('data is an object such as {"to": "2026-05-01T00:00:00+00:00"}.')
    found = {name: told[name] for name in _TOLD if isinstance(told.get(name), str | int | float)}
    if (until := told.get("to")) is None:
        return found, None
    try:
        moment = datetime.fromisoformat(until)
        if moment.tzinfo is None:
            raise ValueError("it has no time zone")
        return found, to_micros(moment)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidPolicy(f"data.to is not a time such as 2026-05-01T00:00:00+00:00: {error}.") from error


def _text(name: str, value: Any) -> str:
    try:
        return checked_text(name, value)
    except InvalidField as error:
        raise InvalidPolicy(error.detail) from error


def _seed(value: Any) -> int:
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise InvalidPolicy("seed is a whole number from 0 on.")
    return value


def _real(name: str, value: Any, least: float, most: float) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not least <= value <= most:  # nor is NaN
        raise InvalidPolicy(f"{name} is not a number in {least:g}..{most:g}.")
    return float(value)


def _not_a_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
