"""Strategies and warnings for a question, as a block of text that fits a prompt's budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engrain.model.pattern import Pattern, PatternHit

HEADER = "What proved itself, or is to be avoided (say `helpful` with the id afterwards):"
SURE = 0.02  # confidence that there is an answer below which nothing is shown
NEAR = 0.5  # of the best one's score: what is less to the point is left out
MOST = 4
UNTRIED = 1  # that are shown although nothing is known of them yet: they would never be tried
_CUT = 400  # characters of what a pattern says


def brief(
    hits: Sequence[PatternHit], confidence: float, max_tokens: int, count: Callable[[str], int]
) -> tuple[str, tuple[str, ...]]:
    """(text, ids in it), never above ``max_tokens``; ("", ()) when nothing is relevant, or good for anything."""
    if confidence < SURE or not hits:
        return "", ()
    lines, untried = [HEADER], 0
    ids: list[str] = []
    used, top = count(HEADER), max(hit.score for hit in hits)
    for hit in hits:
        one = hit.pattern
        new = not one.belief.lineages and one.polarity == "do" and one.tier == "short"
        if hit.score < NEAR * top or one.belief.value < 0.5 or (new and untried >= UNTRIED) or len(ids) == MOST:
            continue
        line = _line(one, hit.contradicts)
        cost = count(line)
        if used + cost <= max_tokens:
            lines.append(line)
            ids.append(one.id)
            used, untried = used + cost, untried + new
    return ("\n".join(lines), tuple(ids)) if ids else ("", ())


def _line(one: Pattern, against: Sequence[Pattern]) -> str:
    said = " ".join((one.content or one.description or one.template or "").split())
    said = said if len(said) <= _CUT else f"{said[: _CUT - 1]}…"
    word = "AVOID" if one.polarity == "avoid" else "DO"
    but = f" (but {against[0].title!r} says the opposite)" if against else ""
    return f"- {word} [{odds(one)} {one.id}] {one.title}{': ' + said if said else ''}{but}"


def odds(one: Pattern) -> str:
    """How often a pattern helped, in words."""
    belief = one.belief
    if not belief.lineages:
        return "untried"
    return f"helps in {belief.value:.0%}, at least {belief.low:.0%}, by {belief.lineages} sources"
