"""What is known of a problem as a block of text that fits a prompt's budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from engrain.model.fix import Diagnosis, IssueInfo, KnownFix, Odds, TargetInfo

HEADER = "What is known of this problem:"
WORKED = "What worked (verified):"
FAILED = "What failed here; do not try it again:"
SAID = "What was said to work and never verified:"
_WHERE = {
    "issue": "for this issue",
    "target": "for this type of issue at this target",
    "type": "for this type of issue elsewhere",
    "similar": "for a similar issue",
}
_LONGEST = 240  # characters of a way, a title
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def told(found: Diagnosis, max_tokens: int, count: Callable[[str], int]) -> str:
    """The text; never above ``max_tokens``, "" when nothing is known. Lines go in by how much they matter: what worked,
    what failed, the issue, the target; what worked goes in without its reason where that is too long. ``count`` must
    add up over lines."""
    if found.info is None and found.target is None and not (found.fixes or found.avoid):
        return ""
    solved = [one for one in found.fixes if one.odds.solved]
    brief = {_way(one): _way(replace(one, analysis=None)) for one in solved if one.commands}
    parts = [
        (WORKED, [_way(one) for one in solved]),
        (FAILED, [_failed(one) for one in found.avoid]),
        (SAID, [_way(one) for one in found.fixes if not one.odds.solved]),
        ("", [*_issue(found.info), *_target(found.target)]),
    ]
    left = max_tokens - count(HEADER)
    kept: list[tuple[str, list[str]]] = []
    for head, lines in parts:
        some: list[str] = []
        for line in lines:
            for text in dict.fromkeys((line, brief.get(line, line))):
                cost = count(text) + (count(head) if head and not some else 0)
                if cost <= left:
                    some.append(text)
                    left -= cost
                    break
        kept.append((head, some))
    if not any(some for _, some in kept):
        return ""
    order = [kept[3], kept[0], kept[1], kept[2]]
    return "\n".join([HEADER, *(line for head, some in order if some for line in ([head] if head else []) + some)])


def _issue(info: IssueInfo | None) -> Iterator[str]:
    if info is None:
        yield "- This issue was not seen before."
        return
    yield f"- Issue {info.id} ({info.type}): {_cut(info.title)}"
    yield f"- Seen {_times(info.seen)}, last on {info.last_at.date().isoformat()}; {_rate(info.odds)}."
    for habit in info.habits:
        named = [f"{slot:02}:00" if habit.kind == "hour" else _DAYS[slot] for slot in habit.slots]
        yield f"- It comes {habit.ratio:.1f} times as often as usual at {', '.join(named)} (UTC)."


def _target(info: TargetInfo | None) -> Iterator[str]:
    if info is None:
        return
    usual = ", ".join(f"{kind} ({n})" for kind, n in list(info.issues.items())[:3])
    yield f"- Target {info.target}: {_rate(info.odds)}; its usual issues: {usual}."


def _way(one: KnownFix) -> str:
    odds = one.odds
    if odds.solved:
        sure = f"verified {odds.solved} of {odds.attempts}, odds {odds.value:.0%} ({odds.low:.0%} to {odds.high:.0%})"
    else:
        sure = f"claimed {_times(odds.claimed)}, failed {_times(odds.attempts)}"
    took = f", about {one.seconds:.0f} s" if one.seconds is not None else ""
    return f"- {_done(one)} [{_WHERE[one.level]}: {sure}{took}]"


def _failed(one: KnownFix) -> str:
    return f"- {_done(one)} [{_WHERE[one.level]}: failed {_times(one.odds.attempts - one.odds.solved)}]"


def _done(one: KnownFix) -> str:
    text = " ; ".join(" ".join(command.split()) for command in one.commands) or " ".join((one.analysis or "").split())
    why = " ".join((one.analysis or "").split()) if one.commands else ""
    return _cut(text) + (f" (because: {_cut(why)})" if why else "")


def _rate(odds: Odds) -> str:
    if not odds.attempts:
        return "no attempt with a known end yet"
    return f"{odds.solved} of {odds.attempts} attempts were verified to solve it"


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n:,} times"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
