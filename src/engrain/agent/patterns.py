"""What worked before, as strategies: an agent's patterns, and what their use came to."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from typing import Any

from engrain.agent.base import Scoped
from engrain.errors import InvalidField
from engrain.intake import validate
from engrain.intake.redact import redact, redact_value
from engrain.model.item import VISIBILITIES
from engrain.model.pattern import ANY, STAGES, STATES, Pattern, PatternEvent, PatternHit, PatternLink, PatternUse

EVIDENCE = ("claimed", "executed", "verified")
TEXT = 64 << 10  # characters of a content or a template
_NAMES = ("framework", "language", "domain", "task_type")
_TEXTS = ("title", "description", "content", "template")


class Patterns(Scoped):
    """The verbs of the pattern bank."""

    def add_pattern(
        self,
        title: str,
        content: str = "",
        *,
        description: str = "",
        template: str | None = None,
        kind: str = "strategy",
        polarity: str = "do",
        framework: str | None = None,
        language: str | None = None,
        domain: str | None = None,
        tags: Sequence[str] = (),
        task_type: str | None = None,
        visibility: str = "private",
        foundation: bool = False,
        provenance: Mapping[str, Any] | None = None,
    ) -> Pattern:
        """Keep a strategy, or with ``polarity`` "avoid" what proved not to work. ``template`` has its parameters as
        ``{{name}}``. The same title, content, kind and framework told again gives the pattern that is there. Raises
        InvalidInput and stores nothing when a field is refused."""
        self._memory._check_open()
        told = {
            "title": title, "content": content, "description": description, "template": template, "kind": kind,
            "polarity": polarity, "framework": framework, "language": language, "domain": domain, "tags": tags,
            "task_type": task_type, "visibility": visibility, "foundation": foundation, "provenance": provenance,
        }  # fmt: skip
        return self._wrote(self._memory.bank.add(self.scope, self._pattern(told)))

    def patterns(
        self,
        query: str | None = None,
        *,
        kind: str | None = None,
        framework: str | None = None,
        language: str | None = None,
        domain: str | None = None,
        tags: Sequence[str] | None = None,
        task_type: str | None = None,
        tier: str | None = None,
        state: str | None = "active",
        polarity: str | None = None,
        limit: int = 10,
        explore: bool = False,
    ) -> builtins.list[PatternHit]:
        """The patterns that answer a question best, by words and meaning; without one all that fit, the newest first.
        ``tags``: all of; ``task_type``: that one, or none; ``state`` None or "any": in any but merged. With ``explore`` in
        the order in which they are worth trying: relevance times a draw from what is believed of each, so that a new
        one gets its turn. Showing is not using."""
        from engrain.patterns.search import Wanted

        self._memory._check_open()
        named = {"kind": kind, "framework": framework, "language": language, "domain": domain, "task_type": task_type}
        for name, value in named.items():
            self._optional(name, value)
        wanted = Wanted(
            **named,
            tags=None if tags is None else frozenset(validate.tags(tags)),
            tier=None if tier is None else _of("tier", tier, ("short", "long")),
            state=None if state in (None, ANY) else _of("state", state, STATES),
            polarity=None if polarity is None else _of("polarity", polarity, ("do", "avoid")),
        )
        if query is not None:
            query = validate.text("query", query, validate.CONTENT_BYTES)
        limit = validate.whole("limit", limit, 1, 10_000)
        return self._memory.bank.find(self.scope, query, wanted, limit, validate.flag("explore", explore))

    def pattern(self, id: str) -> Pattern:
        """A pattern by its id. Raises UnknownPattern."""
        self._memory._check_open()
        return self._memory.bank.get(self.scope, _id(id))

    def pattern_history(self, id: str, limit: int = 100) -> builtins.list[PatternEvent]:
        """What became of a pattern and why, the latest first. Raises UnknownPattern."""
        self._memory._check_open()
        return self._memory.bank.history(self.scope, _id(id), validate.whole("limit", limit, 1, 10_000))

    def pattern_uses(self, id: str, limit: int = 100) -> builtins.list[PatternUse]:
        """The uses of a pattern, the latest first. Raises UnknownPattern."""
        self._memory._check_open()
        return self._memory.bank.uses(self.scope, _id(id), validate.whole("limit", limit, 1, 10_000))

    def pattern_links(self, id: str) -> builtins.list[PatternLink]:
        """What a pattern has to do with others: similar, duplicate (proposed for a merge), contradicts, refines,
        translates. Raises UnknownPattern."""
        self._memory._check_open()
        return self._memory.bank.links(self.scope, _id(id))

    def use_pattern(
        self,
        id: str,
        success: bool | None = None,
        *,
        stage: str = "applied",
        evidence: str = "executed",
        source: str | None = None,
        task_type: str | None = None,
        state: Mapping[str, Any] | None = None,
        task_id: str | None = None,
    ) -> Pattern:
        """Say what came of a pattern that was ``applied`` or judged ``helpful`` (``success`` None: not known), on what
        ``evidence``; the pattern as it is believed after that. Of one ``source``, or else one ``task_id``, everything
        together counts as one outcome at most; so do all claims of one agent. ``task_type`` and ``state`` let it be
        compared with tasks that were done without it. A use may promote, demote or quarantine the pattern. Stage
        ``shown`` only counts. Raises UnknownPattern."""
        from engrain.patterns.uses import Use

        self._memory._check_open()
        _of("stage", stage, STAGES)
        _of("evidence", evidence, EVIDENCE)
        if success is not None:
            validate.flag("success", success)
        names = {"source": source, "task_type": task_type, "task_id": task_id}
        for name, value in names.items():
            self._optional(name, value)
        self._named(**names)
        bank, checked = self._memory.bank, None if state is None else self._memory.bank.state(self._clean(state))
        if stage == "shown":
            if success is not None:
                raise InvalidField("what was only shown has not succeeded or failed; leave success out.")
            found = bank.get(self.scope, _id(id))
            bank.note_shown(self.scope, [found.id])
            return bank.get(self.scope, found.id)
        if stage == "helpful" and success is None:
            raise InvalidField("stage helpful needs success: True when it helped, False when it did not.")
        return self._wrote(bank.use(self.scope, _id(id), Use(stage, success, evidence, state=checked, **names)))

    # -- changing one's own -------------------------------------------------------------------------------------------

    def update_pattern(self, id: str, **change: Any) -> Pattern:
        """Change what one's own pattern says: fields of ``add_pattern`` but for visibility and provenance. Raises
        UnknownPattern, InvalidInput."""
        self._memory._check_open()
        allowed = ("title", "content", "description", "template", "kind", "polarity", *_NAMES, "tags", "foundation")
        if not change or not change.keys() <= set(allowed):
            raise InvalidField(f"update_pattern() can change {', '.join(allowed)}.")
        return self._memory.bank.update(self.scope, _id(id), self._pattern(change))

    def promote_pattern(self, id: str, reason: str) -> Pattern:
        """Make one's own pattern a long-term one. Raises UnknownPattern, InvalidField when it is."""
        return self._act(id, "promoted", reason)

    def demote_pattern(self, id: str, reason: str) -> Pattern:
        """Make it a short-term one again."""
        return self._act(id, "demoted", reason)

    def quarantine_pattern(self, id: str, reason: str) -> Pattern:
        """Take it out of what is found: it may do harm."""
        return self._act(id, "quarantined", reason)

    def release_pattern(self, id: str, reason: str) -> Pattern:
        """Bring it back from quarantine or deprecation."""
        return self._act(id, "released", reason)

    def deprecate_pattern(self, id: str, reason: str) -> Pattern:
        """Take it out of what is found: it is out of date. Nothing is deleted."""
        return self._act(id, "deprecated", reason)

    def merge_patterns(self, id: str, into: str, reason: str) -> Pattern:
        """Let ``into`` stand for both of one's own patterns; what they were used for counts once. ``undo_pattern``
        splits them again. The pattern that stays. Raises UnknownPattern, InvalidField."""
        self._memory._check_open()
        return self._memory.bank.merge(self.scope, _id(id), _id(into), self._reason(reason))

    def share_pattern(self, id: str, visibility: str) -> Pattern:
        """Let one's team or the whole tenant see one's own pattern, or nobody else any more. Raises UnknownPattern."""
        self._memory._check_open()
        return self._memory.bank.share(self.scope, _id(id), _of("visibility", visibility, VISIBILITIES))

    def undo_pattern(self, id: str) -> Pattern:
        """Take back what was done last to one's own pattern: it is as it was before, exactly. What was used meanwhile
        stays used. Raises UnknownPattern, InvalidField when there is nothing to take back."""
        self._memory._check_open()
        return self._memory.bank.undo(self.scope, _id(id))

    def pattern_stats(self) -> dict[str, Any]:
        """Counts of the patterns that this agent sees, as plain JSON values."""
        self._memory._check_open()
        self._memory.bank.flush()
        return self._memory.bank.stats(self.scope)

    def _act(self, id: str, event: str, reason: str) -> Pattern:
        self._memory._check_open()
        return self._memory.bank.act(self.scope, _id(id), event, self._reason(reason))

    def _reason(self, reason: str) -> str:
        told = validate.text("reason", reason, validate.FIELD_CHARACTERS)
        return redact(told).text if self._memory.config.redact else told

    def _pattern(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """Checked fields of a pattern, without secrets."""
        found = {name: _CHECKS[name](value) for name, value in told.items()}
        names = {name: value for name, value in found.items() if name in (*_NAMES, "kind", "tags") and value}
        self._named(**names)
        if self._memory.config.redact:
            found |= {name: redact(found[name]).text for name in _TEXTS if found.get(name)}
            if found.get("provenance"):
                found["provenance"] = redact_value(found["provenance"])[0]
        return found


def _id(value: Any) -> str:
    return validate.text("id", value, validate.FIELD_CHARACTERS)


def _of(name: str, value: Any, known: Sequence[str]) -> str:
    if value not in known:
        raise InvalidField(f"{name} must be one of {', '.join(known)}, not {validate.shown(value)}.")
    return str(value)


def _name(name: str) -> Any:
    return lambda value: None if value is None else validate.text(name, value, validate.NAME_CHARACTERS)


def _visible(value: Any) -> str:
    return _of("visibility", value, VISIBILITIES)


_CHECKS: Mapping[str, Any] = {
    "title": lambda value: validate.text("title", value, validate.FIELD_CHARACTERS),
    "description": lambda value: validate.text("description", value, TEXT, blank=True),
    "content": lambda value: validate.text("content", value, TEXT, blank=True),
    "template": lambda value: None if value is None else validate.text("template", value, TEXT),
    "kind": lambda value: validate.text("kind", value, validate.NAME_CHARACTERS),
    "polarity": lambda value: _of("polarity", value, ("do", "avoid")),
    **{name: _name(name) for name in _NAMES},
    "tags": validate.tags,
    "visibility": _visible,
    "foundation": lambda value: int(validate.flag("foundation", value)),
    "provenance": validate.metadata,
}
