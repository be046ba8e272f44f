"""What the owner of a home may take to learners elsewhere, and bring back: experiences, policies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from engrain.archive.hot import cold
from engrain.archive.reading import reached
from engrain.errors import InvalidPolicy, UnknownPolicy
from engrain.home import Home
from engrain.intake import validate
from engrain.learn.fields import checked_text
from engrain.upkeep import outside

if TYPE_CHECKING:
    from engrain.exchange.policies import Read
    from engrain.model.policy import PolicyInfo, Verdict

ACTOR = "owner"


class Datasets(Home):
    """The verbs of Memory that write and read files of what was learned, and of what it was learned from."""

    def export_experiences(
        self,
        path: str | os.PathLike[str],
        format: str = "parquet",
        task_type: str | None = None,
        tenant: str = "default",
        agent: str | None = None,
        overwrite: bool = False,
    ) -> dict[str, int]:
        """Write experiences for learners elsewhere: of a tenant, or of one agent or task type, archived ones among
        them. ``parquet`` makes one file, a row an experience; ``minari`` a folder that ``minari.MinariDataset(path /
        "data")`` reads, of one task type. Counts of what was written: ``experiences``, and of minari also ``episodes``
        and ``unknown``, those without a reward yet, which are left out. It gets its name when it is whole. Raises
        InvalidField when there is something of that name and ``overwrite`` does not say that it may go, ConfigError
        without the extra ``archive``, ArchiveError, StoreError when it cannot be written."""
        self._check_open()
        whose = {"tenant": tenant, "agent": agent, "task_type": task_type}
        for name, value in whose.items():
            if value is not None:
                validate.text(name, value, validate.NAME_CHARACTERS)
        target = outside(self.store, self.home, self.config, path)
        again = validate.flag("overwrite", overwrite)
        from engrain.archive.layout import SCHEMAS  # noqa: F401 (says which libraries are missing)
        from engrain.exchange.datasets import export

        tables = reached(lambda: self.tables) if cold(self.store) else None
        return export(self.store, tables, whose, target, format, again)

    def policy_export(
        self,
        path: str | os.PathLike[str],
        task_type: str,
        version: int | None = None,
        tenant: str = "default",
        agent: str | None = None,
    ) -> PolicyInfo:
        """Write a version of what to do to a JSON file: ``version``, or the one that advises the agent (or the tenant).
        Never overwrites. Raises UnknownPolicy, InvalidField, StoreError."""
        from engrain.exchange.policies import save

        self._check_open()
        task_type = self._whose(task_type, tenant, agent)
        target = outside(self.store, self.home, self.config, path)
        number = self.versions.version(tenant, task_type, agent) if version is None else version
        if not validate.whole("version", number, 0, 2**31):
            told = f" of agent {agent!r}" if agent else ""
            raise UnknownPolicy(f"No policy is live for {task_type!r}{told}. Name a version.")
        info, rule = self.versions.find(tenant, task_type, number)
        save(target, info, rule)
        return info

    def policy_import(
        self, path: str | os.PathLike[str], tenant: str = "default", agent: str | None = None
    ) -> PolicyInfo:
        """Make a candidate of a policy in a file: one that was exported, or that another learner made. The gate judges
        it by what was decided after the learner had its data (``data.to`` in the file; when it does not say, by what
        will be decided from now on): ``metrics`` tells how. It advises nobody until it is promoted. Raises
        InvalidPolicy when it is no policy or names no action that was ever taken, PolicyTooNew; then nothing was
        changed."""
        from engrain.exchange.policies import load
        from engrain.learn.policies import Made

        self._check_open()
        self._whose(None, tenant, agent)
        found = load(Path(path))
        verdict = self._judged(found, tenant, agent)
        discount = self.parts.discount(found.task_type) if found.discount is None else found.discount
        made = Made(tenant, agent, found.task_type, found.rule, found.data, found.seed, discount)
        with self.store.transaction(tenant) as tx:
            version = self.versions.add(tx, made, verdict, ACTOR)
            self.versions.judge(tx, tenant, found.task_type, version, verdict, ACTOR)
        return self.versions.find(tenant, found.task_type, version)[0]

    def _judged(self, found: Read, tenant: str, agent: str | None) -> Verdict:
        """What the gate says of it."""
        known = self.logged.log(tenant, found.task_type, agent)
        if found.rule.actions and not set(found.rule.actions) & set(known.actions):
            there = f"; those are {', '.join(known.actions[:20])}" if known.actions else ""
            raise InvalidPolicy(f"none of its actions was ever taken in {found.task_type!r}{there}.")
        since = 1 + (self.world.now() if found.until is None else found.until)
        log = self.logged.log(tenant, found.task_type, agent, since)
        live = self.versions.live(tenant, found.task_type, agent).rule
        discount = self.parts.discount(found.task_type) if found.discount is None else found.discount
        return self.parts.judge_fixed(log, found.rule, live, discount=discount, seed=found.seed)

    def _whose(self, task_type: str | None, tenant: str, agent: str | None) -> str:
        validate.text("tenant", tenant, validate.NAME_CHARACTERS)
        if agent is not None:
            validate.text("agent", agent, validate.NAME_CHARACTERS)
        return "" if task_type is None else checked_text("task_type", task_type)
