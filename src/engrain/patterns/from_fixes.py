"""Fixes as patterns: what solved an issue, verified, in several tasks; and what was tried often and never did."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from engrain.model.beta import posterior
from engrain.patterns.drafts import Draft, Voice
from engrain.store.rows import to_json

SOURCE = "fix"
SEVERAL = 2  # tasks in which it was verified
OFTEN = 3  # tasks in which it failed, when it never worked


def of_fixes(rows: Sequence[Any], issue: Callable[[str], str], known: frozenset[str] = frozenset()) -> list[Draft]:
    """Patterns from rows of ``distill_fixes``: attempts whose end is known. ``issue`` gives the issue of a signature by
    now; ``known`` are keys that were found before, whose evidence is wanted again."""
    issues: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(rows, key=lambda row: (row["occurred_at"], row["id"])):
        issues[issue(row["signature"])][row["plan"]].append(row)
    return [draft for id_ in sorted(issues) for draft in _of_issue(id_, issues[id_], known)]


def _of_issue(issue: str, plans: dict[str, list[Any]], known: frozenset[str]) -> Iterator[Draft]:
    voices = {plan: _voices(rows) for plan, rows in plans.items()}
    for plan in sorted(plans):
        good = sum(voice.success for voice in voices[plan])
        bad = len(voices[plan]) - good
        value, _, _ = posterior(good, bad)
        for polarity, worth in (("do", good >= SEVERAL and value > 0.5), ("avoid", good == 0 and bad >= OFTEN)):
            key = to_json([SOURCE, issue, plan, polarity])
            if worth or key in known:
                others = tuple(voice for other in sorted(plans) if other != plan for voice in voices[other])
                yield _draft(key, issue, plan, polarity, plans[plan], voices[plan], others)


def _voices(rows: Sequence[Any]) -> tuple[Voice, ...]:
    """One of each task (or else attempt): its last attempt."""
    found = {}
    for row in rows:
        lineage = f"task:{row['task']}" if row["task"] else f"fix:{row['id']}"
        solved = row["success"] == 1 and row["verified"] == 1
        evidence = "verified" if row["verified"] else "executed"
        found[lineage] = Voice(lineage, solved, evidence, row["occurred_at"], row["task"])
    return tuple(found.values())


def _draft(
    key: str,
    issue: str,
    plan: str,
    polarity: str,
    rows: Sequence[Any],
    own: Sequence[Voice],
    others: tuple[Voice, ...],
) -> Draft:
    last, do = rows[-1], polarity == "do"
    commands = json.loads(last["commands"])
    good = sum(voice.success for voice in own)
    problem = " ".join(last["message"].split())[:120]
    done = "\n".join(commands) or (last["analysis"] or "")
    first = " ".join(done.split())[:80]
    why = (
        f"it was verified to solve the issue in {good} of {len(own)} tasks"
        if do
        else f"it was tried in {len(own)} tasks and solved the issue in {good or 'none'}"
    )
    return Draft(
        key=key,
        source=SOURCE,
        title=f"{problem}: {first}" if do else f"{problem}: {first} does not help",
        description=f"{why[0].upper()}{why[1:]}, when this was found."
        + (f" {last['analysis']}" if commands and last["analysis"] else ""),
        content=done,
        kind="error-recovery",
        polarity=polarity,
        why=why,
        voices=tuple(own) if do else others,
        ids=tuple(row["id"] for row in rows[-50:]),
        tags=tuple(dict.fromkeys(name for name in (last["type"],) if name)),
        rule={"issue": issue, "plan": plan, "polarity": polarity, "about": f"{issue} {plan}"},
    )
