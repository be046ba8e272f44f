"""What tests of hooks share: recorded events of Claude Code, and a hook that is called in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engrain.shells.hooks.events import respond
from engrain.world import RealWorld

DATA = Path(__file__).parent / "data" / "claude_code"
TRANSCRIPT = DATA / "transcript.jsonl"


def recorded() -> list[dict[str, Any]]:
    """The events of one session, in their order; the shapes are those of the published reference."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(DATA.glob("*.json"))]
    return [{**one, "transcript_path": str(TRANSCRIPT)} for one in found]


def event(name: str, **more: Any) -> dict[str, Any]:
    """The first recorded event of a name, with other fields."""
    return {**next(one for one in recorded() if one["hook_event_name"] == name), **more}


def hook(home: Path, given: Any, *words: str, **environ: str) -> str:
    """What a hook answers: the text for the model, after a look at the shape of it; "" for nothing."""
    raw = given if isinstance(given, bytes) else json.dumps(given).encode()
    answer = respond([*words, "--home", str(home), "--agent=ann"], raw, environ, RealWorld().now)
    if not answer:
        return ""
    told = json.loads(answer)
    assert list(told) == ["hookSpecificOutput"]
    assert told["hookSpecificOutput"].keys() == {"hookEventName", "additionalContext"}
    return str(told["hookSpecificOutput"]["additionalContext"])
