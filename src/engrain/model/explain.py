"""Explain: what the parts of a score mean, in plain words."""

from __future__ import annotations

import math

from engrain.model.item import Hit

PARTS = {  # each fits beside its number and bar in a line of 80 characters
    "words": "words of the question stand in it",
    "wide": "words of the question within two turns",
    "session": "words of the question in its session",
    "meaning": "it means something like the question",
    "around": "the turns around it are like the question",
    "speaker": "the question names who said it",
    "user": "the user said it",
    "assistant": "the assistant said it, as was asked for",
    "news": "it says things that nobody said before it",
    "asks": "it asks, and so tells less",
    "when": "it is of the time that the question names",
    "hop": "it goes on from what a better hit says",
    "spread": "better hits are of the same session",
    "importance": "it was marked as more or less important",
    "recency": "it is recent",
    "helpful": "it was said to have helped, or not to",
    "form": "it is worded like what was asked, or not",
    "asked": "it helped with questions like this, or not",
    "learned": "what helped before means something like it",
    "newer": "it may be the newer value of a fact",
    "superseded": "it may be an older value of a fact",
    "repeats": "it says the same as a better hit",
}


def explain(hit: Hit) -> list[str]:
    """One line for each part of the score, the greatest first: ``+0.171 it means something like the question``."""
    return [f"{value:+.3f} {PARTS[name]}" for name, value in sorted(hit.why, key=lambda part: -abs(part[1]))]


def shares(hit: Hit, digits: int = 3) -> tuple[list[tuple[str, float]], float]:
    """(parts, score): the parts of the score, the greatest first, and the score, rounded so that what is shown adds up
    (the method of greatest remainders: each part is less than one last digit from its true value)."""
    unit = 10**digits
    exact = {name: value * unit for name, value in hit.why}
    shown = {name: math.floor(value) for name, value in exact.items()}
    total = round(hit.score * unit)
    for name in sorted(exact, key=lambda name: shown[name] - exact[name])[: total - sum(shown.values())]:
        shown[name] += 1
    ordered = sorted(exact, key=lambda name: -abs(exact[name]))
    return [(name, shown[name] / unit) for name in ordered], total / unit
