"""One item on its way out or in: between the columns of the store and the fields of a file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from engrain.errors import InvalidField
from engrain.intake import validate
from engrain.store.port import Row
from engrain.store.rows import to_json
from engrain.world import encode_id, from_micros

Columns = dict[str, Any]
"""An item as columns of the store: times in µs, lists and objects as JSON text."""

TOLD = ("content", "kind", "key", "importance", "tags", "metadata", "session", "role", "decay_rate", "visibility",
        "pinned", "source")  # fmt: skip
TIMES = ("occurred_at", "created_at", "told_at", "updated_at", "expires_at", "superseded_at", "archived_at",
         "promoted_at", "last_shown_at", "last_used_at", "weighed_at", "pending_at", "spared_until")  # fmt: skip
COUNTS = ("repeats", "shown", "read", "applied", "helpful", "unhelpful")
SIGNALS = (*COUNTS[1:], "last_shown_at", "last_used_at", "weighed", "weighed_at", "pending_at", "spared_until")
STATES = ("active", "superseded", "archived")
FIELDS = ("id", "state", *TOLD, *TIMES, *COUNTS, "superseded_by", "archived_reason", "weighed", "redacted", "echoes")
"""Every field of a row, in the order of a table's columns. ``weighed`` is the importance at ``weighed_at``, from which
it fades on; ``echoes`` are the times and sessions in which the item was told again although it had just been shown."""

MOST = 10**12  # of a count: all items together stay within what a store can add up
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


def written(row: Row | Columns, echoes: Collection[Row | Columns] = ()) -> dict[str, Any]:
    """The fields of a stored row; what is empty is left out."""
    found: dict[str, Any] = {}
    for name, told in _TOLD_AS:
        value = row[name]
        if value is not None and (told is None or (value := told(value)) is not None):
            found[name] = value
    if echoes:
        found["echoes"] = [{"at": _iso(one["at"]), "session": one["session"]} for one in echoes]
    return found


def _iso(micros: int) -> str:
    return from_micros(micros).isoformat()


def _unless_empty(text: str) -> Any:
    return json.loads(text) if len(text) > 2 else None  # "[]" or "{}"


def _unless_zero(count: int) -> int | None:
    return count or None


def columns(raw: Any, kinds: Collection[str], now: int) -> tuple[validate.Draft, Columns]:
    """The draft in a row of a file and its other columns, all checked; times that are missing are told from those that
    are there, at last ``now``. Raises InvalidInput."""
    if not isinstance(raw, Mapping):
        raise InvalidField(f"It must be an object with the fields of an item, not {validate.shown(raw)}.")
    given = {name: value for name, value in raw.items() if value is not None}
    if unknown := next((name for name in given if name not in _FIELDS), None):
        raise InvalidField(f"There is no field {validate.shown(unknown)}; the fields are {', '.join(FIELDS)}.")
    draft = validate.draft({name: given[name] for name in ("content", *TOLD) if name in given}, kinds)
    found: Columns = {name: _moment(name, given[name]) if name in given else None for name in TIMES}
    found |= {name: validate.whole(name, given[name], 0, MOST) if name in given else 0 for name in COUNTS}
    for name, check in _CHECKS.items():
        found[name] = check(name, given[name]) if name in given else _MISSING.get(name)
    if found["id"] is None and found["state"] != "active":
        raise InvalidField(f"A row that is {found['state']} needs its id.")
    found["told_at"] = next((found[name] for name in ("told_at", "created_at") if found[name] is not None), now)
    for name in ("created_at", "updated_at"):
        if found[name] is None:
            found[name] = found["told_at"]
    since = f"{found['state']}_at"  # when it left the active state
    if since in TIMES and found[since] is None:
        found[since] = found["updated_at"]
    return draft._replace(occurred_at=found["occurred_at"]), found


def complete(draft: validate.Draft, others: Columns, rules: tuple[str, ...], fingerprint: str) -> Columns:
    """All columns of an item; ``rules`` that found a secret in it are noted."""
    found = others | draft._asdict()
    del found["expires_in"]
    redacted = list(dict.fromkeys([*others["redacted"], *rules]))
    found |= {"tags": to_json(list(draft.tags)), "metadata": to_json(dict(draft.metadata or {}))}
    return found | {"redacted": to_json(redacted), "pinned": int(draft.pinned), "fingerprint": fingerprint}


def derived_id(tenant: str, agent: str, id_: str) -> str:
    """Another id for what has one that somebody else has: always the same, so that importing twice doubles nothing."""
    digest = hashlib.blake2b(to_json([tenant, agent, id_]).encode(), digest_size=16).digest()
    return encode_id(int.from_bytes(digest[:6], "big"), int.from_bytes(digest[6:], "big"))


def _moment(name: str, value: Any) -> int | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            told = f"{name} must be a time such as 2026-01-31T12:00:00Z, not {validate.shown(value)}."
            raise InvalidField(told) from None
    return validate.moment(name, value)


def _id(name: str, value: Any) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise InvalidField(f"{name} must be at most 64 letters, digits, - and _, not {validate.shown(value)}.")
    return value


def _state(name: str, value: Any) -> str:
    if value not in STATES:
        raise InvalidField(f"{name} must be one of {', '.join(STATES)}, not {validate.shown(value)}.")
    return str(value)


def _echoes(name: str, value: Any) -> list[tuple[int, str | None]]:
    if not isinstance(value, list) or not all(isinstance(one, Mapping) and "at" in one for one in value):
        raise InvalidField(f"{name} must be a list of objects with at and session, not {validate.shown(value)}.")
    found = []
    for one in value:
        at, session = _moment("at of an echo", one["at"]), one.get("session")
        if at is None:
            raise InvalidField(f"{name} holds one without its time.")
        if session is not None:
            validate.text("session of an echo", session, validate.FIELD_CHARACTERS)
        found.append((at, session))
    return found


_FIELDS = frozenset(FIELDS)
_WAYS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(TIMES, _iso),
    **dict.fromkeys(COUNTS, _unless_zero),
    **dict.fromkeys(("tags", "metadata", "redacted"), _unless_empty),
    "pinned": lambda flag: True if flag else None,
}
_TOLD_AS = tuple((name, _WAYS.get(name)) for name in FIELDS if name != "echoes")
_MISSING: dict[str, Any] = {"state": "active", "redacted": [], "echoes": []}
_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "id": _id,
    "state": _state,
    "superseded_by": _id,
    "archived_reason": lambda name, value: validate.text(name, value, validate.FIELD_CHARACTERS),
    "weighed": lambda name, value: validate.number(name, value, 1.0, 10.0),
    "redacted": lambda name, value: [_id(name, one) for one in validate.tags(value)],
    "echoes": _echoes,
}
