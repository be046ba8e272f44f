"""What one of many processes does on a shared home, and how it keeps account of it.

A line of the journal is written and synced after the call that it tells of has returned: whatever is in a journal was
acknowledged. The process may be killed at any moment.
"""

from __future__ import annotations

import os
import random
import time
import traceback
from pathlib import Path
from typing import Any

import engrain
from engrain import Agent, Memory, Outcome

WORDS = ("upload", "retry", "cache", "token", "schema", "index", "replay", "socket", "worker", "lease", "vector")


class Journal:
    """An append-only file of what was acknowledged."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def note(self, *parts: str) -> None:
        os.write(self._file, (" ".join(parts) + "\n").encode())
        os.fsync(self._file)


class Mill:
    """One process's work: a random verb at a time, each checked against what this process knows to be true."""

    def __init__(self, memory: Memory, name: str, journal: Journal) -> None:
        self.memory = memory
        self.rng = random.Random(f"{name}{os.getpid()}")
        self.name = f"{name}-{os.getpid()}"
        self.agent: Agent = memory.agent(f"agent{self.rng.randrange(3)}")
        self.journal = journal
        self.count = 0
        self.mine: list[str] = []

    def content(self) -> str:
        self.count += 1
        return f"token{self.name}n{self.count} " + " ".join(self.rng.choices(WORDS, k=6))

    def step(self) -> None:
        self.rng.choice([self.remember, self.remember, self.many, self.upsert, self.recall, self.read, self.forget,
                         self.learn, self.values, self.revise])()  # fmt: skip

    def remember(self) -> None:
        visibility = self.rng.choice(["private", "public"])
        item = self.agent.remember(self.content(), kind="event", visibility=visibility)
        self.journal.note("item", item.id, self.agent.scope.agent, item.content)
        self.mine.append(item.id)

    def many(self) -> None:
        rows = [{"content": self.content(), "kind": "event"} for _ in range(5)]
        items = self.agent.remember_many(rows)
        for item, row in zip(items, rows, strict=True):
            assert item.content == row["content"]
            self.journal.note("item", item.id, self.agent.scope.agent, item.content)
            self.mine.append(item.id)

    def upsert(self) -> None:
        key = f"key{self.rng.randrange(3)}"
        item = self.agent.remember(self.content(), kind="fact", key=key)
        self.journal.note("version", item.id, self.agent.scope.agent, item.content)
        current = self.agent.lookup("fact", key)
        assert current is not None, "a key that was written has no current item"

    def revise(self) -> None:
        if self.mine:
            id_ = self.rng.choice(self.mine)
            item = self.agent.update(id_, importance=float(self.rng.randint(1, 10)))
            assert item.id == id_

    def recall(self) -> None:
        hits = self.agent.recall(" ".join(self.rng.choices(WORDS, k=3)), limit=5)
        for hit in hits:
            assert hit.item.content.startswith("token")
        if self.mine:
            item = self.agent.get(self.mine[-1])
            assert item is not None
            found = self.agent.recall(item.content, limit=3, kinds=["event"])
            assert item.id in [hit.item.id for hit in found], "what this process wrote is not recalled"

    def read(self) -> None:
        if self.mine:
            id_ = self.rng.choice(self.mine)
            item = self.agent.get(id_)
            assert item is not None, f"{id_} was acknowledged and is gone"
            self.agent.helpful(id_)
        assert self.agent.count() >= len(self.mine)

    def forget(self) -> None:
        item = self.agent.remember(self.content(), kind="context")
        assert self.agent.forget(item.id)
        assert self.agent.get(item.id) is None
        self.journal.note("gone", item.id, self.agent.scope.agent, item.content)

    def learn(self) -> None:
        advice = self.agent.advise("build", state={"size": self.rng.randrange(3)}, options=["a", "b", "c"])
        experience = self.agent.observe(advice, Outcome(success=self.rng.random() < 0.5, evidence="executed"))
        self.journal.note("experience", experience.id, self.agent.scope.agent, advice.decision_id)

    def values(self) -> None:
        self.count += 1
        key = f"{self.name}:{self.count}"
        self.agent.kv("shared").set(key, self.count)
        self.journal.note("value", key, self.agent.scope.agent, str(self.count))
        assert self.agent.kv("shared").get(key) == self.count


def main(given: dict[str, Any]) -> None:
    """Work until told to stop, or killed. Errors go to a file beside the journal."""
    folder, name = Path(given["folder"]), given["name"]
    journal = Journal(folder / f"{name}-{os.getpid()}.journal")
    try:
        with engrain.open(**given["open"], embedder="hash", echo_minutes=0) as memory:
            mill = Mill(memory, name, journal)
            (folder / f"{name}-{os.getpid()}.started").touch()
            while not (folder / "stop").exists():
                mill.step()
                time.sleep(given["pause"])
    except BaseException:
        (folder / f"{name}-{os.getpid()}.error").write_text(traceback.format_exc(), encoding="utf-8")
        raise
