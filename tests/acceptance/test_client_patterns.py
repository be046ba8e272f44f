"""An agent that learns, over HTTP: what worked before is shown to it, and what came of it is told."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from engrain.model.pattern import Step
from engrain.shells.client import Client
from tests.serving import home_of


def test_an_agent_over_http_lists_and_opens_its_patterns_and_learns(tmp_path: Path) -> None:
    """Two verbs stand for ``patterns``: a listing, which needs no question, and a search. ``pattern`` is one part of
    what its verb answers."""
    serving = home_of(tmp_path)
    with Client(serving.url) as client:
        walk(client)
    assert serving.stop() == ""


def walk(client: Client) -> None:
    """What such an agent does, once."""
    from engrain.agents import learning

    agent = client.agent("strategist")
    made = agent.add_pattern("Ship in the morning", "Ship the crates in the morning.", task_type="ship")
    with learning(agent, "ship", options=["early"], about="ship the crates in the morning") as task:
        task.applied(task.patterns[0].pattern.id)
        task.report(exit_code=0)
    assert task.learning_errors == ()
    with suppress(OSError), learning(agent, "ship", options=["early"], about="sail") as failed:
        raise OSError("the wind is gone")
    with learning(agent, "ship", options=["early"], about="sail") as task:
        assert task.known is not None
        assert task.known.info is not None
        task.tried("row")
        task.report(exit_code=0)
    assert failed.learning_errors == task.learning_errors == ()
    assert [(one.commands, one.verified) for one in agent.fixes()] == [(("row",), True), ((), False)]
    assert [hit.pattern.id for hit in agent.patterns()] == [made.id]
    assert [hit.pattern.id for hit in agent.patterns("when to ship?", explore=True)] == [made.id]
    assert (found := agent.pattern(made.id)).applied == 1
    assert found.title == made.title
    assert agent.update_pattern(made.id, task_type=None, content="Ship it.").task_type is None, "None empties"
    agent.deprecate_pattern(made.id, "late")
    assert agent.patterns() == []
    assert [hit.pattern.state for hit in agent.patterns(state=None, explore=True)] == ["deprecated"], "any state"
    assert agent.learned()[0].task_type == "ship"
    told = agent.add_trajectory("Ship", ["load the crate", Step("sail", {"wind": 3}, exit_code=0)], task_type="ship")
    assert [step.action for step in agent.trajectory(told.id).steps] == ["load the crate", "sail"]
    assert agent.trajectories("ship") == [told]
