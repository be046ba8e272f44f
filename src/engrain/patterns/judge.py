"""How a task ended, from its steps: fixed rules, the surest signal first.

1. What somebody verified.   2. Tests that were executed: those that ran last.   3. What somebody says was executed.
4. The exit code of the last command that does anything (an echo proves nothing).   5. What a step or somebody claims.
6. Words of the last output, the weakest: "error" may stand in a text that says there was none.

A signal beats all that are less sure. Signals as sure as each other that disagree say nothing: the end is unknown, and
so it is when what was verified and what was executed disagree, for one of them was not about this.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from engrain.model.pattern import Step

LOOKED = 20_000  # characters of an output, its last ones


class Verdict(NamedTuple):
    """How it ended (None: unknown), on what evidence, and by which rule."""

    success: bool | None
    evidence: str
    why: str


_BAD = re.compile(
    r"\bTraceback \(most recent call last\)|\bpanic:|\bfatal(?: error)?:|\bFAILED\b|\bFAIL:|\bsegmentation fault\b"
    r"|\berrors?\b|\bexception\b|\bfailed\b|\bfailures?\b|\bcommand not found\b|\btimed out\b",
    re.IGNORECASE,
)
_NONE = re.compile(
    r"\b(?:no|0|zero|without(?: any)?|not a single|free of)\s+(?:\w+\s+){0,2}?"
    r"(?:errors?|failures?|exceptions?|failed)\b"
    r"|\b(?:errors?|failures?|failed)\s*[:=]\s*0\b|\b0\s+failed\b"
    r"|\berror[- ](?:free|handling|handler|message|code|log)s?\b"
    r"|\b(?:fix|handle|retry|check|test|raise|catch|expect)\w*\s+(?:\w+\s+){0,2}?(?:errors?|failures?|exceptions?)\b",
    re.IGNORECASE,
)
_GOOD = re.compile(
    r"\b(?:all (?:\w+ )?(?:tests?|checks?) pass(?:ed)?|succe(?:ss|eded|ssful(?:ly)?)|completed?|passed|done|resolved"
    r"|build ok|\d+ passed)\b",
    re.IGNORECASE,
)
_NOT_GOOD = re.compile(
    r"\b(?:not|un|never|in)[ -]?(?:yet )?(?:success\w*|completed?|passed|done|resolved)\b", re.IGNORECASE
)


def judge(
    steps: Sequence[Step], told: bool | None, evidence: str | None, acts: Callable[[Sequence[str], str | None], bool]
) -> Verdict:
    """The verdict of a trajectory. ``told`` and ``evidence`` are what somebody says of the whole; ``acts`` tells
    whether commands do anything."""
    given = (evidence or "claimed") if told is not None else None
    executed = _tests(steps) or _exits(steps, acts)
    if given == "verified":
        if executed is not None and executed.success is not told:
            return Verdict(None, "executed", f"unknown: verified {_named(told)}, but {executed.why}")
        return Verdict(told, "verified", f"verified {_named(told)}")
    if given == "executed":
        if executed is not None and executed.success is not told:
            return Verdict(None, "executed", f"unknown: told as executed {_named(told)}, but {executed.why}")
        return Verdict(told, "executed", executed.why if executed is not None else f"told as executed {_named(told)}")
    if executed is not None:
        return executed
    return _claims(steps, told) or _words(steps) or Verdict(None, "claimed", "unknown: nothing says how it ended")


def _named(success: bool | None) -> str:
    return "success" if success else "failure"


def failed(step: Step, acts: Callable[[Sequence[str], str | None], bool]) -> bool | None:
    """Whether a step failed, by what was executed in it; None when nothing was."""
    if step.tests is not None and any(step.tests):
        return step.tests[1] > 0
    if step.exit_code is not None and acts([step.action], None):
        return step.exit_code != 0
    return None


def _tests(steps: Sequence[Step]) -> Verdict | None:
    for number in range(len(steps), 0, -1):
        tests = steps[number - 1].tests
        if tests is not None and any(tests):
            passed, bad = tests
            told = f"tests: {passed} passed, {bad} failed in step {number}"
            return Verdict(bad == 0, "executed", told)
    return None


def _exits(steps: Sequence[Step], acts: Callable[[Sequence[str], str | None], bool]) -> Verdict | None:
    for number in range(len(steps), 0, -1):
        step = steps[number - 1]
        if step.exit_code is not None and acts([step.action], None):
            if step.success is not None and step.success is not (step.exit_code == 0):
                why = f"unknown: exit code {step.exit_code} in step {number}, which is told as {_named(step.success)}"
                return Verdict(None, "executed", why)
            return Verdict(step.exit_code == 0, "executed", f"exit code {step.exit_code} in step {number}")
    return None


def _claims(steps: Sequence[Step], told: bool | None) -> Verdict | None:
    last = next((step.success for step in reversed(steps) if step.success is not None), None)
    if told is None and last is None:
        return None
    if told is not None and last is not None and told is not last:
        return Verdict(None, "claimed", f"unknown: claimed {_named(told)}, the last step {_named(last)}")
    success = told if told is not None else last
    return Verdict(success, "claimed", f"claimed {_named(success)}")


def _words(steps: Sequence[Step]) -> Verdict | None:
    output = next((step.output for step in reversed(steps) if step.output and step.output.strip()), None)
    if output is None:
        return None
    text = _NONE.sub(" passed ", output[-LOOKED:])
    bad = _BAD.search(text) or _NOT_GOOD.search(text)
    good = _GOOD.search(_NOT_GOOD.sub(" ", text))
    if bad and good:
        return Verdict(None, "claimed", f"unknown: the last output says both {good[0]!r} and {bad[0]!r}")
    if bad or good:
        found = bad or good
        return Verdict(bad is None, "claimed", f"words of the last output: {found[0]!r}" if found else "")
    return None
