"""What came of a tool: from the JSON of PostToolUse and PostToolUseFailure to a success, a failure or neither."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from engrain.glimpse import clipped
from engrain.shells.hooks import lines

EXCERPT, COMMAND = 4000, 8000  # characters of what a tool printed, and of a command
_FAILED = re.compile(
    r"\b(\d+) (?:tests? )?(?:failed|failing|failures?)\b|\bfailures=(\d+)|\berrors=(\d+)|\b(\d+) errors?\b(?= in )"
)
_PASSED = re.compile(r"\b(\d+) (?:tests? )?(?:passed|passing)\b")
_RAN = re.compile(r"^Ran (\d+) tests? in", re.MULTILINE)
_GO = re.compile(r"^(ok|FAIL)\s+\S+", re.MULTILINE)
_SUMMARY = re.compile(r"^.*\b(?:passed|failed|passing|failing|failures)\b.*$|^FAILED \(.*$|^Tests?:.*$", re.MULTILINE)
_EXIT = re.compile(r"^(?:Error: )?Exit code (\d+)")
_REFUSED = re.compile(
    r"user (?:doesn't want|rejected|denied|declined)|permission (?:to use|denied by|for this)|requires approval"
    r"|blocked by (?:a )?hook|interrupted by user|Request interrupted",
    re.IGNORECASE,
)
_TELLING = re.compile(
    r"^(?:E  +.*|\S*(?:Error|Exception)\b.*|.*\b(?:error|fatal|panic)\b:.*|FAILED .*|FAIL\b.*"
    r"|.*(?:not found|No such file).*)$",
    re.MULTILINE | re.IGNORECASE,
)
_FAILED_TEST = re.compile(r"^(?:FAILED|FAIL:?|--- FAIL:|✕|●)\s+(\S.*?)(?: - .*)?$", re.MULTILINE)
_TRACE = re.compile(r"^\s*(?:Traceback|File \"|at .+:\d+|\S+:\d+: )", re.MULTILINE)


class Told(NamedTuple):
    """A tool and what came of it. ``quality``: share of tests that
    passed; ``output``: what it printed, shortened. Neither it nor
    ``command`` holds a secret."""

    tool: str
    kind: str
    action: str
    command: str
    success: bool
    quality: float | None
    seconds: float | None
    output: str
    id: str


def told(event: Mapping[str, Any], failed: bool) -> Told | None:
    """What an event tells; None when nothing can be learned from it."""
    tool = _text(event.get("tool_name"))[:100]
    given = event.get("tool_input")
    given = given if isinstance(given, Mapping) else {}
    if not tool or ("engrain" in tool.lower() and tool.startswith("mcp__")):
        return None
    group = lines.TOOLS.get(tool, "tool")
    command = clipped(_text(given.get("command")), COMMAND) if group == "shell" else ""
    kind = lines.kind_of(command) if command else "edit" if group == "edit" else "tool"
    output = _printed(event.get("error") or event.get("error_message") if failed else event.get("tool_response"))
    if failed:
        if event.get("is_interrupt") is True or _REFUSED.search(output[:2000]):
            return None
        found = _EXIT.match(output)
        output = output[found.end() :].strip() if found else output
        success, quality = False, _quality(output) if kind == "test" else None
    elif group == "look" or (command and kind == "look"):
        return None
    else:
        ended, quality = _ended(event.get("tool_response"), kind, command, output)
        if ended is None:
            return None
        success = ended
    took = event.get("duration_ms")
    seconds = took / 1000 if isinstance(took, int | float) and not isinstance(took, bool) and 0 <= took < 1e10 else None
    action = lines.head(command) if command else tool
    return Told(tool, kind, action, command, success, quality, seconds, output, _text(event.get("tool_use_id"))[:120])


def _ended(answer: Any, kind: str, command: str, output: str) -> tuple[bool | None, float | None]:
    """(success, quality) of a tool that Claude Code holds for successful."""
    if isinstance(answer, Mapping):
        if answer.get("interrupted") is True or answer.get("backgroundTaskId") or answer.get("timedOutAfterMs"):
            return None, None
        codes = [answer.get(name) for name in ("exit_code", "exitCode", "returncode", "code")]
        code = next((one for one in codes if isinstance(one, int) and not isinstance(one, bool)), None)
        if code or answer.get("success") is False or answer.get("is_error") is True or answer.get("isError") is True:
            return False, _quality(output) if kind == "test" else None
    if kind == "test":
        quality = _quality(output)
        if quality is not None:
            return quality == 1.0, quality
    return (None if command and lines.masked(command) else True), None


def _quality(output: str) -> float | None:
    """The share of tests that passed, by the last summary that is printed; None when there is none."""
    summaries = _SUMMARY.findall(output)
    if summaries:
        last = " ".join(summaries[-2:])
        failed, passed = (sum(map(int, _numbers(pattern.findall(last)))) for pattern in (_FAILED, _PASSED))
        if failed + passed:
            return passed / (failed + passed)
    if results := _GO.findall(output):
        return results.count("ok") / len(results)
    if _RAN.search(output):
        return 1.0 if re.search(r"^OK\b", output, re.MULTILINE) else 0.0
    return None


def _numbers(found: list[Any]) -> list[str]:
    return [one for groups in found for one in ((groups,) if isinstance(groups, str) else groups) if one]


def problem(told: Told, project: str) -> dict[str, Any]:
    """The failure as the fields of a problem (``agent.record_fix``)."""
    telling = [line.strip() for line in _TELLING.findall(told.output)]
    causes = [line.removeprefix("E ").strip() for line in telling if not line.startswith(("FAILED", "FAIL"))]
    printed = [line.strip() for line in told.output.splitlines() if line.strip()]
    first = next(iter((*causes, *telling, *printed)), "")
    test = _FAILED_TEST.search(told.output) if told.kind == "test" else None
    found = {
        "message": (first or f"{told.action} failed")[:500],
        "type": "test_failure" if told.kind == "test" else "error",
        "target": project or None,
        "test": test[1].strip()[:300] if test else None,
        "trace": told.output if _TRACE.search(told.output) else None,
        "log": None if _TRACE.search(told.output) else told.output or None,
        "metadata": {"command": lines.same(told.command)[:300]} if told.command else {"tool": told.tool},
    }
    return {name: value for name, value in found.items() if value}


def _printed(answer: Any) -> str:
    """What a tool said, without secrets: of a long text the beginning and, as errors stand there, more of the end."""
    if isinstance(answer, Mapping):
        found = [answer.get(name) for name in ("stdout", "stderr", "output", "content", "error", "result")]
        text = "\n".join(one for one in map(_text, found) if one)
    elif isinstance(answer, list):
        text = "\n".join(_text(one.get("text")) for one in answer[:50] if isinstance(one, Mapping))
    else:
        text = _text(answer)
    return clipped(text.replace("\r\n", "\n").strip(), EXCERPT // 4, EXCERPT - EXCERPT // 4)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
