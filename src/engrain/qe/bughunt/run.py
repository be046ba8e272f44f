"""The experiment: real functions, real faults, an agent that learns, and everything that it is compared with."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

import engrain
from engrain.qe.bughunt import agent, corpus
from engrain.qe.bughunt.sandbox import Worker
from engrain.qe.bughunt.strategies import STRATEGIES

FUNCTIONS, FAULTS_EACH, BUDGET = 76, 40, 20  # functions drawn; some hold no fault worth a hunt
SURVEY_SECONDS = 30.0
KILL_DELAY = 0.02  # after an acknowledgement, so that the next task is under way
Functions = list[dict[str, Any]]
Ack = dict[str, Any]
Step = Callable[[str, int, int], None]  # (stage, done, of)


def survey(step: Step) -> Functions:
    """The corpus: every module looked at by one of two sandboxes, every find confirmed by the other.

    The two have different hash seeds, so that what depends on the order of a set gives itself away.
    """
    names = list(corpus.modules())
    found: tuple[Functions, Functions] = ([], [])
    count, lock = [0], threading.Lock()
    with Worker(1, SURVEY_SECONDS) as first, Worker(2, SURVEY_SECONDS) as second:
        pair = (first, second)

        def look(side: int) -> None:
            while True:
                with lock:
                    at, count[0] = count[0], count[0] + 1
                if at >= len(names):
                    return
                step("survey", at + 1, len(names))
                for answer in pair[side].run({"do": "survey", "module": names[at]}) or []:
                    found[side].extend(answer["found"])

        def confirm(side: int) -> Functions:
            answers = ((each, pair[1 - side].run({**each, "do": "fingerprint"})) for each in found[side])
            return [each for each, said in answers if said and said[0].get("fingerprint") == each["fingerprint"]]

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(look, (0, 1)))
            confirmed = list(threads.map(confirm, (0, 1)))
    return sorted(confirmed[0] + confirmed[1], key=lambda each: (each["module"], each["name"]))


def assign(functions: Functions, seed: int, count: int, step: Step) -> list[agent.Task]:
    """The tasks: one function, one fault each, in a random order that the seed fixes.

    A fault that the first ordinary call shows would not have left its author's desk and is not set.
    """
    rng = Random(f"tasks {seed}")  # noqa: S311 - reproducible on purpose
    chosen = rng.sample(functions, min(FUNCTIONS, len(functions)))
    pool = [
        (each, fault) for each in chosen for fault in rng.sample(each["faults"], min(FAULTS_EACH, len(each["faults"])))
    ]
    tasks: list[agent.Task] = []
    with Worker(1) as first, Worker(2) as second, ThreadPoolExecutor(2) as threads:
        candidates = iter(rng.sample(pool, len(pool)))
        while len(tasks) < count and (batch := [pair for pair, _ in zip(candidates, range(64), strict=False)]):
            halves = [(first, batch[:32]), (second, batch[32:])]
            for function, fault in [
                each for half in threads.map(lambda half: list(_unseen(*half)), halves) for each in half
            ]:
                tasks.append(_task(function, fault, seed, len(tasks)))
            step("faults", min(len(tasks), count), count)
    return tasks[:count]


def _unseen(
    worker: Worker, pairs: list[tuple[dict[str, Any], list[Any]]]
) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    for function, fault in pairs:
        answer = worker.run({**function, "do": "smoke", "fault": fault})
        if answer and not answer[0]["seen"]:
            yield function, fault


def _task(function: dict[str, Any], fault: list[Any], seed: int, number: int) -> agent.Task:
    kept = {name: function[name] for name in ("module", "name", "parameters", "state", "words")}
    label = f"{function['module']}.{function['name']}"
    return {**kept, "id": number, "label": label, "fault": fault, "seed": f"{seed} {number}", "budget": BUDGET}


@dataclass
class Life:
    """One agent's run: what it acknowledged, and what the kill did."""

    home: Path
    acknowledged: list[Ack] = field(default_factory=list)
    killed_after: int | None = None
    journal: threading.Condition = field(default_factory=threading.Condition)

    def live(self, tasks: list[agent.Task], memory: bool, kill_at: int | None, step: Step) -> None:
        """Run the agent's process; SIGKILL it in the middle of its work after `kill_at` tasks and start a new one."""
        code = [sys.executable, "-c", "from engrain.qe.bughunt.agent import main; main()"]
        pipe = subprocess.PIPE
        process = subprocess.Popen(code, stdin=pipe, stdout=pipe, text=True)  # noqa: S603 - our own interpreter
        source, sink = process.stdout, process.stdin
        if source is None or sink is None:  # both are pipes, as asked for
            raise engrain.EngrainError("The agent's process has no pipes.")
        try:
            sink.write(json.dumps({"home": str(self.home), "memory": memory, "tasks": tasks}) + "\n")
            sink.flush()
            for line in source:
                if not line.endswith("\n"):  # cut off by the kill: it was never acknowledged
                    break
                told = json.loads(line)
                with self.journal:
                    if any(
                        (told["task"], told["decision"]) == (ack["task"], ack["decision"]) for ack in self.acknowledged
                    ):
                        continue  # told again by the process that came after the kill
                    self.acknowledged.append(told)
                    self.journal.notify_all()
                step("agent" if memory else "without", len(self.acknowledged), len(tasks))
                if len(self.acknowledged) == kill_at:
                    time.sleep(KILL_DELAY)
                    process.kill()
            ended = process.wait()
        finally:
            process.kill()
            process.wait()
            source.close()
            sink.close()
        if kill_at is not None and len(self.acknowledged) >= kill_at:
            self.killed_after = len(self.acknowledged)
            self.live(tasks, memory, None, step)
        elif ended != 0:
            raise engrain.EngrainError(f"The agent's process ended with {ended}; its message is above.")

    def wait_for(self, number: int, stop: threading.Event) -> Ack:
        """The acknowledgement of a task, as soon as it is there."""
        with self.journal:
            while True:
                for each in reversed(self.acknowledged):
                    if each["task"] == number:
                        return each
                if stop.is_set():
                    raise engrain.EngrainError(f"Task {number} was never acknowledged.")
                self.journal.wait(0.2)


