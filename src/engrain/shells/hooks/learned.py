"""What a tool's outcome teaches: the calls that are left for the home.

The rule of fixes. A check (a command of a shell) that fails is a sighting of its problem. What changes something until
the same command runs again in the same session, edits and other commands, is an attempt at it. When the command then
succeeds, the attempt is a fix, verified by that very command; when it fails in the same way, the attempt failed; when
it fails in another way, nobody knows. A check that succeeds although nothing was done in between proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from engrain.glimpse import cleaned, clipped
from engrain.shells.hooks.lines import same
from engrain.shells.hooks.outcome import Told, problem
from engrain.shells.hooks.session import State

FIXER = "claude-code"
OPEN, ACTS, CHANGES = 10, 20, 6  # failed checks that are followed; commands and edits that are kept of an attempt
LINES, LINE = 6, 200  # lines of an edit that are shown, and characters of each
_VARIES = re.compile(r"0x[0-9a-fA-F]+|\d+(?:\.\d+)?|'[^']*'|\"[^\"]*\"|/\S+")
_CHECKED = ("test", "lint", "build", "install", "run", "git")

Call = tuple[str, dict[str, Any]]


def learned(told: Told, event: Mapping[str, Any], state: State, session: str, project: str, now: int) -> list[Call]:
    """The calls that an outcome leads to; the state is changed."""
    calls = [_observed(told, session, project)]
    if told.command and told.kind in _CHECKED:
        key = same(told.command)[:500]
        state["checks"][key[:120]] = told.success
        earlier = state["open"].pop(key, None)
        if told.success:
            calls += _solved(earlier, told, key, session, now)
        else:
            found = problem(told, project)
            calls += _tried(earlier, found, told, session, now)
            state["open"] = dict([*state["open"].items()][1 - OPEN :])
            state["open"][key] = {"problem": found, "at": now, "acts": [], "changes": []}
            calls.append(
                (
                    "record_fix",
                    {"problem": found, "session": session or None, "task_id": told.id or None, "occurred_at": now},
                )
            )
        if told.success and told.kind in ("install", "run", "git", "build"):
            _did(state, "acts", told.command[:500], ACTS, but=key)
    elif told.kind == "edit" and told.success:
        path, change = _changed(event)
        if path and path not in state["files"]:
            state["files"] = [*state["files"], path][-50:]
        _did(state, "changes", change, CHANGES)
    return calls


def _observed(told: Told, session: str, project: str) -> Call:
    error = None if told.success else told.output[:300] or None
    outcome = {"success": told.success, "evidence": "executed", "quality": told.quality, "seconds": told.seconds}
    return "observe_step", {
        "task_type": f"claude-code:{told.kind}",
        "state": {"project": project} if project else {},
        "action": told.action,
        "outcome": {name: value for name, value in {**outcome, "error": error}.items() if value is not None},
        "episode": session or None,
        "task_id": told.id or None,
    }


def _did(state: State, what: str, told: str, most: int, but: str = "") -> None:
    for key, one in state["open"].items():
        if key != but and told and told not in one[what]:
            one[what] = [*one[what], told][-most:]


def _attempt(earlier: dict[str, Any], told: Told, session: str, now: int) -> dict[str, Any]:
    changed = "\n".join(earlier["changes"])
    found = {
        "problem": earlier["problem"],
        "commands": earlier["acts"],
        "analysis": f"Changed:\n{changed}" if changed else None,
        "fixer": FIXER,
        "seconds": max(0.0, (now - earlier["at"]) / 1e6),
        "session": session or None,
        "task_id": told.id or None,
        "occurred_at": now,
    }
    return {name: value for name, value in found.items() if value is not None}


def _solved(earlier: dict[str, Any] | None, told: Told, key: str, session: str, now: int) -> list[Call]:
    if not earlier or not (earlier["acts"] or earlier["changes"]):
        return []
    notes = f"`{key[:200]}` had failed and succeeded afterwards."
    return [
        ("record_fix", {**_attempt(earlier, told, session, now), "success": True, "verified": True, "notes": notes})
    ]


def _tried(earlier: dict[str, Any] | None, found: dict[str, Any], told: Told, session: str, now: int) -> list[Call]:
    if not earlier or not (earlier["acts"] or earlier["changes"]) or _gist(earlier["problem"]) != _gist(found):
        return []
    return [("record_fix", {**_attempt(earlier, told, session, now), "success": False})]


def _gist(problem: Mapping[str, Any]) -> str:
    return _VARIES.sub("*", f"{problem.get('test', '')} {problem['message']}")


def _changed(event: Mapping[str, Any]) -> tuple[str, str]:
    """(the file that an edit changed, from its project on; the change in a few lines)."""
    given = event.get("tool_input")
    given = given if isinstance(given, Mapping) else {}
    path = next((one for name in ("file_path", "notebook_path") if isinstance(one := given.get(name), str)), "")
    where = event.get("cwd")
    if isinstance(where, str) and where and path.startswith(where.rstrip("/") + "/"):
        path = path[len(where.rstrip("/")) + 1 :]
    texts = (given.get(name) for name in ("old_string", "new_string"))
    old, new = (clipped(text, LINES * LINE) if isinstance(text, str) else "" for text in texts)
    shown = [path[:300]]
    shown += [f"- {line}" for line in old.splitlines()[:LINES]]
    shown += [f"+ {line}" for line in new.splitlines()[:LINES]]
    return cleaned(path[:300]), cleaned("\n".join(line[:LINE] for line in shown)) if path else ""
