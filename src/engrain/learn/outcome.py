"""Outcomes: checked when they arrive, kept as JSON, and revised by what is learned later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from engrain.errors import InvalidField
from engrain.learn.fields import checked_number, checked_text, optional_number
from engrain.learn.reward import HIGH, LOW, WEIGHTS
from engrain.model.decision import EVIDENCE, Outcome

ERROR_LIMIT = 10_000  # characters of an error's text; more belongs in a memory
_NAMES = tuple(field.name for field in fields(Outcome))
_LONGEST = 1e12  # seconds
_HEAVIEST = 100.0


def checked_outcome(value: object) -> Outcome:
    """An Outcome, or a mapping with its fields, with every field in its range.

    Numbers become floats, so that equal outcomes compare equal however they were written.
    Raises InvalidField naming the field.
    """
    if isinstance(value, Mapping):
        unknown = [name for name in value if name not in _NAMES]
        if unknown:
            raise InvalidField(f"outcome has no field {unknown[0]!r}; its fields are {', '.join(_NAMES)}.")
        value = Outcome(**value)
    if not isinstance(value, Outcome):
        raise InvalidField(
            f"outcome must be an Outcome, for example Outcome(success=True, evidence='executed'), "
            f"not {type(value).__name__}."
        )
    if value.success is not None and not isinstance(value.success, bool):
        raise InvalidField(f"outcome.success must be True, False or None (unknown), not {value.success!r}.")
    if not isinstance(value.evidence, str) or value.evidence not in EVIDENCE:
        raise InvalidField(f"outcome.evidence must be one of {', '.join(EVIDENCE)}, not {value.evidence!r}.")
    budget = value.budget_seconds
    if budget is not None and checked_number("outcome.budget_seconds", budget, 0.0, _LONGEST) == 0.0:
        raise InvalidField("outcome.budget_seconds must be above 0; leave it out when there is no budget.")
    return Outcome(
        success=value.success,
        evidence=value.evidence,
        seconds=optional_number("outcome.seconds", value.seconds, 0.0, _LONGEST),
        budget_seconds=None if budget is None else float(budget),
        quality=optional_number("outcome.quality", value.quality, 0.0, 1.0),
        resources=optional_number("outcome.resources", value.resources, 0.0, 1.0),
        feedback=optional_number("outcome.feedback", value.feedback, -1.0, 1.0),
        error=None if not value.error else checked_text("outcome.error", value.error, ERROR_LIMIT),
        reward=optional_number("outcome.reward", value.reward, LOW, HIGH),
        weights=None if not value.weights else _checked_weights(value.weights),
    )


def _checked_weights(weights: object) -> dict[str, float]:
    if not isinstance(weights, Mapping) or not set(weights) <= set(WEIGHTS):
        raise InvalidField(f"outcome.weights must name parts of the reward: {', '.join(WEIGHTS)}; not {weights!r}.")
    checked = {}
    for name, weight in weights.items():
        checked[name] = float(checked_number(f"outcome.weights[{name!r}]", weight, 0.0, _HEAVIEST))
    if checked.get("success") == 0.0:
        raise InvalidField("outcome.weights['success'] must be above 0: a failure is never as good as a success.")
    return checked


def revised(known: Outcome, later: Outcome) -> Outcome:
    """What is known after ``later`` arrived for a decision whose outcome was ``known``.

    A later outcome that states success or a reward is a new verdict and replaces the earlier one, with its evidence.
    One that states neither (feedback or quality that arrives on its own) adds its parts and keeps verdict and evidence.
    Weights stay until others are given.
    """
    if later.success is not None or later.reward is not None:
        return replace(later, weights=known.weights) if later.weights is None and known.weights else later
    given = {name: part for name, part in asdict(later).items() if part is not None and name != "evidence"}
    verdict_known = known.success is not None or known.reward is not None
    return replace(known, evidence=known.evidence if verdict_known else later.evidence, **given)


def to_json(outcome: Outcome) -> str:
    """Canonical JSON: only the fields that are known, sorted; equal outcomes have equal text."""
    return json.dumps({k: v for k, v in asdict(outcome).items() if v is not None}, sort_keys=True, ensure_ascii=False)


def from_json(text: str) -> Outcome:
    """The outcome that ``to_json`` wrote."""
    known: dict[str, Any] = json.loads(text)
    return Outcome(**known)
