"""For those who test what they build on engrain: a world under control, the store's contract, a model of the memory.

Only the world is imported at once; the suites need pytest, and the model's machine needs hypothesis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engrain.world import SimulatedWorld

if TYPE_CHECKING:
    from engrain.testing.model import Model
    from engrain.testing.store_contract import StoreContract

__all__ = ["Model", "SimulatedWorld", "StoreContract"]


def __getattr__(name: str) -> Any:
    if name == "StoreContract":
        from engrain.testing.store_contract import StoreContract

        return StoreContract
    if name == "Model":
        from engrain.testing.model import Model

        return Model
    raise AttributeError(f"engrain.testing has no {name!r}")
