"""Explain: what the parts of a score mean, in plain words."""

from __future__ import annotations

from engrain.model.item import Hit

PARTS = {
    "words": "words of the question stand in it",
    "near": "words of the question stand in it or in the turn before or after",
    "wide": "words of the question stand in it or within two turns of it",
    "session": "words of the question stand in its session",
    "meaning": "it means something like the question",
    "around": "it and the turns around it mean something like the question",
    "speaker": "the question names who said it",
    "user": "the question is about oneself, and the user said it",
    "importance": "it was marked as more, or less, important than usual",
    "recency": "it is recent",
    "helpful": "it was said to have helped, or not to",
    "newer": "it is newer than something that it is very like, perhaps an older value of the same fact",
    "superseded": "something newer is very like it, perhaps a newer value of the same fact",
    "repeats": "it says the same as a better hit",
}


def explain(hit: Hit) -> list[str]:
    """One line for each part of the score, the greatest first: ``+0.171 it means something like the question``."""
    return [f"{value:+.3f} {PARTS[name]}" for name, value in sorted(hit.why, key=lambda part: -abs(part[1]))]
