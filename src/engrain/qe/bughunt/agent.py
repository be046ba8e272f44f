"""The agent: describes a task, recalls what it knows, asks for advice, does what it was advised, observes, remembers.

`python -c "from engrain.qe.bughunt.agent import main; main()"` is its process: the job comes as one line of JSON on
standard input, and each task is acknowledged by one line of JSON after all its writes have returned. It may be killed
at any moment; started again it reads from the store what is done and what lies on its desk.
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import dataclass, field
from typing import Any

import engrain
from engrain import Agent, Hit, Outcome
from engrain.qe.bughunt.sandbox import Worker
from engrain.qe.bughunt.strategies import STRATEGIES

NAME, TASK_TYPE = "qe-test-generator", "test-generation"
RECALLED, DEAD_ENDS = 12, 6  # memories asked for: what exposed a fault, what did not
NOTHING: dict[str, Any] = {"found": False, "own": False, "input": None, "symptom": None, "seconds": None}
KINDS = ("success_pattern", "error_pattern")

Task = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is about to be done about a task, and under which decision."""

    task: int
    decision: str
    strategy: str
    propensity: float
    first: list[str] = field(default_factory=list)  # what exposed faults of it or its like: tried first, encoded
    inputs: list[str] = field(default_factory=list)  # the same and those of its relatives, to be varied
    shown: list[str] = field(default_factory=list)  # the memories they came from


