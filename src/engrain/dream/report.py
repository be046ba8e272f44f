"""The report of a dream, as Markdown and as one page of HTML: what changed, by how much, how sure that is, and what was
refused and why. Names come from agents, so every one is escaped for where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from engrain.dream.pictures import before_after, calibrated, over_time
from engrain.lifecycle.charts import legend
from engrain.lifecycle.report import STYLE, plain_markdown
from engrain.model.policy import Dream, DreamReport
from engrain.model.report import counted
from engrain.world import from_micros

DRAWN = 30  # findings with pictures; the others are told in the table
_ORDER = ("promoted", "retired", "shadow", "failed", "refused", "unchanged", "skipped")
_SAYS = {
    "promoted": "version {version} advises from now on",
    "shadow": "version {version} passed and is in its shadow period",
    "retired": "version {version} did not stand its shadow period",
    "refused": "nothing changed: the best candidate was refused",
    "unchanged": "nothing changed: what is live is still the best",
    "skipped": "nothing was learned yet",
    "failed": "it could not be worked on",
}
_WHY = {
    "time": "it was time",
    "outcomes": "many outcomes had come in",
    "gate": "a quality gate had failed",
    "asked": "somebody asked for it",
}
_HALVES = (
    "What half of the outcomes lets expect, beside what came in the other half. On the dotted line they are equal."
)
_MORE = """
.l0,.l1,.p0,.p1{fill:none;stroke-width:2.5}.l0,.p0{stroke:var(--s0)}.l1,.p1{stroke:var(--s1)}
.l0,.l1{stroke-opacity:.55;stroke-width:4;stroke-linecap:round}.p0,.p1{stroke-width:1.6}
section{border-top:1px solid var(--line);margin-top:2rem;padding-top:.25rem}section h3{font-size:.95rem;margin:1rem 0 0}
.tag{font-size:.8rem;font-weight:600;border:1px solid var(--line);border-radius:99px;padding:.1rem .6rem;
margin-left:.5rem;white-space:nowrap}.promoted{color:var(--good)}.failed,.retired{color:var(--bad)}
h2{overflow-wrap:anywhere}
"""


def report(dream: Dream, now: int) -> DreamReport:
    """For people. ``now`` (µs UTC) stands for the end of a dream that has none yet."""
    told = _Told(dream)
    return DreamReport(dream.id, dream.ended_at or from_micros(now), dream.state, told.markdown(), told.html())


class _Told:
    """What both texts tell."""

    def __init__(self, dream: Dream) -> None:
        self.dream = dream
        findings: Sequence[Mapping[str, Any]] = dream.findings.get("findings", [])
        self.findings = sorted(findings, key=lambda one: _ORDER.index(one["outcome"]))  # stable: by name within
        self.count = {name: int(dream.findings.get(name, 0)) for name in ("tasks", *_ORDER)}
        self.hidden = self.count["tasks"] - len(self.findings)

    def headline(self) -> str:
        """The whole of it in a sentence."""
        if not self.count["tasks"]:
            return "There was nothing to learn: no outcome has come in since the last dream."
        parts = [f"{n} {name}" for name in _ORDER if (n := self.count[name])]
        return f"Of {counted(self.count['tasks'], 'policy', 'policies')} that might change: {', '.join(parts)}."

    def state(self) -> str:
        one = self.dream
        when = f"{one.ended_at:%Y-%m-%d %H:%M} UTC" if one.ended_at else "not over yet"
        steps = f"{one.steps:,} of {counted(one.budget, 'step')}"
        return f"{one.state}, {when}; {_WHY.get(one.reason, one.reason)}; {steps}; seed {one.seed}"

    def tiles(self) -> list[tuple[str, str]]:
        rows = sum(one.get("rows", 0) for one in self.findings if one["agent"] is None)
        return [
            ("promoted", f"{self.count['promoted']:,}"),
            ("refused", f"{self.count['refused']:,}"),
            ("no change", f"{self.count['unchanged'] + self.count['skipped']:,}"),
            ("outcomes looked at", f"{rows:,}"),
            ("steps", f"{self.dream.steps:,}"),
        ]

    def markdown(self) -> str:
        """The report as Markdown."""
        out = [f"# Dream {plain_markdown(self.dream.id or '(dry run)')}", "", self.headline(), "", f"{self.state()}."]
        if self.dream.error:
            out += ["", f"**{self.dream.state}**: {plain_markdown(self.dream.error)}"]
        for one in self.findings:
            out += ["", f"## {plain_markdown(_name(one))}: {one['outcome']}", ""]
            out += [f"{says(one)}. {plain_markdown(_sentence(one['reason']))}", ""]
            out += [f"- {plain_markdown(text)}" for text in facts(one)]
            if one.get("candidates"):
                out += ["", "| candidate | value | at least | at most | verdict |", "|---|---:|---:|---:|---|"]
                out += ["| " + " | ".join(map(plain_markdown, row)) + " |" for row in candidates(one)]
        if self.hidden > 0:
            out += ["", f"{self.hidden:,} more are only counted."]
        return "\n".join(out) + "\n"

    def html(self) -> str:
        """The report as a page that needs nothing else."""
        tiles = "".join(f'<div class="tile"><b>{value}</b>{name}</div>' for name, value in self.tiles())
        error = f'<p class="alert">{escape(self.dream.error)}</p>' if self.dream.error else ""
        parts = "".join(_section(one, drawn=place < DRAWN) for place, one in enumerate(self.findings))
        hidden = f'<p class="dim">{self.hidden:,} more are only counted.</p>' if self.hidden > 0 else ""
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><title>What was learned</title>'
            f"<style>{STYLE}{_MORE}</style></head><body><h1>What was learned</h1>"
            f'<p class="dim">{escape(self.state())}</p><p>{escape(self.headline())}</p>{error}'
            f'<div class="tiles">{tiles}</div>{parts}{hidden}</body></html>\n'
        )


def says(one: Mapping[str, Any]) -> str:
    """What became of it."""
    text = _SAYS[one["outcome"]].format(version=one.get("version", "?"))
    return text[0].upper() + text[1:]


def facts(one: Mapping[str, Any]) -> list[str]:
    """What a finding rests on, one line each."""
    told = [f"Before that: {one['fell']}."] if one.get("fell") else []
    before, after = one.get("before"), one.get("after")
    if one["outcome"] == "unchanged":  # the candidate does the same: what it was judged by says nothing of a change
        unit = "an episode" if one.get("unit") == "episode" else "a decision"
        told += [f"What is live: {_estimate(before)} (reward {unit})."] if before else []
    elif before and after:
        whose = f"version {one['live']}" if one["live"] else "the online learner"
        unit = f"reward {'an episode' if one.get('unit') == 'episode' else 'a decision'}"
        told.append(f"Before ({whose}): {_estimate(before)}; after: {_estimate(after)} ({unit}).")
        if before["value"] is not None and after["value"] is not None:
            least = "" if after["low"] is None else f", at least {after['low'] - before['value']:+.3f}"
            sure = f" ({100 * after['confidence']:.4g} % sure)" if least else ""
            told.append(f"Change: {after['value'] - before['value']:+.3f}{least}{sure}.")
        judged = counted(after["n"], "episode" if one.get("unit") == "episode" else "outcome")
        told.append(f"Judged by {judged}, worth {after['effective']:,.0f} for what it would do.")
    if one.get("algorithm"):
        told.append(f"Made by {one['algorithm']}, discount {one['discount']:g}.")
    if "rows" in one:
        span = f", from {one['from'][:10]} to {one['to'][:10]}" if one.get("from") else ""
        decisive = f"; {one['decisive']:,} of them count for the gate" if "decisive" in one else ""
        told.append(f"{counted(one['rows'], 'outcome')} of {counted(one['lineages'], 'source')}{span}{decisive}.")
    return told


def candidates(one: Mapping[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """(name, value, low, high, verdict) of each that was judged."""
    return [
        (each["name"], _number(each["value"]), _number(each["low"]), _number(each["high"]),
         _same(one) if one["outcome"] == "unchanged" and each["name"] == one["algorithm"]
         else "passed" if each["passed"] else _sentence(each["reason"]))
        for each in one.get("candidates", [])
    ]  # fmt: skip


def _same(one: Mapping[str, Any]) -> str:
    return f"does the same as version {one['live']}, which is live"


def _section(one: Mapping[str, Any], drawn: bool) -> str:
    tag = f'<span class="tag {one["outcome"]}">{one["outcome"]}</span>'
    out = [f"<section><h2>{escape(_name(one))}{tag}</h2>"]
    out.append(f"<p><b>{escape(says(one))}.</b> {escape(_sentence(one['reason']))}</p>")
    figures = one.get("figures") or {}
    if drawn and one.get("before") and one.get("after") and one["outcome"] != "unchanged":
        chart = before_after("value before and after", [("before", one["before"]), ("candidate", one["after"])])
        out.append(f"<h3>Value before and after, with intervals</h3>{chart}" if chart else "")
    if drawn and (chart := calibrated("expected and observed reward", figures.get("calibration", []))):
        out.append(f'<h3>Expected and observed reward</h3>{chart}<p class="dim">{_HALVES}</p>')
    if drawn and (chart := over_time("mean reward by day", figures.get("time", []))):
        ruled = any(day["policy_n"] for day in figures["time"])
        keys = legend(["all decisions", "decided by a policy"]) if ruled else ""
        out.append(f"<h3>Mean reward by day</h3>{chart}{keys}")
    out.append("<ul>" + "".join(f"<li>{escape(text)}</li>" for text in facts(one)) + "</ul>")
    if one.get("candidates"):
        numbers = "".join(f'<th class="n">{name}</th>' for name in ("value", "at least", "at most"))
        head = f"<tr><th>candidate</th>{numbers}<th>verdict</th></tr>"
        out.append(f"<table>{head}" + "".join(_row(row) for row in candidates(one)) + "</table>")
    return "".join(out) + "</section>"


def _row(cells: Sequence[str]) -> str:
    marks = ("", ' class="n"', ' class="n"', ' class="n"', "")
    return "<tr>" + "".join(f"<td{m}>{escape(c)}</td>" for m, c in zip(marks, cells, strict=True)) + "</tr>"


def _name(one: Mapping[str, Any]) -> str:
    whose = f", agent {one['agent']}" if one["agent"] else ""
    tenant = "" if one["tenant"] == "default" else f" (tenant {one['tenant']})"
    return f"{one['task_type']}{whose}{tenant}"


def _estimate(one: Mapping[str, Any]) -> str:
    if one["value"] is None:
        return f"not known ({str(one['refused'] or one['method']).rstrip('.')})"
    return f"{one['value']:.3f}" + ("" if one["low"] is None else f" ({one['low']:.3f} to {one['high']:.3f})")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _sentence(text: str) -> str:
    """A reason as a sentence."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".") if text else ""
