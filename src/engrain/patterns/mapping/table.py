"""Which framework's templates can be translated to which, and the one way to do it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from engrain.errors import TranslationRefused
from engrain.model.translation import Note, Translation
from engrain.patterns.mapping.placeholders import Hidden, hide

LONGEST = 100_000
"""The longest template that is translated, in characters."""

FENCE = re.compile(r"^(```+|~~~+)[ \t]*(\w*)[^\n]*\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mapping:
    """One row of the table: a pair of frameworks, their languages, and the parser that does it."""

    source: str
    target: str
    languages: tuple[str, ...]
    parser: str
    about: str


MAPPINGS = (
    Mapping("unittest", "pytest", ("python", "py"), "libcst",
            "asserts, raises and warns, setUp and tearDown, skips, subTest; what has no equal stays a TestCase"),
    Mapping("pytest", "unittest", ("python", "py"), "libcst",
            "asserts, raises and warns, fixtures, skips, parametrize; what has no equal is refused"),
    Mapping("jest", "vitest", ("javascript", "typescript", "js", "ts", "jsx", "tsx"), "tree-sitter",
            "jest.* as vi.*, mocks, timers, imports; what has no equal is refused"),
    Mapping("vitest", "jest", ("javascript", "typescript", "js", "ts", "jsx", "tsx"), "tree-sitter",
            "vi.* as jest.*, mocks, timers, imports; what has no equal is refused"),
)  # fmt: skip
"""Every pair that exists."""


def mapping(source: str | None, target: str) -> Mapping:
    """The row for a pair of frameworks. Raises TranslationRefused, naming the pairs there are, where there is none."""
    for row in MAPPINGS:
        if (row.source, row.target) == ((source or "").lower(), target.lower()):
            return row
    pairs = ", ".join(f"{row.source} to {row.target}" for row in MAPPINGS)
    raise TranslationRefused(f"There is no way from {source or 'no framework'} to {target}; there is: {pairs}.")


def translate(text: str, source: str | None, target: str) -> Translation:
    """A template for another framework. Placeholders ``{{name}}`` survive. Where the text is prose with code in fences,
    the code is translated and the prose stays.

    Nothing is translated silently wrong: what has no equal is left as it was with a note, or the whole is refused.

    Raises TranslationRefused, ConfigError when the parser is not installed.
    """
    row = mapping(source, target)
    if len(text) > LONGEST:
        raise TranslationRefused(f"The template has {len(text)} characters, at most {LONGEST}.")
    if not text.isprintable() and re.search(r"[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]", text):
        raise TranslationRefused("The template has control characters.")
    work = _translator(row)
    if not FENCE.search(text):
        made, notes = _one(work, text)
        return Translation(made, row.source, row.target, tuple(notes))
    notes = []
    done = 0

    def fenced(found: re.Match[str]) -> str:
        nonlocal done
        if found[2] and found[2].lower() not in row.languages:
            return found[0]
        made, more = _one(work, found[3], found[2])
        before = text.count("\n", 0, found.start(3))
        notes.extend(Note(one.line + before if one.line else None, one.text) for one in more)
        done += 1
        return found[0][: found.start(3) - found.start()] + made + found[0][found.end(3) - found.start() :]

    whole = FENCE.sub(fenced, text)
    if not done:
        raise TranslationRefused(f"The template has no code in {row.languages[0]}.")
    return Translation(whole, row.source, row.target, tuple(notes))


Work = Callable[[Hidden, str], tuple[str, list[tuple[int | None, str]]]]


def _one(work: Work, text: str, language: str = "") -> tuple[str, list[Note]]:
    hidden = hide(text)
    try:
        made, notes = work(hidden, language)
    except RecursionError as error:
        raise TranslationRefused("The template is nested too deeply to be translated; split it.") from error
    except TranslationRefused as refused:
        raise TranslationRefused(hidden.restore(refused.detail)) from refused
    return hidden.restore(made), [Note(line, hidden.restore(words)) for line, words in notes]


def _translator(row: Mapping) -> Work:
    if row.parser == "tree-sitter":
        from engrain.patterns.mapping.scripts import translate_script

        return lambda hidden, language: translate_script(hidden, language, row.source, row.target)
    from engrain.patterns.mapping.python_text import Source

    if row.target == "pytest":
        from engrain.patterns.mapping.unittest_to_pytest import to_pytest

        return lambda hidden, _: to_pytest(Source(hidden))
    from engrain.patterns.mapping.pytest_to_unittest import to_unittest

    return lambda hidden, _: to_unittest(Source(hidden))
