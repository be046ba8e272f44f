"""What a dream works with: ports that the home fills in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from engrain.learn.log import Counts, Experiences, Log
from engrain.learn.rule import Decider, Rule
from engrain.model.policy import Verdict


class Candidate(Protocol):
    """A rule that an algorithm made of what was seen."""

    @property
    def name(self) -> str: ...
    @property
    def rule(self) -> Rule: ...


class Train(Protocol):
    """Every algorithm that fits the data, each once; the same data and seed give the same candidates. ``stop`` is
    called between sweeps; what it raises ends the training."""

    def __call__(
        self, counts: Counts, discount: float, *, seed: int, stop: Callable[[], object]
    ) -> Sequence[Candidate]: ...


class Judge(Protocol):
    """The gate: may what ``train`` makes replace ``live``? Cross-fitted: each part of the log is judged by a rule that
    was trained on the others. ``live`` None: the online learner, which would decide as ``online`` says. ``tried`` is
    how many candidates are judged."""

    def __call__(
        self,
        log: Log,
        train: Callable[[Counts], Rule],
        live: Rule | None,
        *,
        discount: float,
        seed: int,
        online: Callable[[Counts], Decider | None],
        tried: int,
    ) -> Verdict: ...


class JudgeFixed(Protocol):
    """The same for a rule that was made before the outcomes in the log were decided."""

    def __call__(self, log: Log, rule: Rule, live: Rule | None, *, discount: float, seed: int) -> Verdict: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """``experiences`` is asked when something waits; the archive's libraries are loaded then, and only if they are
    needed. ``discount`` is that of a task type, ``online`` the rule of the online learner by some experiences of it."""

    experiences: Callable[[], Experiences]
    train: Train
    judge: Judge
    judge_fixed: JudgeFixed
    discount: Callable[[str], float]
    online: Callable[[Counts, str], Decider | None]


@dataclass(frozen=True, slots=True)
class Task:
    """A task type that is worked on: its change number, purges and outcomes when it was begun, and whose policies are
    still to be trained; None stands for the whole tenant."""

    tenant: str
    task_type: str
    seq: int
    purges: int
    outcomes: int
    left: tuple[str | None, ...] = (None,)

    def told(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: getattr(self, name) for name in self.__slots__} | {"left": list(self.left)}

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Task:
        """What ``told`` gave."""
        return cls(**{**told, "left": tuple(told["left"])})
