"""Parameters of a template, ``{{name}}``, behind names that a parser of any language takes for one identifier."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Hidden:
    """A template whose placeholders are identifiers, and the way back. Lines stay where they are."""

    text: str
    mark: str
    was: tuple[str, ...]

    def restore(self, text: str) -> str:
        """The placeholders again, each as it was spelled."""
        return re.sub(rf"{self.mark}(\d+)_", lambda found: self.was[int(found[1])], text)

    def is_one(self, word: str) -> bool:
        """Whether the word is a placeholder and nothing else: what it is filled with is not known."""
        return re.fullmatch(rf"{self.mark}\d+_", word) is not None


def hide(text: str) -> Hidden:
    """Every placeholder as an identifier that occurs nowhere in the text; equal ones stay equal."""
    mark = "PH"
    while mark in text:
        mark += "x"
    seen: dict[str, int] = {}

    def name(found: re.Match[str]) -> str:
        return f"{mark}{seen.setdefault(found[0], len(seen))}_"

    hidden = PLACEHOLDER.sub(name, text)
    return Hidden(hidden, mark, tuple(seen))


def names_in(template: str) -> tuple[str, ...]:
    """The names of a template's placeholders, each once, in their order."""
    return tuple(dict.fromkeys(PLACEHOLDER.findall(template)))


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with the placeholders that ``values`` knows filled in; others stay."""
    return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template)


def parameterise(text: str, names: Mapping[str, str]) -> str:
    """Words of one project as placeholders: each key of ``names``, where it stands as a whole word or path, becomes
    ``{{value}}``. Longer keys go first, and what stands in a placeholder already is left alone."""
    keys = sorted((key for key in names if key), key=lambda key: (-len(key), key))
    if not keys:
        return text
    found = re.compile(PLACEHOLDER.pattern + "|" + "|".join(rf"(?<![\w./-]){re.escape(key)}(?![\w-])" for key in keys))
    return found.sub(lambda match: match[0] if match[1] else "{{" + names[match[0]] + "}}", text)
