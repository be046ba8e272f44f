"""Agent profiles as data: what kind of tasks an agent does, what it looks at, what it may do, what counts as good.

One TOML file each; ``profiles()`` names them. A profile of your own is read by ``read(text)``, or made as a Profile.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from engrain.agents.features import Feature, Value, feature
from engrain.agents.whose import NAME, checked_weights
from engrain.errors import InvalidField, NotFound

_LISTS = ("task_types", "capabilities", "strategies", "examples")
_READ = {"seconds", "quality", "resources", "feedback"}


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of agent. ``strategies`` are its options; ``features`` what a task's state is computed from; ``weights``
    how much the parts of an outcome count; ``reads`` which entry of a result is which part of an outcome ({"quality":
    "mutation_score"}); ``examples`` are tasks as it meets them, with the features that they have."""

    name: str
    about: str
    task_types: tuple[str, ...]
    capabilities: tuple[str, ...]
    strategies: tuple[str, ...]
    features: tuple[Feature, ...]
    weights: Mapping[str, float]
    budget_seconds: float | None = None
    reads: Mapping[str, str] = field(default_factory=dict)
    examples: tuple[Mapping[str, Any], ...] = ()

    def state(self, details: Mapping[str, Any], about: str | None = None) -> dict[str, Value]:
        """The features of a task; what cannot be told is missing."""
        known = {"about": about, **details}
        found = {one.name: one.value(known) for one in self.features}
        return {name: value for name, value in found.items() if value is not None}


def profiles() -> tuple[str, ...]:
    """The names of the profiles that come with engrain."""
    return tuple(sorted(one.name[: -len(".toml")] for one in files(__name__).iterdir() if one.name.endswith(".toml")))


@cache
def profile(name: str) -> Profile:
    """One of them. Raises NotFound."""
    if name not in profiles():
        raise NotFound(f"There is no profile {name!r}; there are {', '.join(profiles())}.")
    return read((files(__name__) / f"{name}.toml").read_text(encoding="utf-8"))


def read(text: str) -> Profile:
    """A profile from TOML, as those of engrain are written. Raises InvalidField saying what is wrong."""
    try:
        body = tomllib.loads(text)
        features = tuple(feature(one) for one in body.pop("features", []))
        listed: dict[str, Any] = {name: tuple(body.pop(name, ())) for name in _LISTS}
        found = Profile(features=features, **listed, **body)
        _check(found)
    except (ValueError, TypeError, AttributeError, RecursionError, re.error, InvalidField) as error:
        raise InvalidField(f"The profile cannot be read: {error}.") from error
    return found


def _check(found: Profile) -> None:
    """Raises ValueError, or TypeError for what is of another kind altogether."""
    texts = (found.name, found.about, *found.task_types, *found.capabilities, *found.strategies, *found.reads.values())
    if not all(isinstance(text, str) and 0 < len(text.strip()) <= NAME for text in texts):
        raise ValueError(f"names are texts of at most {NAME} characters")
    if not found.task_types or len(set(found.strategies)) != len(found.strategies) or len(found.strategies) < 2:
        raise ValueError("it needs a task type, and two different strategies")
    checked_weights(found.weights)
    budget = found.budget_seconds
    if budget is not None and not (type(budget) in (int, float) and 0 < budget < 1e9):
        raise ValueError("budget_seconds is a number above 0")
    if not set(found.reads) <= _READ or len({one.name for one in found.features}) < len(found.features):
        raise ValueError(f"reads names {', '.join(sorted(_READ))}; each feature has a name of its own")
