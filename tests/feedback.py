"""Notes, and feedback that teaches which of them helps."""

from __future__ import annotations

import engrain

WORDS = (
    "harbour", "violin", "lantern", "glacier", "saffron", "turbine", "compass", "orchard", "velvet", "quarry",
    "beacon", "thistle", "anchor", "marble", "pepper", "ribbon", "falcon", "cellar", "meadow", "copper", "walnut",
    "canyon", "bottle", "garden", "pillow", "rocket", "silver", "tunnel", "window", "yellow",
)  # fmt: skip
NEW = ("castle", "donkey", "engine", "feather", "guitar", "hammer")


def fill(agent: engrain.Agent) -> None:
    """Of each topic a note that stands first and one that the auditor has checked, which is what helps."""
    agent.remember_many(
        [
            {"content": text}
            for word in (*WORDS, *NEW)
            for text in (
                f"{word} report, {word} numbers",
                f"checked by the auditor in June: {word} figures are right",
            )
        ]
    )


def checked(hits: list[engrain.Hit]) -> int:
    """The place of the checked note among the hits."""
    return next(place for place, hit in enumerate(hits) if "auditor" in hit.item.content)


def teach(agent: engrain.Agent, words: tuple[str, ...] = WORDS) -> None:
    for word in words:
        hits = agent.recall(f"what about the {word} report?")
        agent.helpful(hits[checked(hits)].item.id, True)


def places(agent: engrain.Agent) -> list[int]:
    return [checked(agent.recall(f"what about the {word} report?")) for word in NEW]
