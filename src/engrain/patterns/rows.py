"""Between rows and values: where the columns of a pattern are spelled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from engrain.model.pattern import Belief, Pattern, PatternEvent
from engrain.patterns.belief import of_sums
from engrain.store.port import Row
from engrain.store.rows import to_json
from engrain.world import from_micros

TEXTS = ("title", "description", "content", "template", "kind", "polarity", "framework", "language", "domain")
CANONICAL = (
    "id", "tenant", "agent", "fingerprint", *TEXTS, "tags", "task_type", "tier", "state", "foundation", "visibility",
    "provenance", "merged_into", "held", "created_at", "updated_at", "seq", "shared_seq",
)  # fmt: skip
"""What is told of a pattern; all else is derived of its uses."""


def fingerprint(told: Mapping[str, Any]) -> str:
    """What tells that a pattern was told before: of its title, content, kind and framework."""
    same = [told["title"], told["content"], told["kind"], told["framework"]]
    return hashlib.blake2b(to_json(same).encode(), digest_size=16).hexdigest()


def canonical(row: Row) -> dict[str, Any]:
    """The canonical columns of a row."""
    return {name: row[name] for name in CANONICAL}


def text_of(told: Mapping[str, Any] | Row) -> str:
    """What a pattern is found by, as one text."""
    tags = told["tags"] if isinstance(told["tags"], str) else to_json(list(told["tags"]))
    names = " ".join(
        [*json.loads(tags), *(told[name] or "" for name in ("framework", "language", "domain", "task_type"))]
    )
    said = (told["title"], told["description"], told["content"], told["template"] or "", names.strip())
    return "\n".join(part for part in said if part.strip())


def belief_of(row: Row) -> Belief:
    """What the uses of a pattern say of it."""
    contrast = (row["contrast"], row["contrast_low"], row["contrast_high"])
    return of_sums(row["good"], row["bad"], int(row["lineages"]), contrast)


def pattern_of(row: Row, shown: int = 0) -> Pattern:
    """A pattern from its row; ``shown``: how often it was shown beside what is written."""
    used = row["last_used_at"]
    return Pattern(
        id=row["id"],
        tenant=row["tenant"],
        agent=row["agent"],
        **{name: row[name] for name in TEXTS},
        tags=tuple(json.loads(row["tags"])),
        task_type=row["task_type"],
        tier=row["tier"],
        state=row["state"],
        foundation=row["foundation"] == 1,
        visibility=row["visibility"],
        provenance=json.loads(row["provenance"]),
        belief=belief_of(row),
        shown=int(row["shown"]) + shown,
        applied=int(row["applied"]),
        helpful=int(row["helpful"]),
        unhelpful=int(row["unhelpful"]),
        last_used_at=None if used is None else from_micros(used),
        created_at=from_micros(row["created_at"]),
        updated_at=from_micros(row["updated_at"]),
        merged_into=row["merged_into"],
    )


def event_of(row: Row) -> PatternEvent:
    """What was done to a pattern, from its row."""
    detail = json.loads(row["detail"])
    if row["other_id"] is not None:
        detail = {**detail, "into": row["other_id"]}
    if row["undone_at"] is not None:
        detail = {**detail, "undone_at": from_micros(row["undone_at"]).isoformat()}
    can = row["undo"] == 1 and row["undone_at"] is None
    at = from_micros(row["at"])
    return PatternEvent(row["id"], row["pattern_id"], at, row["event"], row["reason"], row["actor"], can, detail)
