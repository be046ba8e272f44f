"""What trajectories have in common, as patterns: no model, the same trajectories give the same.

Only those whose end was executed or verified teach. Steps are compared with what differs from case to case masked.

- workflow: a run of steps that most tasks of a type which ended well have in common and which those that failed have
  not, or surely less often: what every task does, good or bad, is no reason for success.
- error-recovery: a check failed, something was done, the same check passed: what was done in between.
- avoid: a step that failed in at least ``OFTEN`` tasks and worked in none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from engrain.model.exact import chance
from engrain.model.pattern import Step, Trajectory
from engrain.model.report import counted
from engrain.patterns.drafts import Draft, Voice
from engrain.patterns.judge import failed
from engrain.patterns.trajectories import Acts
from engrain.store.rows import to_json
from engrain.world import to_micros

SOURCE = "trajectory"
SEVERAL = 2  # tasks in which something is seen before it is a pattern
OFTEN = 3  # tasks in which something failed, and never worked, before it is to be avoided
LONGEST = 8  # steps of a workflow
SURE = 0.05
BETWEEN = 6  # steps of a recovery
WORDS = 200  # characters of a failure that are shown

_PLACE = re.compile(r"(?<![\w/])(?:[A-Za-z]:)?[\w.@%~+/\\-]*\.\w{1,5}:\d+(?::\d+)?(?!\w)")  # src/cart.py:42:5
_ERROR = re.compile(r"\b[A-Za-z_.]*(?:Error|Exception)\b")  # the name of one

Mask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Run:
    """A judged trajectory with masked steps; ``failed`` is None of a step in which nothing was executed."""

    of: Trajectory
    keys: tuple[str, ...]
    failed: tuple[bool | None, ...]

    @property
    def lineage(self) -> str:
        return f"task:{self.of.task_id}" if self.of.task_id else f"trajectory:{self.of.id}"


def runs_of(trajectories: Sequence[Trajectory], mask: Mask, acts: Acts) -> list[Run]:
    """Those that teach, one of each task (the latest), the oldest first; steps that do nothing are left out."""
    found: dict[str, Run] = {}
    for one in sorted(trajectories, key=lambda each: (each.created_at, each.id)):
        if one.success is None or one.evidence == "claimed":
            continue
        steps = [step for step in one.steps if acts([step.action], None) or step.tests]
        run = Run(one, tuple(mask(step.action) for step in steps), tuple(failed(step, acts) for step in steps))
        kept = Trajectory(**{**{name: getattr(one, name) for name in Trajectory.__slots__}, "steps": tuple(steps)})
        run = Run(kept, run.keys, run.failed)
        found[run.lineage] = run
    return list(found.values())


def distil(runs: Sequence[Run], mask: Mask, known: Sequence[Mapping[str, Any]] = ()) -> list[Draft]:
    """Patterns of all task types, and what was ``known`` (rules of patterns) with the evidence of today."""
    drafts: dict[str, Draft] = {}
    types: dict[str | None, list[Run]] = defaultdict(list)
    for run in runs:
        types[run.of.task_type].append(run)
    for task_type in sorted(types, key=lambda name: name or ""):
        of_type = types[task_type]
        rules = [rule for rule in known if rule.get("task_type") == task_type]
        for draft in (
            *_workflows(task_type, of_type, rules),
            *_recoveries(task_type, of_type, mask),
            *_avoided(task_type, of_type, rules),
        ):
            drafts[draft.key] = draft
    return list(drafts.values())


# -- workflows ---------------------------------------------------------------------------------------------------------


def _workflows(task_type: str | None, runs: Sequence[Run], rules: Sequence[Mapping[str, Any]]) -> Iterator[Draft]:
    good = [run for run in runs if run.of.success]
    bad = [run for run in runs if not run.of.success]
    support: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for run in good:
        for part in _parts(_worked(run)):
            support[part].add(run.lineage)
    wanted = max(SEVERAL, len(good) // 2 + 1)
    common = [part for part, tasks in support.items() if len(tasks) >= wanted]
    telling = [part for part in common if _tells(part, good, bad)]
    maximal = [part for part in telling if not any(part != other and _within(part, other) for other in telling)]
    found = {tuple(rule["steps"]) for rule in rules if rule.get("finding") == "workflow"}
    fresh = [part for part in maximal if not any(_within(part, other) for other in found)]
    for part in sorted({*found, *fresh}):
        yield _workflow(task_type, part, good, bad)


def _worked(run: Run) -> tuple[str, ...]:
    return tuple(key for key, bad in zip(run.keys, run.failed, strict=True) if not bad)


def _parts(keys: Sequence[str]) -> set[tuple[str, ...]]:
    ends = range(len(keys))
    return {tuple(keys[at : at + n]) for at in ends for n in range(2, LONGEST + 1) if at + n <= len(keys)}


def _within(part: Sequence[str], whole: Sequence[str]) -> bool:
    n = len(part)
    return any(tuple(whole[at : at + n]) == tuple(part) for at in range(len(whole) - n + 1))


def _tells(part: tuple[str, ...], good: Sequence[Run], bad: Sequence[Run]) -> bool:
    """Whether tasks that failed do it less often: never, or surely."""
    with_good, with_bad = (sum(_within(part, _worked(run)) for run in some) for some in (good, bad))
    if not with_bad:
        return True
    n1, n0 = with_good + with_bad, len(good) + len(bad) - with_good - with_bad
    return chance([(n1, with_good, n0, len(good) - with_good)])[0] <= SURE


def _workflow(task_type: str | None, part: tuple[str, ...], good: Sequence[Run], bad: Sequence[Run]) -> Draft:
    those = [run for run in (*good, *bad) if _within(part, _worked(run))]
    wins = sum(run.of.success is True for run in those)
    lines = [f"{number}. {key}" for number, key in enumerate(_shown(part, those), 1)]
    where = task_type or "a task"
    rest = f"{len(good) - wins} of {len(good) + len(bad) - len(those)} others"
    why = f"{wins} of {len(those)} tasks that went so ended well, {rest}"
    return _draft(
        "workflow", task_type, list(part), f"{where}: {_short(lines[0][3:])} … {_short(lines[-1][3:])}",
        "\n".join(lines), "workflow", "do", why, those,
    )  # fmt: skip


def _shown(part: Sequence[str], runs: Sequence[Run]) -> list[str]:
    """The steps as people can follow them: as they were written where all wrote them alike, else masked."""
    found = []
    for key in part:
        texts = {one.action for run in runs for one, own in zip(run.of.steps, run.keys, strict=True) if own == key}
        found.append(texts.pop() if len(texts) == 1 else key)
    return found


# -- recoveries --------------------------------------------------------------------------------------------------------


class _Tried(NamedTuple):
    """A recovery in one task. ``texts``: what the failure said, what was done, and the check."""

    run: Run
    passed: bool
    texts: tuple[str, ...]


def _recoveries(task_type: str | None, runs: Sequence[Run], mask: Mask) -> Iterator[Draft]:
    found: dict[tuple[str, str, tuple[str, ...]], list[_Tried]] = defaultdict(list)
    for run in runs:
        for start, end, passed in _retries(run):
            between = [at for at in range(start + 1, end) if not run.failed[at]]
            if not between or len(between) > BETWEEN:
                continue
            check, said = run.of.steps[start], _said(run.of.steps[start])
            acts = tuple(run.of.steps[at].action for at in between)
            key = run.keys[start], mask(said), tuple(run.keys[at] for at in between)
            found[key].append(_Tried(run, passed, (said, *acts, check.action)))
    for key in sorted(found):
        tried = found[key]
        if not any(one.passed for one in tried):
            continue
        # As it was written where all wrote it alike, else masked.
        masked = (key[1], *key[2], key[0])
        written = [{one.texts[at] for one in tried} for at in range(len(masked))]
        said, *done, asked = (
            texts.pop() if len(texts) == 1 else same for texts, same in zip(written, masked, strict=True)
        )
        wins = len({one.run.lineage for one in tried if one.passed})
        tasks = counted(len({one.run.lineage for one in tried}), "task")
        title = f"{_short(asked)} fails" + (f" with {_short(said, 80)}" if said else "") + f": {_short(done[0], 80)}"
        content = "\n".join(f"{number}. {action}" for number, action in enumerate([*done, asked], 1))
        yield _draft(
            "recovery", task_type, [*key[:2], *key[2]], title, content, "error-recovery", "do",
            f"the same check passed after it in {wins} of {tasks}",
            [one.run for one in tried], {one.run.lineage: one.passed for one in tried},
        )  # fmt: skip


def _retries(run: Run) -> Iterator[tuple[int, int, bool]]:
    """(place of a check that failed, of the same check the next time, whether it passed then)."""
    for start, bad in enumerate(run.failed):
        if bad:
            for end in range(start + 1, len(run.keys)):
                if run.keys[end] == run.keys[start] and run.failed[end] is not None:
                    if end > start + 1:
                        yield start, end, run.failed[end] is False
                    break


def _said(step: Step) -> str:
    """What tells a failure: the last line that names one, else the last line. Where in a file it happened is left out:
    that is another place the next time."""
    lines = [line.strip() for line in (step.output or "").splitlines() if line.strip()]
    named = [line for line in lines if _ERROR.search(line)]
    telling = named or [line for line in lines if any(word in line.lower() for word in ("error", "fail", "fatal"))]
    return _PLACE.sub("", (telling or lines or [""])[-1]).strip(" :-")[:WORDS]


# -- what never works --------------------------------------------------------------------------------------------------


def _avoided(task_type: str | None, runs: Sequence[Run], rules: Sequence[Mapping[str, Any]]) -> Iterator[Draft]:
    bad: dict[str, set[str]] = defaultdict(set)
    worked: set[str] = set()
    for run in runs:
        for key, wrong in zip(run.keys, run.failed, strict=True):
            if wrong:
                bad[key].add(run.lineage)
            elif wrong is False:
                worked.add(key)
    fresh = {key for key, tasks in bad.items() if len(tasks) >= OFTEN and key not in worked}
    known = {rule["steps"][0] for rule in rules if rule.get("finding") == "avoid"}
    for key in sorted(fresh | known):
        shown = _shown([key], [run for run in runs if key in run.keys])[0]
        why = f"failed in {len(bad[key])} tasks, worked in {'none' if key not in worked else 'some'}"
        rest = [run for run in runs if key not in run.keys]
        yield _draft(
            "avoid", task_type, [key], f"{task_type or 'a task'}: {_short(shown)} does not work", shown, "strategy",
            "avoid", why, rest, ids=[run.of.id for run in runs if key in run.keys],
        )  # fmt: skip


# -- as patterns -------------------------------------------------------------------------------------------------------


def _short(text: str, most: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _draft(
    finding: str,
    task_type: str | None,
    steps: list[str],
    title: str,
    content: str,
    kind: str,
    polarity: str,
    why: str,
    runs: Sequence[Run],
    ends: Mapping[str, bool] | None = None,
    ids: Sequence[str] | None = None,
) -> Draft:
    voices = tuple(
        Voice(run.lineage, run.of.success is True if ends is None else ends[run.lineage], run.of.evidence,
              to_micros(run.of.created_at), run.of.task_id)
        for run in runs
    )  # fmt: skip
    return Draft(
        key=to_json([SOURCE, finding, task_type, steps]),
        source=SOURCE,
        title=title,
        description=why[0].upper() + why[1:] + ", when this was found.",
        content=content,
        kind=kind,
        polarity=polarity,
        why=why,
        voices=voices,
        ids=tuple(run.of.id for run in runs) if ids is None else tuple(ids),
        task_type=task_type,
        rule={"task_type": task_type, "finding": finding, "steps": steps, "about": to_json(steps)},
    )
