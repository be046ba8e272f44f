"""The gist of a memory: how its content begins, in one line."""

from __future__ import annotations

import re

MOST = 160  # characters
_READ = 2 * MOST  # characters that are looked at: the rest may be a megabyte
_END = re.compile(r"[.!?。！？]+[\"')\]”’»]*(?=\s|$)")


def gist(content: str) -> str:
    """The leading sentences that fit into ``MOST`` characters, or as many words of the first, with an ellipsis."""
    text = " ".join(content[:_READ].split())
    if len(text) <= MOST and len(content) <= _READ:
        return text
    ends = [match.end() for match in _END.finditer(text[: MOST + 1]) if match.end() <= MOST]
    if ends:
        return text[: ends[-1]]
    cut, space, _ = text[: MOST - 1].rpartition(" ")
    return f"{cut if space else text[: MOST - 1]}…"