def every_strategy(tasks: list[agent.Task], life: Life, stop: threading.Event, step: Step) -> list[dict[str, bool]]:
    """What each strategy finds on each task, with the same random streams, and with what the agent had recalled."""
    table: list[dict[str, bool]] = []
    with Worker() as worker:
        for task in tasks:
            inputs = life.wait_for(task["id"], stop)["inputs"]
            jobs = [{**task, "do": "hunt", "strategy": name, "first": [], "remembered": inputs} for name in STRATEGIES]
            together = worker.run(*jobs)
            each = together or [answer[0] if (answer := worker.run(job)) else {"found": False} for job in jobs]
            table.append({name: bool(one["found"]) for name, one in zip(STRATEGIES, each, strict=True)})
            step("oracle", len(table), len(tasks))
    return table


@dataclass(frozen=True, slots=True)
class Result:
    """What the experiment found; every figure of the report comes from here."""

    seed: int
    functions: int
    tasks: list[agent.Task]
    acknowledged: list[dict[str, Any]]  # the agent with memory, in order
    without: list[dict[str, Any]]  # the agent without, in order
    table: list[dict[str, bool]]  # task -> strategy -> found
    killed_after: int
    resumed: int
    missing: int
    doubled: int
    differing: int  # tasks on which the agent's own run and the comparison disagree

    def rates(self, begin: int = 0) -> dict[str, float]:
        """Kill rates from the `begin`-th task on. `best fixed` is chosen with hindsight, for this very stretch."""
        rows = self.table[begin:]
        fixed = {name: fmean(row[name] for row in rows) for name in STRATEGIES}
        best = max(fixed, key=lambda name: fixed[name])
        return {
            "random choice": fmean(fixed.values()),
            f"best fixed strategy ({best})": fixed[best],
            "engrain without memory": fmean(each["found"] for each in self.without[begin:]),
            "engrain": fmean(each["found"] for each in self.acknowledged[begin:]),
            "oracle (all strategies)": fmean(any(row.values()) for row in rows),
        }

    @property
    def last_third(self) -> int:
        return len(self.tasks) * 2 // 3


def verify(home: Path, life: Life) -> tuple[int, int]:
    """How much of what was acknowledged is missing in the store, and how much is there more than once."""
    with engrain.open(home) as memory:
        hunter = memory.agent(agent.NAME)
        items = [item for kind in agent.KINDS for item in hunter.list(kind=kind, limit=10_000)]
        experiences = hunter.experiences(agent.TASK_TYPE, limit=10_000)
    memories, decisions = {item.id for item in items}, {each.decision_id for each in experiences}
    missing = sum(each["memory"] not in memories or each["decision"] not in decisions for each in life.acknowledged)
    doubled = len(items) - len({item.metadata["task"] for item in items})
    doubled += len(experiences) - len({each.episode for each in experiences})
    doubled += len(life.acknowledged) - len({each["task"] for each in life.acknowledged})
    return missing, doubled


def experiment(functions: Functions, home: Path, seed: int, count: int, step: Step) -> Result:
    """Let the agent live through the tasks, kill it half-way, and run everything that it is compared with."""
    tasks = assign(functions, seed, count, step)
    life, stop = Life(home), threading.Event()
    with ThreadPoolExecutor(1) as threads, tempfile.TemporaryDirectory() as elsewhere:
        table = threads.submit(every_strategy, tasks, life, stop, step)
        try:
            life.live(tasks, True, len(tasks) // 2, step)
            plain = Life(Path(elsewhere))
            plain.live(tasks, False, None, step)
        finally:
            stop.set()
        rows = table.result()
    missing, doubled = verify(home, life)
    own = sorted(life.acknowledged, key=lambda each: int(each["task"]))
    return Result(
        seed=seed,
        functions=len({task["label"] for task in tasks}),
        tasks=tasks,
        acknowledged=own,
        without=plain.acknowledged,
        table=rows,
        killed_after=life.killed_after or 0,
        resumed=sum(each["resumed"] for each in own),
        missing=missing,
        doubled=doubled,
        differing=sum(rows[each["task"]][each["strategy"]] != each["found"] for each in own if not each["first"]),
    )
