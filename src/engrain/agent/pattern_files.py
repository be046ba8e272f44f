"""Patterns for others: said for another framework, written to a file, taken in from one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from engrain.agent.patterns import Patterns, _visible
from engrain.errors import InvalidField
from engrain.exchange.whole import write_json
from engrain.intake import validate
from engrain.model.pattern import Pattern
from engrain.model.translation import PatternsExported, PatternsImported, Translation
from engrain.upkeep import outside

if TYPE_CHECKING:
    from engrain.patterns.files import Files

LINEAGE = validate.FIELD_CHARACTERS + 16  # characters: a source, or a task, and which of the two it is


class PatternFiles(Patterns):
    """The verbs by which patterns leave, come, and change their framework."""

    def translate_pattern(self, id: str, framework: str) -> Pattern:
        """A new pattern that says the same for another framework (unittest ↔ pytest, jest ↔ vitest), linked with the
        one it comes from; asked again it is the same one. Its ``provenance`` has the notes of the translation. It has
        no evidence of its own yet. Raises UnknownPattern, TranslationRefused when something has no equal there,
        ConfigError when the parser is not installed."""
        from engrain.patterns.mapping.table import translate
        from engrain.patterns.translated import translated

        self._memory._check_open()
        framework = validate.text("framework", framework, validate.NAME_CHARACTERS)
        source = self.pattern(id)
        made = self._memory.bank.add(self.scope, self._pattern(translated(source, framework, translate)))
        self._memory.bank.link(self.scope, made.id, source.id, "translates")
        return self._wrote(made)

    def translation(self, id: str, framework: str) -> Translation:
        """What a pattern's template would be in another framework, with notes; nothing is stored. Raises as
        ``translate_pattern``."""
        from engrain.patterns.mapping.table import translate
        from engrain.patterns.translated import translation

        self._memory._check_open()
        framework = validate.text("framework", framework, validate.NAME_CHARACTERS)
        return translation(self.pattern(id), framework, translate)

    def share_pattern(self, id: str, visibility: str, parameters: Mapping[str, str] | None = None) -> Pattern:
        """Let one's team or the whole tenant see one's own pattern, or nobody else any more. ``parameters``: words of
        this project (a module, a path) and the placeholder that is first put in place of each: ``{"billing.core":
        "module"}`` makes ``{{module}}`` of it; ``undo_pattern`` takes each of the two steps back. Raises
        UnknownPattern."""
        from engrain.patterns.mapping.placeholders import parameterise

        self._memory._check_open()
        words = _parameters(parameters)
        _visible(visibility)
        if words:
            said = self.pattern(id)
            texts = {name: getattr(said, name) for name in ("title", "description", "content", "template")}
            changed = {name: parameterise(text, words) for name, text in texts.items() if text}
            changed = {name: text for name, text in changed.items() if text != texts[name]}
            if changed:
                self.update_pattern(id, **changed)
        return super().share_pattern(id, visibility)

    def export_patterns(
        self, path: str | os.PathLike[str], parameters: Mapping[str, str] | None = None, framework: str | None = None
    ) -> PatternsExported:
        """Write the patterns that this agent sees, their uses and links to a JSON file; one of that name is replaced.
        ``parameters``: words of this project (a module, a path) and the placeholder that stands for each in the file:
        ``{"billing.core": "module"}`` makes ``{{module}}`` of it. ``framework``: only of this one. Raises InvalidField,
        StoreError when it cannot be written."""
        from engrain.patterns.search import Wanted

        self._memory._check_open()
        memory = self._memory
        target = outside(memory.store, memory.home, memory.config, path)
        wanted = Wanted(state=None, framework=self._optional("framework", framework))
        made = self._files.export(self.scope, wanted, _parameters(parameters), memory.world.now())
        write_json(target, made, "The patterns")
        uses = sum(len(one["uses"]) for one in made["patterns"])
        return PatternsExported(str(target), len(made["patterns"]), uses)

    def import_patterns(self, path: str | os.PathLike[str]) -> PatternsImported:
        """Take in what ``export_patterns`` wrote. A pattern that is here already keeps what it says; uses that are new
        are added to its own, so that a file taken in twice counts once. Raises InvalidInput, naming what is wrong, and
        nothing is changed."""
        from engrain.patterns.files import load

        self._memory._check_open()
        return self._wrote(self._files.take(self.scope, load(validate.path(path)), self._pattern, self._used))

    def _used(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """Checked names, time and state of a use, without secrets."""
        optional = ("source", "task_type", "task_id")
        found: dict[str, Any] = {name: self._optional(name, told.get(name)) for name in optional}
        found |= {name: validate.text(name, told.get(name), LINEAGE) for name in ("id", "lineage", "at")}
        self._named(**found)
        try:
            at = validate.moment("at", datetime.fromisoformat(found["at"]))
        except ValueError as error:
            raise InvalidField(f"at must be a time with its zone: {error}.") from error
        return {**found, "at": at, "state": self._clean(told.get("state"))}

    @cached_property
    def _files(self) -> Files:
        from engrain.patterns.files import Files

        return Files(self._memory.bank)


def _parameters(given: Any) -> dict[str, str]:
    """Checked words and their placeholders."""
    from engrain.patterns.mapping.placeholders import PLACEHOLDER

    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InvalidField(f"parameters must be a mapping of words to placeholders, not {validate.shown(given)}.")
    for word, name in given.items():
        good = isinstance(word, str) and word.strip() and isinstance(name, str)
        if not good or PLACEHOLDER.fullmatch("{{" + name + "}}") is None:
            raise InvalidField(f"parameters: {validate.shown(name)} is no name for {validate.shown(word)}.")
    return dict(given)
