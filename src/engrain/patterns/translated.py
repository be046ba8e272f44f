"""A pattern said for another framework: a new one, that knows where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engrain.errors import TranslationRefused
from engrain.model.pattern import Pattern
from engrain.model.translation import Note, Translation

Translate = Callable[[str, str | None, str], Translation]
FENCED = "```"


def translation(pattern: Pattern, framework: str, translate: Translate) -> Translation:
    """What a pattern's template, or where it has none its content, is in another framework. Raises
    TranslationRefused."""
    text = pattern.template if pattern.template is not None else pattern.content
    if not text.strip():
        raise TranslationRefused(f"Pattern {pattern.id!r} has no template and no content to be translated.")
    try:
        return translate(text, pattern.framework, framework)
    except TranslationRefused as refused:
        if pattern.template is not None:
            raise
        raise TranslationRefused(
            f"Pattern {pattern.id!r} has no template, and its content cannot be translated: "
            f"{refused.detail.replace('The template', 'It')} What can be is code: a template (engrain patterns update "
            "ID --template CODE), or code in ``` fences of the content."
        ) from refused


def translated(pattern: Pattern, framework: str, translate: Translate) -> dict[str, Any]:
    """The fields of the new pattern. Code in the content's fences goes with the template; where only the content cannot
    be translated it stays, with a note. Raises TranslationRefused."""
    made = translation(pattern, framework, translate)
    notes, content = list(made.notes), pattern.content
    if pattern.template is None:
        content = made.text
    elif FENCED in content:
        try:
            beside = translate(content, pattern.framework, framework)
        except TranslationRefused as refused:
            notes.append(Note(None, f"the content is as it was: {refused.detail}"))
        else:
            content = beside.text
            notes += beside.notes
    told = [{"line": note.line, "text": note.text} for note in notes]
    return {
        "title": pattern.title,
        "description": pattern.description,
        "content": content,
        "template": None if pattern.template is None else made.text,
        "kind": pattern.kind,
        "polarity": pattern.polarity,
        "framework": made.target,
        "language": pattern.language,
        "domain": pattern.domain,
        "tags": pattern.tags,
        "task_type": pattern.task_type,
        "visibility": "private",
        "foundation": False,
        "provenance": {"source": "translated", "ids": [pattern.id], "from": made.source, "notes": told},
    }
