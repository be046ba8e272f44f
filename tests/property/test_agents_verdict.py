"""What a result says is read from anything at all, and is never better than what it says."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engrain.agents.verdict import verdict_of
from engrain.learn.outcome import checked_outcome

NAMES = [
    "success", "evidence", "seconds", "budget_seconds", "quality", "resources", "feedback", "error", "reward",
    "exit_code", "returncode", "tests", "action", "strategy", "other", 7,
]  # fmt: skip
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.binary(max_size=5)
values = (
    scalars | st.lists(scalars, max_size=3) | st.tuples(scalars, scalars) | st.builds(ValueError, st.text(max_size=9))
)
results = values | st.dictionaries(st.sampled_from(NAMES), values | st.sampled_from(["verified", "executed"]))


@settings(max_examples=50, deadline=None)
@given(results)
def test_any_result_is_an_outcome_that_can_be_observed(result: Any) -> None:
    verdict = verdict_of(result)
    outcome = checked_outcome(verdict.outcome)  # in its ranges, as observe() checks it
    if outcome.success:
        told = result if isinstance(result, bool) else result.get("success")
        ran = isinstance(result, dict) and any(
            result.get(key) is not None for key in ("exit_code", "returncode", "tests")
        )
        assert told is True or ran
    if outcome.evidence == "verified":
        assert result["evidence"] == "verified"
    assert verdict.action is None or verdict.action in (result.get("action"), result.get("strategy"))
