"""What a visitor sees: progress, the table, the curve, the advice, three recalls, the canary, and where to go next."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

import engrain
from engrain.model.explain import explain
from engrain.qe.bughunt import agent, describe, picture
from engrain.qe.bughunt.run import Result, Step
from engrain.qe.bughunt.sandbox import Worker
from engrain.qe.bughunt.strategies import STRATEGIES

STAGES = {
    "survey": "looking for pure functions in the standard library",
    "faults": "breaking them, one fault each",
    "agent": "the agent hunts, learns, is killed half-way, goes on",
    "oracle": "every strategy on every fault, to compare",
    "without": "the same agent without memory",
}
MARKS = {"oracle": "·", "random": "-", "best fixed": "=", "without": "o", "engrain": "█"}
STYLES = {"oracle": "dim", "random": "blue", "best fixed": "yellow", "without": "green", "engrain": "bold red"}
QUESTIONS = (  # the three that find most are shown
    "quotes and escapes in text that is parsed",
    "years, months and leap days",
    "the middle value of a list of numbers",
    "converting colours from one space to another",
    "white space and indentation at the start of lines",
    "parts of a web address",
    "encoding bytes as plain text",
    "searching in a sorted list",
)


@contextmanager
def progress(console: Console) -> Iterator[Step]:
    """A bar for each stage, as it begins."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        known: dict[str, TaskID] = {}

        def step(stage: str, done: int, of: int) -> None:
            if stage not in known:
                known[stage] = bars.add_task(STAGES[stage], total=of)
            bars.update(known[stage], completed=done, total=of)

        yield step


def table(result: Result) -> Table:
    """Kill rates over the whole run and its last third, against random choice."""
    whole, last = list(result.rates().items()), list(result.rates(result.last_third).items())
    title = f"Share of faults found: {len(result.tasks)} tasks, {result.functions} functions, seed {result.seed}"
    note = (
        f"Each hunt has {result.tasks[0]['budget']} inputs. A fault that one ordinary call shows was not set. Fixed "
        "and random choice have no memory, but the strategy 'remembered' is always given what engrain recalled."
    )
    shown = Table(title=title, caption=note)
    for heading in ("", "whole run", "last third", "vs random"):
        shown.add_column(heading, justify="right" if heading else "left")
    for (before, all_of_it), (late, rate) in zip(whole, last, strict=True):
        name = late if late == before else f"{before.rstrip(')')}, last third {late.partition('(')[2]}"
        name = name.replace("best fixed strategy", "best fixed, in hindsight")
        gain = f"{rate / last[0][1] - 1:+.0%}" if last[0][1] else "–"
        shown.add_row(name, f"{all_of_it:.3f}", f"{rate:.3f}", gain, style="bold" if name == "engrain" else "")
    return shown