class Hunter:
    """One agent at work. Without `memory` it asks for the same advice, but neither recalls nor remembers."""

    def __init__(self, agent: Agent, worker: Worker, memory: bool = True) -> None:
        self.agent, self.worker, self.memory = agent, worker, memory
        self.desk = agent.kv("desk")

    def done(self) -> set[int]:
        """The tasks that were brought to an end, as the store knows it."""
        items = [item for kind in KINDS for item in self.agent.list(kind=kind, limit=10_000)]
        return {int(item.metadata["task"]) for item in items}

    def hunt(self, task: Task) -> dict[str, Any]:
        """One task from description to memory. Answers what may be acknowledged."""
        left: Any = self.desk.get("plan") if self.memory else None
        resumed = left is not None and left["task"] == task["id"]
        plan = Plan(**left) if resumed else self.plan(task)
        if self.memory and not resumed:
            self.desk.set("plan", {name: getattr(plan, name) for name in Plan.__slots__})
        job = {**task, "do": "hunt", "strategy": plan.strategy, "first": plan.first, "remembered": plan.inputs}
        ran = self.worker.run(job)
        done = ran[0] if ran else {**NOTHING, "found": None, "own": None, "symptom": "the sandbox had to be killed"}
        outcome = Outcome(
            success=done["own"],  # unknown when memory was quicker: the advised strategy had no turn
            evidence="executed",
            seconds=done["seconds"],
            error=None if done["found"] else done["symptom"] or "exposed nothing",
        )
        self.agent.observe(plan.decision, outcome)
        written = self.remember(task, plan, done) if self.memory else None
        return _acknowledgement(plan, written, bool(done["found"]), bool(done["own"]), resumed)

    def settled(self, done: set[int]) -> dict[str, Any] | None:
        """The acknowledgement of the task on the desk when it was brought to an end, but perhaps not yet told: the kill
        may fall between the last write and the line that acknowledges it. Whoever listens drops what it heard before.
        """
        left: Any = self.desk.get("plan") if self.memory else None
        if left is None or left["task"] not in done:
            return None
        plan = Plan(**left)
        item = next(item for kind in KINDS if (item := self.agent.lookup(kind, f"task-{plan.task}")))
        found = item.kind == KINDS[0]
        return _acknowledgement(plan, item.id, found, found and item.metadata["strategy"] == plan.strategy, True)

    def look(self, task: Task) -> tuple[dict[str, Any], list[str], list[Hit]]:
        """The description with what recall adds to it, the inputs to try first, and the memories behind them."""
        state = dict(task["state"])
        if not self.memory:
            return state, [], []
        good = self._recall(task, KINDS[0], RECALLED)
        state |= experience(task, good, self._recall(task, KINDS[1], DEAD_ENDS))
        good.sort(key=lambda hit: hit.item.metadata["function"] != task["label"])  # stable: its own come first
        alike = [hit.item.metadata["input"] for hit in good if hit.item.metadata["takes"] == state["takes"]]
        return state, list(dict.fromkeys(alike))[: task["budget"] // 4], good

    def plan(self, task: Task) -> Plan:
        """Describe, recall, take advice."""
        state, first, shown = self.look(task)
        advice = self.agent.advise(TASK_TYPE, state=state, options=list(STRATEGIES), episode=f"task-{task['id']}")
        if advice.action is None or advice.propensity is None:
            raise engrain.EngrainError("The advice abstained although options were offered; run `engrain doctor`.")
        inputs, ids = [hit.item.metadata["input"] for hit in shown], [hit.item.id for hit in shown]
        return Plan(task["id"], advice.decision_id, advice.action, advice.propensity, first, inputs, ids)

    def _recall(self, task: Task, kind: str, limit: int) -> list[Hit]:
        hits = self.agent.recall(task["words"], limit=limit, kinds=[kind])
        return [hit for hit in hits if not hit.item.redacted]  # an input with a hole in it is of no use

    def remember(self, task: Task, plan: Plan, done: dict[str, Any]) -> str:
        """Keep what exposed the fault, or that nothing did."""
        kept = {
            "task": task["id"],
            "function": task["label"],
            "strategy": plan.strategy,
            "takes": task["state"]["takes"],
        }
        if done["found"]:
            text = f"{task['words']}\nThe input {done['input']} exposed a fault: it {done['symptom']}."
            kind, importance, kept["input"] = KINDS[0], 6.0, done["input"]
            if not done["own"] and plan.shown:  # what was remembered did it
                self.agent.helpful(plan.shown[0])
            kept["strategy"] = plan.strategy if done["own"] else "remembered"
        else:
            text, kind, importance = (
                f"{task['words']}\nDead end: no {plan.strategy} input exposed a fault.",
                KINDS[1],
                3.0,
            )
        text += f" Task {task['id']}, strategy {kept['strategy']}."
        key = f"task-{task['id']}"
        return self.agent.remember(
            text, kind=kind, key=key, importance=importance, tags=[plan.strategy], metadata=kept
        ).id


def _acknowledgement(plan: Plan, memory: str | None, found: bool, own: bool, resumed: bool) -> dict[str, Any]:
    return {
        "task": plan.task,
        "decision": plan.decision,
        "memory": memory,
        "strategy": plan.strategy,
        "propensity": plan.propensity,
        "found": found,
        "own": own,
        "first": plan.first,
        "inputs": plan.inputs,
        "resumed": resumed,
    }


def experience(task: Task, good: list[Hit], dead: list[Hit]) -> dict[str, str | float]:
    """What recall adds to the description: which strategy worked on the like, and how much is remembered."""
    votes: dict[str, float] = {}
    for sign, hits in ((1.0, good), (-1.0, dead)):
        for hit in hits:
            same = hit.item.metadata["function"] == task["label"]
            name = str(hit.item.metadata["strategy"])
            votes[name] = votes.get(name, 0.0) + sign * (1.0 if same else 0.25) * hit.score
    best, score = max(votes.items(), key=lambda pair: pair[1], default=("nothing", 0.0))
    own = sum(hit.item.metadata["function"] == task["label"] for hit in good)
    return {"worked": best if score > 0 else "nothing", "remembered": own / (own + 2)}


def main() -> None:
    """The agent's process: work through the tasks that are not done yet."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-c is for the parent, which then ends this process
    job = json.loads(sys.stdin.readline())
    with engrain.open(job["home"]) as memory, Worker() as worker:
        hunter = Hunter(memory.agent(NAME), worker, job["memory"])
        done = hunter.done()
        if again := hunter.settled(done):
            print(json.dumps(again), flush=True)  # noqa: T201 - an acknowledgement, perhaps for the second time
        for task in job["tasks"]:
            if task["id"] not in done:
                print(json.dumps(hunter.hunt(task)), flush=True)  # noqa: T201 - the acknowledgement
