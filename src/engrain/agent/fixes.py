"""Problems and what helped: the verbs of an agent that something goes wrong for."""

from __future__ import annotations

import builtins
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from engrain.agent.base import Scoped
from engrain.errors import InvalidField, InvalidInput, StoreError
from engrain.intake import problems, validate
from engrain.model.fix import (
    Attempt,
    Diagnosis,
    Fix,
    FixesCleaned,
    FixImport,
    FixReport,
    FixStats,
    IssueEdit,
    IssueInfo,
    Problem,
    TargetInfo,
)
from engrain.upkeep import outside

Told = str | BaseException | Mapping[str, Any] | Problem
MOST = 10_000


class Fixes(Scoped):
    """The verbs about issues and fixes."""

    def diagnose(
        self, problem: Told, *, type: str | None = None, target: str | None = None, limit: int = 5
    ) -> Diagnosis:
        """What is known of a problem: a message, an exception, a Problem or a mapping of its fields. Looks for the same
        issue, the same type at the same target, the same type, and similar problems, and says of each way to solve it
        from where it is known and how often it was verified. ``limit``: at each level, and in each list. Looking up
        changes nothing."""
        self._memory._check_open()
        limit = validate.whole("limit", limit, 1, 100)
        return self._memory.fix_lookup.diagnose(self.scope, self._problem(problem, type, target), limit)

    def record_fix(
        self,
        problem: Told,
        commands: str | Sequence[str] = (),
        *,
        analysis: str | None = None,
        fixer: str | None = None,
        success: bool | None = None,
        verified: bool = False,
        seconds: float | None = None,
        system: Mapping[str, Any] | None = None,
        notes: str | None = None,
        type: str | None = None,
        target: str | None = None,
        session: str | None = None,
        task_id: str | None = None,
        visibility: str = "private",
        occurred_at: datetime | None = None,
    ) -> Fix:
        """Note an attempt to solve a problem; without commands and analysis, that it was seen. ``success`` is what who
        tried says came of it (None: not known yet), ``verified`` that something independent saw it work: only
        both together count as solved, and success alone counts neither way. Commands that only say something (echo,
        print, comments) are no fix. Secrets are cut out of all texts; one in a name is refused."""
        told = {
            "analysis": analysis, "fixer": fixer, "success": success, "verified": verified, "seconds": seconds,
            "system": system, "notes": notes, "type": type, "target": target, "session": session, "task_id": task_id,
            "visibility": visibility, "occurred_at": occurred_at,
        }  # fmt: skip
        return self.record_fixes([{"problem": problem, "commands": commands, **told}])[0]

    def record_fixes(self, rows: Iterable[Mapping[str, Any]]) -> builtins.list[Fix]:
        """Note many in one transaction, all or none: rows of the arguments of ``record_fix``. The error of a bad row
        names its number, counted from 0."""
        self._memory._check_open()
        given = builtins.list(self._rows(rows))
        attempts = []
        for number, row in enumerate(given):
            try:
                attempts.append(self._attempt(row))
            except InvalidInput as error:
                if len(given) == 1:
                    raise
                raise builtins.type(error)(f"row {number}: {error.detail}") from error
        return self._wrote(self._memory.fix_writer.record(self.scope, attempts))

    def verify_fix(self, fix_id: str, success: bool = True, notes: str | None = None) -> Fix:
        """Say of one's own attempt that something independent saw it work, or that it did not; a later word replaces
        an earlier one, in every count. Raises UnknownFix."""
        self._memory._check_open()
        id_ = validate.text("fix_id", fix_id, validate.FIELD_CHARACTERS)
        told = None if notes is None else validate.text("notes", notes, problems.TEXT)
        if told is not None and self._memory.config.redact:
            told = problems.without_secret(told)
        return self._memory.fix_writer.verify(self.scope, id_, validate.flag("success", success), told)

    def fixes(
        self,
        type: str | None = None,
        target: str | None = None,
        issue: str | None = None,
        successful: bool | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> builtins.list[Fix]:
        """Attempts and sightings that one can see, newest first. ``successful``: those that were verified to solve
        their issue, or (False) all others; ``since`` by when it happened."""
        self._memory._check_open()
        return self._memory.fix_listing.fixes(
            self.scope,
            None if issue is None else validate.text("issue", issue, validate.FIELD_CHARACTERS),
            type=None if type is None else problems.type_name(type),
            target=self._optional("target", target),
            solved=None if successful is None else int(validate.flag("successful", successful)),
            since=validate.moment("since", since),
            limit=validate.whole("limit", limit, 1, MOST),
        )

    def issue(self, id: str) -> IssueInfo:
        """What is known of an issue, given by its id or by any signature of it. Raises UnknownIssue."""
        self._memory._check_open()
        return self._memory.fix_lookup.issue(self.scope, validate.text("id", id, validate.FIELD_CHARACTERS))

    def issues(self, type: str | None = None, target: str | None = None, limit: int = 100) -> builtins.list[IssueInfo]:
        """The issues that one can see, the most frequent first."""
        self._memory._check_open()
        kind, limit = None if type is None else problems.type_name(type), validate.whole("limit", limit, 1, MOST)
        return self._memory.fix_listing.issues(self.scope, kind, self._optional("target", target), limit)

    def target(self, name: str) -> TargetInfo | None:
        """What is known of a target (a model, a service, a file); None when nothing is."""
        self._memory._check_open()
        return self._memory.fix_lookup.target(self.scope, validate.text("name", name, validate.FIELD_CHARACTERS))

    def targets(self) -> builtins.list[TargetInfo]:
        """All targets, the most frequent first."""
        self._memory._check_open()
        return self._memory.fix_listing.targets(self.scope)

    def context_for(self, problem: Told, max_tokens: int = 800) -> str:
        """What an agent that meets a problem should know, as text within a budget of tokens: what is known of the
        issue, what worked and how surely, what failed and must not be tried again, what is usual for the target. ""
        when nothing is known."""
        self._memory._check_open()
        from engrain.fixes.context import told
        from engrain.recall.context import count_tokens

        most = validate.whole("max_tokens", max_tokens, 1, 1_000_000)
        what = self._problem(problem, None, None)
        return told(self._memory.fix_lookup.diagnose(self.scope, what, 5), most, count_tokens)

    # -- by a person ---------------------------------------------------------------------------------------------------

    def merge_issues(self, id: str, into: str, reason: str) -> IssueInfo:
        """Put an issue to another, as this agent sees them. Counts stay with their signatures, so that it can be
        undone. Raises UnknownIssue."""
        self._memory._check_open()
        one, other = (
            validate.text(name, value, validate.FIELD_CHARACTERS) for name, value in (("id", id), ("into", into))
        )
        self._memory.issue_edits.merge(self.scope, one, other, self._reason(reason))
        return self._wrote(self.issue(other))

    def split_issue(self, signature: str, reason: str) -> IssueInfo:
        """Take a signature out of its issue, so that it is one of its own. Raises UnknownIssue, and InvalidField when
        it stands alone already."""
        self._memory._check_open()
        raw = validate.text("signature", signature, validate.FIELD_CHARACTERS)
        self._memory.issue_edits.split(self.scope, raw, self._reason(reason))
        return self._wrote(self.issue(raw))

    def undo_issues(self) -> IssueEdit | None:
        """Take this agent's latest merge or split back; what it was, or None when there is none."""
        self._memory._check_open()
        return self._memory.issue_edits.undo(self.scope)

    def issue_edits(self) -> builtins.list[IssueEdit]:
        """The merges and splits of this agent, oldest first, those taken back among them."""
        self._memory._check_open()
        return self._memory.issue_edits.all(self.scope)

    # -- sums ----------------------------------------------------------------------------------------------------------

    def fix_stats(self) -> FixStats:
        """How many attempts and sightings one can see, and what came of them."""
        self._memory._check_open()
        return self._memory.fix_listing.stats(self.scope)

    def fix_report(self, days: int = 30) -> FixReport:
        """The last ``days`` days with today (UTC): how the fixers do, types, targets, and the trend by day."""
        self._memory._check_open()
        return self._memory.fix_listing.report(self.scope, validate.whole("days", days, 1, MOST))

    # -- leaving and coming, letting go --------------------------------------------------------------------------------

    def export_fixes(self, path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
        """This agent's fixes as a document of JSON values with a version, also written to ``path`` when that is given
        (one row a line). What it holds: every attempt and sighting, signatures, and what was done."""
        self._memory._check_open()
        document = self._memory.fix_exchange.document(self.scope)
        if path is not None:
            self._written(path, lines_of(document))
        return document

    def _written(self, path: str | os.PathLike[str], text: str) -> None:
        """A text into a file that is no part of the memory: whole, or not at all. Raises InvalidField, StoreError."""
        target = outside(self._memory.store, self._memory.home, self._memory.config, path)
        draft = target.parent / f"{target.name[:100]}.{os.getpid()}.draft"
        try:
            try:
                draft.write_bytes(text.encode("utf-8"))
                draft.replace(target)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            told = validate.shown(os.fspath(path))
            raise StoreError(f"The fixes cannot be written to {told}: {error.strerror}.") from error

    def import_fixes(self, source: str | os.PathLike[str] | Mapping[str, Any]) -> FixImport:
        """Take in a document that ``export_fixes`` made, of this home or another: its path, or itself. What is known
        already by its id is not counted again, unless its outcome is newer. All or nothing: the error names each bad
        row, and its line in a file. Secrets are cut out."""
        self._memory._check_open()
        document: Any = source
        lines: Mapping[tuple[str, int], int] = {}
        if isinstance(source, str | os.PathLike):
            from engrain.fixes.places import lines_of_rows

            try:
                text = Path(source).read_text(encoding="utf-8")
                document = json.loads(text)
                lines = lines_of_rows(text) if isinstance(document, dict) else {}
            except (OSError, UnicodeDecodeError, RecursionError) as error:
                raise InvalidField(f"{validate.shown(str(source))} cannot be read: {str(error)[:200]}.") from error
            except ValueError as error:
                named = validate.shown(str(source))
                raise InvalidField(f"{named} is not JSON: {str(error)[:200]}.") from error
        return self._wrote(self._memory.fix_exchange.take(self.scope, document, self._attempt, lines))

    def clean_fixes(self, days: float | None = None, dry_run: bool = False) -> FixesCleaned:
        """Let go of the texts of one's own attempts and sightings that are older than ``days`` (the setting
        ``fix_days`` when not given); verified solutions are kept for ``verified_fix_days`` at least. No count is lost,
        and what solved an issue is still known. A dry run only counts."""
        self._memory._check_open()
        told = None if days is None else validate.number("days", days, 0.0, 36_500.0)
        return self._memory.fix_retention.clean(self.scope, told, validate.flag("dry_run", dry_run))

    # -- checks --------------------------------------------------------------------------------------------------------

    def _problem(self, given: Any, type: str | None, target: str | None) -> Problem:
        found = problems.problem(given, type, target)
        return problems.clean(found) if self._memory.config.redact else found

    def _attempt(self, row: Any) -> Attempt:
        if not isinstance(row, Mapping) or "problem" not in row:
            raise InvalidField("a row must be a dict of the arguments of record_fix(), with its problem.")
        told = {name: value for name, value in row.items() if name not in ("problem", "commands")}
        found = problems.attempt(row["problem"], row.get("commands", ()), told)
        return problems.without_secrets(found) if self._memory.config.redact else found

    def _reason(self, reason: str) -> str:
        told = validate.text("reason", reason, problems.TEXT)
        return problems.without_secret(told) or told if self._memory.config.redact else told


def facts_of(problem: Told) -> dict[str, Any]:
    """A problem as the fields of Problem, None where nothing was told; its type only when it was."""
    if isinstance(problem, str):
        return {"message": problem}
    found = asdict(problems.problem(problem))
    named = problem if isinstance(problem, Mapping) else {"type": getattr(problem, "type", None)}
    told = named.get("type") or named.get("issue_type")
    return found | {"type": found["type"] if told else None, "metadata": found["metadata"] or None}


def lines_of(document: Mapping[str, Any]) -> str:
    """A document as JSON, one row of its lists a line."""
    parts = []
    for name, value in document.items():
        told = json.dumps(value, ensure_ascii=False, sort_keys=True)
        if isinstance(value, builtins.list) and value:
            rows = (json.dumps(row, ensure_ascii=False, sort_keys=True) for row in value)
            told = "[\n" + ",\n".join(rows) + "\n]"
        parts.append(f"{json.dumps(name)}: {told}")
    return "{" + ",\n".join(parts) + "}\n"