def curve(result: Result, width: int = 72, height: int = 14) -> Text:
    """The learning curve in characters."""
    window = max(5, len(result.tasks) // 8)
    lines = picture.curves(result, window)
    values = [value for line in lines.values() for value in line]
    low, high = min(values), max(values)
    cells: list[list[tuple[str, str]]] = [[(" ", "")] * width for _ in range(height)]
    for name, line in lines.items():
        for column in range(width):
            value = line[column * (len(line) - 1) // max(width - 1, 1)]
            row = round((high - value) / max(high - low, 1e-9) * (height - 1))
            cells[row][column] = (MARKS[name], STYLES[name])
    text = Text(f"Share of faults found, mean of the last {window} tasks\n", "bold")
    for number, marks in enumerate(cells):
        text.append(f"{high - (high - low) * number / (height - 1):5.2f} ┤", "dim")
        for mark, style in marks:
            text.append(mark, style)
        text.append("\n")
    ends = f"task {window}".ljust(width - 8) + f"task {len(result.tasks)}".rjust(8)
    text.append(f"      └{'─' * width}\n       {ends}\n       ", "dim")
    for name, mark in MARKS.items():
        text.append(f"{mark} {name}   ", STYLES[name])
    return text


def advice(hunter: agent.Hunter, result: Result) -> list[dict[str, Any]]:
    """The best advice for each kind of function, asked about the function of that kind that came up most."""
    found = []
    for kind in sorted({describe.kind(task["state"]) for task in result.tasks}):
        tasks = [task for task in result.tasks if describe.kind(task["state"]) == kind]
        labels = [task["label"] for task in tasks]
        task = next(each for each in reversed(tasks) if each["label"] == max(labels, key=labels.count))
        state, ask = hunter.look(task)[0], hunter.agent.advise
        chances = ask(agent.TASK_TYPE, state=state, options=list(STRATEGIES), episode="report").distribution
        best = max(chances, key=lambda name: chances[name])
        given = ask(agent.TASK_TYPE, state=state, options=[best], episode="report")
        rests = [f"{each.level} {each.visits:.1f} × {each.mean:+.2f}" for each in given.evidence]
        found.append(
            {
                "kind": kind,
                "example": task["label"],
                "advice": best,
                "value": given.value,
                "low": given.low,
                "high": given.high,
                "visits": given.visits,
                "evidence": rests,
            }
        )
    return found


def _advice_table(rows: list[dict[str, Any]]) -> Table:
    shown = Table(title="Best advice by kind of function, for what memory does not find (reward -2 … 2)")
    for heading in ("kind", "advice", "value", "90 %", "visits", "outcomes × mean"):
        shown.add_column(heading, no_wrap=heading != "kind")
    for row in rows:
        interval = f"{row['low']:+.1f} … {row['high']:+.1f}"
        cells = (row["kind"], row["advice"], f"{row['value']:+.2f}", interval, str(row["visits"]))
        shown.add_row(*cells, "\n".join(row["evidence"]))
    return shown


def recalls(hunter: agent.Hunter) -> list[dict[str, Any]]:
    """Three questions in plain words, the best answer to each, and why it is the best."""
    answers: list[dict[str, Any]] = []
    for question in QUESTIONS:
        hits = hunter.agent.recall(question, limit=1, kinds=[agent.KINDS[0]])
        best = {"answer": hits[0].item.content, "score": hits[0].score, "why": explain(hits[0])[:3]} if hits else {}
        answers.append({"question": question, **best})
    return sorted(answers, key=lambda each: each.get("score", 0.0), reverse=True)[:3]


def inspect(result: Result, home: Path) -> dict[str, Any]:
    """Everything that the report says, as plain values; the store is opened anew for it."""
    with engrain.open(home) as memory, Worker() as worker:
        hunter = agent.Hunter(memory.agent(agent.NAME), worker)
        checks = [each for each in memory.doctor(canary=True).checks if each.name.startswith("canary")]
        return {
            "seed": result.seed,
            "tasks": len(result.tasks),
            "functions": result.functions,
            "whole_run": result.rates(),
            "last_third": result.rates(result.last_third),
            "kill": {
                "after": result.killed_after,
                "acknowledged": len(result.acknowledged),
                "resumed": result.resumed,
                "missing": result.missing,
                "doubled": result.doubled,
            },
            "differing": result.differing,
            "advice": advice(hunter, result),
            "recalls": recalls(hunter),
            "canary": [{"name": each.name, "ok": each.ok, "detail": each.detail} for each in checks],
        }


def show(console: Console, result: Result, facts: dict[str, Any], home: Path, drawn: Path) -> None:
    """Print the report."""
    kill = facts["kill"]
    good = kill["missing"] == kill["doubled"] == 0
    console.print(table(result))
    console.print(curve(result))
    desk = " with the task left on the desk" if kill["resumed"] else ""
    verdict = f"[{'green' if good else 'bold red'}]{kill['missing']} are missing and {kill['doubled']} doubled[/]"
    console.print(f"\n[bold]The kill.[/] SIGKILL after task {kill['after']}; a new process went on{desk}.")
    console.print(f"Of {kill['acknowledged']} acknowledged tasks {verdict}.")
    console.print(_advice_table(facts["advice"]))
    for each in facts["recalls"]:
        console.print(f"\n[bold]Recall:[/] {each['question']}?")
        if "answer" not in each:
            console.print("  nothing is remembered about that")
            continue
        console.print(Text("  " + each["answer"].replace("\n", "\n  ")))
        console.print(f"  [dim]score {each['score']:.2f} because: {'; '.join(each['why'])}[/]")
    console.print()
    for each in facts["canary"]:
        console.print(
            f"[{'green' if each['ok'] else 'bold red'}]{'✓' if each['ok'] else '✗'}[/] {each['name']}: {each['detail']}"
        )
    place = shlex.quote(str(home))
    console.print(f"\n[bold]The picture:[/] {drawn}\n[bold]Look around:[/]")
    program = "engrain" if shutil.which("engrain") else shlex.quote(sys.argv[0])
    asked = shlex.quote(facts["recalls"][0]["question"])
    for command in ("stats", f"recall {asked} --agent {agent.NAME}", "doctor --canary"):
        console.print(f"  {program} {command} --home {place}", highlight=False, soft_wrap=True)
