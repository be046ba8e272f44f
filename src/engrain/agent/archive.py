"""What an agent may ask of the archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engrain.agent.base import Scoped

if TYPE_CHECKING:
    import pyarrow as pa

    from engrain.cold import Parameters


class Archived(Scoped):
    """The verbs of the archive."""

    def sql(
        self,
        statement: str,
        parameters: Parameters = None,
        *,
        seconds: float | None = None,
        megabytes: int | None = None,
    ) -> pa.Table:
        """The rows of one SELECT over what this agent may see: its own rows, and of memories also those that its team
        or its tenant shares. As ``memory.archive.sql``, which tells more."""
        from engrain.cold import asked

        self._memory._check_open()
        whose = self.scope.tenant, self.scope.agent
        return asked(self._memory, whose, statement, parameters, seconds, megabytes)
