"""A report of a home's health, as Markdown and as one page of HTML, from its figures, roles and alerts. Names come from
agents, so every one is escaped for where it stands."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from engrain.lifecycle.charts import bars, legend, short
from engrain.model.run import Alert, RoleState

WEEK = 7  # days that the numbers are about; the charts show more
TOP = 10  # agents
FLOWS = ("expired", "archived", "promoted")
_MARKDOWN = re.compile(r"([\\`*_\[\]#!|~])")
STYLE = """
:root{color-scheme:light dark;--ink:#1d2330;--dim:#667085;--paper:#fff;--line:#e3e6ec;--card:#f6f7f9;
--s0:#3b6fd4;--s1:#d98a2b;--s2:#3a9b6b;--bad:#b3261e;--good:#2c7a4b}
@media (prefers-color-scheme:dark){:root{--ink:#e6e8ee;--dim:#98a2b3;--paper:#14171d;--line:#2b313c;--card:#1c2029;
--s0:#7ba4f4;--s1:#e8ab5f;--s2:#69c79a;--bad:#f2857d;--good:#7bcf9f}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:760px;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .5rem}.dim,small{color:var(--dim)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:.75rem;margin:1.25rem 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.6rem .8rem}
.tile b{display:block;font-size:1.4rem;font-variant-numeric:tabular-nums}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .75rem .3rem 0;
border-bottom:1px solid var(--line);overflow-wrap:break-word;vertical-align:top}
.agents td:first-child{overflow-wrap:anywhere}
th{font-weight:600;color:var(--dim)}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
svg{width:100%;height:auto}svg text{font-size:11px;fill:var(--dim)}.axis,.grid,.gap{stroke:var(--line)}
.gap{stroke:var(--dim);stroke-dasharray:2 2}.s0{fill:var(--s0)}.s1{fill:var(--s1)}.s2{fill:var(--s2)}
.key{margin-right:1rem;white-space:nowrap;color:var(--dim)}
.key i{display:inline-block;width:.7em;height:.7em;border-radius:2px;
margin-right:.4em}i.s0{background:var(--s0)}i.s1{background:var(--s1)}i.s2{background:var(--s2)}
.alert{border-left:4px solid var(--bad);background:var(--card);padding:.5rem .8rem;margin:.5rem 0;
overflow-wrap:anywhere}
.good{color:var(--good)}
"""


def plain_markdown(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    return _MARKDOWN.sub(r"\\\1", escape(" ".join(text.split()), quote=False))


class Health:
    """What both texts tell. ``moved`` are all transitions of the week by event."""

    def __init__(
        self,
        figures: Mapping[str, Any],
        moved: Mapping[str, int],
        roles: Sequence[RoleState],
        alerts: Sequence[Alert],
        score: int | None,
    ) -> None:
        self.series: list[dict[str, Any]] = figures["series"]
        self.week = self.series[-WEEK:]
        self.moved, self.roles, self.alerts, self.score = moved, roles, alerts, score
        self.end: Mapping[str, Any] = figures["totals"]
        self.period = f"{self.week[0]['day']}/{self.week[-1]['day']}" if self.week else "no day is over yet"
        self.agents = _largest(figures["agents"])
        known = [one["memories"] for one in self.series[-WEEK - 1 :] if one["memories"] is not None]
        self.growth = known[-1] - known[0] if len(known) > 1 else None
        used = [one["accesses"] for one in self.week if one["accesses"] is not None]
        self.accesses = sum(used) if used else None

    def tiles(self) -> list[tuple[str, str]]:
        """The week in a few numbers."""
        mean = self.end["importance"]
        return [
            ("memories", f"{self.end['memories']:,}"),
            ("growth", "not known" if self.growth is None else f"{self.growth:+,}"),
            ("accesses", "not known" if self.accesses is None else f"{self.accesses:,}"),
            ("mean importance", "–" if mean is None else f"{mean:.2f}"),
            ("bytes of content", short(self.end["bytes"])),
            ("background work", "not known" if self.score is None else f"{self.score} of 100"),
        ]

    def flow(self) -> list[tuple[str, int]]:
        """What became of memories in the week, commonest first."""
        return sorted(((name.partition(":")[2], n) for name, n in self.moved.items()), key=lambda one: (-one[1], one))

    def duties(self) -> list[tuple[str, str, str, str, str]]:
        """(role, state, last run, seconds, failures) of each role."""
        rows = []
        for role in self.roles:
            last = role.last
            when = f"{last.state} {last.started_at:%Y-%m-%d %H:%M}" if last else "never run"
            took = f"{last.seconds:.2f} s" if last and last.seconds is not None else ""
            rows.append((role.name, role.state, when, took, str(role.failures)))
        return rows

    def markdown(self) -> str:
        """The report as Markdown."""
        out = [f"# How the memory fared: {self.period.replace('/', ' to ')}", ""]
        out += [f"- **Alert**: {plain_markdown(_alert(one))}" for one in self.alerts] or ["No alert is open."]
        out += ["", "| " + " | ".join(name for name, _ in self.tiles()) + " |", "|" + "---|" * len(self.tiles())]
        out += ["| " + " | ".join(value for _, value in self.tiles()) + " |", "", "## Days", ""]
        out += ["| day | memories | accesses | " + " | ".join(FLOWS) + " |", "|---|" + "---:|" * (2 + len(FLOWS))]
        for one in self.week:
            numbers = [one["memories"], one["accesses"], *(one[name] for name in FLOWS)]
            cells = ["not measured" if number is None else f"{number:,}" for number in numbers]
            out.append(f"| {one['day']} | " + " | ".join(cells) + " |")
        out += ["", "## What became of memories", ""]
        out += [f"- {plain_markdown(name)}: {n:,}" for name, n in self.flow()] or ["Nothing changed its state."]
        out += ["", "## Largest agents", "", "| agent | memories | uses | bytes |", "|---|---:|---:|---:|"]
        out += [f"| {plain_markdown(name)} | {n:,} | {uses:,} | {size:,} |" for name, n, uses, size in self.agents]
        out += ["", "## Roles", "", "| role | state | last run | took | failures |", "|---|---|---|---:|---:|"]
        out += ["| " + " | ".join(map(plain_markdown, row)) + " |" for row in self.duties()]
        return "\n".join(out) + "\n"

    def html(self) -> str:
        """The report as one page that needs nothing else."""
        days = [one["day"] for one in self.series]
        alerts = "".join(f'<p class="alert">{escape(_alert(one))}</p>' for one in self.alerts)
        tiles = "".join(f'<div class="tile"><small>{name}</small><b>{value}</b></div>' for name, value in self.tiles())
        rest = [max(0, one["archived"] - one["expired"]) for one in self.series]  # the expired are archived as well
        flows = [
            ("expired", [one["expired"] for one in self.series]),
            ("archived otherwise", rest),
            ("promoted", [one["promoted"] for one in self.series]),
        ]
        charts = [
            ("Memories", bars("memories by day", days, [("memories", [one["memories"] for one in self.series])]), ""),
            ("Accesses", bars("accesses by day", days, [("accesses", [one["accesses"] for one in self.series])]), ""),
            (
                "Expired, archived, promoted",
                bars("changes of state by day", days, flows),
                legend([name for name, _ in flows]),
            ),
        ]
        drawn = "".join(f"<h2>{name}</h2>{chart}{told}" for name, chart, told in charts)
        flow = "".join(_row((name, f"{n:,}"), 1) for name, n in self.flow()) or _row(("nothing changed its state",), 9)
        agents = "".join(_row((name, f"{n:,}", f"{u:,}", f"{b:,}"), 1) for name, n, u, b in self.agents)
        roles = "".join(_row(row, 3) for row in self.duties())
        heads = (_row(("agent", "memories", "uses", "bytes"), 1, "th"),
                 _row(("role", "state", "last run", "took", "failures"), 3, "th"))  # fmt: skip
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><title>How the memory fared</title>'
            f"<style>{STYLE}</style></head><body><h1>How the memory fared</h1>"
            f'<p class="dim">{escape(self.period.replace("/", " to "))}, days in UTC. Dotted: not measured.</p>'
            f'{alerts or "<p class=good>No alert is open.</p>"}<div class="tiles">{tiles}</div>{drawn}'
            f"<h2>What became of memories</h2><table>{flow}</table>"
            f"<h2>Largest agents</h2><table class=agents>{heads[0]}{agents}</table>"
            f"<h2>Roles</h2><table>{heads[1]}{roles}</table>"
            "</body></html>\n"
        )


def _alert(one: Alert) -> str:
    return f"{one.name}: {one.subject} {one.detail}, since {one.at:%Y-%m-%d %H:%M} UTC"


def _row(cells: Sequence[str], numbers: int, tag: str = "td") -> str:
    """A row of a table; from cell ``numbers`` on they are aligned right."""
    marks = ["" if place < numbers else ' class="n"' for place in range(len(cells))]
    return "<tr>" + "".join(f"<{tag}{m}>{escape(c)}</{tag}>" for m, c in zip(marks, cells, strict=True)) + "</tr>"


def _largest(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, int, int, int]]:
    """(tenant/agent, memories, uses, bytes) of those that have most."""
    found: dict[str, list[int]] = {}
    for row in rows:
        sums = found.setdefault(f"{row['tenant']}/{row['agent']}", [0, 0, 0])
        for place, name in enumerate(("memories", "uses", "bytes")):
            sums[place] += row[name]
    ranked = sorted(found.items(), key=lambda one: (-one[1][0], one[0]))
    return [(name, n, uses, size) for name, (n, uses, size) in ranked[:TOP]]
