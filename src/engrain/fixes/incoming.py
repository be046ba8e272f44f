"""A document of fixes that comes from elsewhere: every row checked, every bad one named, before anything is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from engrain.errors import InvalidField, InvalidInput
from engrain.fixes.names import TITLE, Named
from engrain.fixes.rows import GONE, KEPT, new_row
from engrain.fixes.signature import KINDS, Shape, raw_id
from engrain.fixes.writer import Signed, words_of
from engrain.model.fix import Attempt, Problem
from engrain.model.item import VISIBILITIES
from engrain.model.scope import Scope
from engrain.store.rows import to_json
from engrain.world import to_micros

FORMAT = "engrain-fixes"
VERSION = 1
TOLD = 20  # bad rows that are named
LONG = 1 << 20  # characters of a text
SHORT = 512  # of a name
_PLAN = re.compile(r"[0-9a-f]{24}")
PLAIN = ("analysis", "fixer", "success", "verified", "system", "notes", "session", "task_id", "visibility")
"""Fields of a fix that are told as ``record_fix`` takes them."""
Checked = Callable[[Mapping[str, Any]], Attempt]
"""The arguments of ``record_fix`` to an Attempt; raises InvalidInput."""
Lines = Mapping[tuple[str, int], int]
"""The lines of a file on which the rows stand, by the name of their list and their number (see ``places``)."""


class Incoming:
    """What a document holds: ``rows`` of fixes by id, what was ``signed``, ``plans``; and what is ``wrong`` with it."""

    def __init__(
        self, scope: Scope, document: object, checked: Checked, name: Callable[[Problem], Named], lines: Lines
    ) -> None:
        self._scope, self._checked, self._name = scope, checked, name
        self.rows: dict[str, dict[str, Any]] = {}
        self.signed: dict[str, Signed] = {}
        self.plans: list[dict[str, Any]] = []
        self.wrong: list[str] = []
        self._names: dict[str, Named] = {}
        if not isinstance(document, Mapping) or document.get("format") != FORMAT:
            raise InvalidField(f"this is no document of fixes: its format must be {FORMAT}.")
        version = document.get("version")
        if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= VERSION:
            raise InvalidField(f"fixes of version {str(version)[:20]} cannot be read; this engrain reads {VERSION}.")
        for part, take in (("signatures", self._signature), ("plans", self._plan), ("fixes", self._fix)):
            rows = document.get(part, [])
            if not isinstance(rows, list):
                raise InvalidField(f"{part} of a document of fixes must be a list.")
            for number, row in enumerate(rows):
                line = lines.get((part, number))
                with self._noted(f"{part}[{number}]" + (f" (line {line:,})" if line else "")):
                    if not isinstance(row, Mapping):
                        raise InvalidField("it is no object.")
                    take(row)
        if self.wrong:
            more = f"; and {len(self.wrong) - TOLD:,} more" if len(self.wrong) > TOLD else ""
            raise InvalidField(f"Nothing was imported. {'; '.join(self.wrong[:TOLD])}{more}")

    @contextmanager
    def _noted(self, where: str) -> Iterator[None]:
        try:
            yield
        except InvalidInput as error:
            self.wrong.append(f"{where}: {error.detail}")

    def _signature(self, row: Mapping[str, Any]) -> None:
        kind, extent, text, title = (_text(row, name, LONG, blank=True) for name in ("kind", "scope", "text", "title"))
        raw = _text(row, "id", SHORT)
        if kind not in KINDS or raw != raw_id(Shape(kind, extent, text)):
            raise InvalidField("its id is not that of its kind, scope and text.")
        self._refuse_secret("its text", f"{extent}\n{text}")
        self._names[raw] = Named(raw, raw, self._clean(title)[:TITLE] or raw, kind, extent, text)

    def _clean(self, text: str) -> str:
        """The text without secrets, if these are to be cut out."""
        return (self._checked({"problem": "-", "notes": text}).notes or "") if text.strip() else text

    def _refuse_secret(self, what: str, text: str) -> None:
        """What is known by its very text cannot be cut."""
        if self._clean(text) != text:
            raise InvalidField(f"{what} holds what looks like a secret.")

    def _plan(self, row: Mapping[str, Any]) -> None:
        told = self._checked({"problem": "-", "commands": row.get("commands", ()), "analysis": row.get("analysis")})
        self.plans.append(
            {
                "tenant": self._scope.tenant,
                "agent": self._scope.agent,
                "visibility": _visibility(row),
                "plan": _plan(row),
                "commands": to_json(told.commands),
                "analysis": told.analysis,
                "at": _time(row, "at"),
            }
        )

    def _fix(self, row: Mapping[str, Any]) -> None:
        id_ = _text(row, "id", SHORT)
        self._refuse_secret("its id", id_)
        if id_ in self.rows:
            raise InvalidField(f"the id {id_!r} came before.")
        state = row.get("state", KEPT)
        if state not in (KEPT, GONE):
            raise InvalidField("its state must be kept or gone.")
        self.rows[id_] = self._gone(row, id_) if state == GONE else self._kept(row, id_)

    def _kept(self, row: Mapping[str, Any], id_: str) -> dict[str, Any]:
        facts = row.get("problem", {})
        if not isinstance(facts, Mapping):
            raise InvalidField("its problem must be an object.")
        problem = {**facts, "message": row.get("message"), "type": row.get("type"), "target": row.get("target")}
        told = {name: row.get(name) for name in PLAIN}
        one = self._checked(
            {"problem": problem, "commands": row.get("commands", ()), **told, "seconds": row.get("seconds")}
        )
        named = self._name(one.problem)
        self.signed.setdefault(named.raw, Signed(named, words_of(one.problem)))
        return {**new_row(self._scope, one, named, id_, 0), **_times(row)}

    def _gone(self, row: Mapping[str, Any], id_: str) -> dict[str, Any]:
        raw = _text(row, "signature", SHORT)
        if raw not in self._names:
            raise InvalidField("its signature is not in the document.")
        facts = {"problem": "-", "type": _text(row, "type", SHORT), "target": row.get("target")}
        told = {name: row.get(name) for name in ("fixer", "success", "verified", "visibility", "seconds")}
        one = self._checked({**facts, **told})
        self.signed.setdefault(raw, Signed(self._names[raw], self._names[raw].title))
        plan = None if row.get("plan") is None else _plan(row)
        if not isinstance(row.get("effective"), bool):
            raise InvalidField("effective must be true or false.")
        made = new_row(self._scope, one, self._names[raw], id_, 0)
        return {**made, **_times(row), "state": GONE, "message": "", "plan": plan, "effective": int(row["effective"])}


def _text(row: Mapping[str, Any], name: str, limit: int, blank: bool = False) -> str:
    value = row.get(name)
    if not isinstance(value, str) or len(value) > limit or not (blank or value.strip()) or not _sound(value):
        raise InvalidField(f"{name} must be text of at most {limit:,} characters.")
    return value


def _plan(row: Mapping[str, Any]) -> str:
    value = row.get("plan")
    if not isinstance(value, str) or not _PLAN.fullmatch(value):
        raise InvalidField("plan must be 24 hexadecimal digits, as it was exported.")
    return value


def _sound(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _visibility(row: Mapping[str, Any]) -> str:
    value = row.get("visibility", "private")
    if value not in VISIBILITIES:
        raise InvalidField(f"visibility must be one of {', '.join(VISIBILITIES)}.")
    return str(value)


def _times(row: Mapping[str, Any]) -> dict[str, int]:
    return {name: _time(row, name) for name in ("occurred_at", "created_at", "updated_at")}


def _time(row: Mapping[str, Any], name: str) -> int:
    try:
        found = datetime.fromisoformat(row[name])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidField(f"{name} must be a moment such as 2026-01-01T00:00:00+00:00.") from error
    if found.tzinfo is None:
        raise InvalidField(f"{name} has no time zone.")
    return to_micros(found)
