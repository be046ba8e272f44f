"""Anthropic's memory tool on an agent's memory:
``client.beta.messages.tool_runner(…, tools=[EngrainMemoryTool(memory.agent("ann"))])``.

Files and folders, the limits and what each command answers: ``memory_files``.
"""

from __future__ import annotations

from collections.abc import Callable

from engrain.agent import Agent
from engrain.errors import ConfigError, InvalidInput
from engrain.integrations.memory_files import MemoryFiles

try:
    from anthropic.lib.tools import ToolError
    from anthropic.tools.memory import BetaAbstractMemoryTool, BetaAsyncAbstractMemoryTool
    from anthropic.types.beta import (
        BetaCacheControlEphemeralParam,
        BetaMemoryTool20250818CreateCommand,
        BetaMemoryTool20250818DeleteCommand,
        BetaMemoryTool20250818InsertCommand,
        BetaMemoryTool20250818RenameCommand,
        BetaMemoryTool20250818StrReplaceCommand,
        BetaMemoryTool20250818ViewCommand,
    )
    from anyio import to_thread
except ImportError as missing:
    raise ConfigError("The memory tool needs Anthropic's SDK: pip install 'engrain[anthropic]'.") from missing


def _told(command: Callable[[], str]) -> str:
    """What a command answers; the model is told what was refused, and tries something else."""
    try:
        return command()
    except InvalidInput as error:
        raise ToolError(str(error)) from error


class EngrainMemoryTool(BetaAbstractMemoryTool):
    """The tool for ``Anthropic``. ``max_bytes`` bounds a file, ``max_files`` their number."""

    def __init__(
        self,
        agent: Agent,
        *,
        max_bytes: int = 256_000,
        max_files: int = 1_000,
        cache_control: BetaCacheControlEphemeralParam | None = None,
    ) -> None:
        super().__init__(cache_control=cache_control)
        self._files = MemoryFiles(agent, max_bytes=max_bytes, max_files=max_files)

    def view(self, command: BetaMemoryTool20250818ViewCommand) -> str:
        return _told(lambda: self._files.view(command.path, command.view_range))

    def create(self, command: BetaMemoryTool20250818CreateCommand) -> str:
        return _told(lambda: self._files.create(command.path, command.file_text))

    def str_replace(self, command: BetaMemoryTool20250818StrReplaceCommand) -> str:
        new = getattr(command, "new_str", None) or ""  # a model may leave it out
        return _told(lambda: self._files.str_replace(command.path, command.old_str, new))

    def insert(self, command: BetaMemoryTool20250818InsertCommand) -> str:
        return _told(lambda: self._files.insert(command.path, command.insert_line, command.insert_text))

    def delete(self, command: BetaMemoryTool20250818DeleteCommand) -> str:
        return _told(lambda: self._files.delete(command.path))

    def rename(self, command: BetaMemoryTool20250818RenameCommand) -> str:
        return _told(lambda: self._files.rename(command.old_path, command.new_path))

    def clear_all_memory(self) -> str:
        return _told(self._files.clear)


class EngrainAsyncMemoryTool(BetaAsyncAbstractMemoryTool):
    """The tool for ``AsyncAnthropic``: the same, in a thread."""

    def __init__(
        self,
        agent: Agent,
        *,
        max_bytes: int = 256_000,
        max_files: int = 1_000,
        cache_control: BetaCacheControlEphemeralParam | None = None,
    ) -> None:
        super().__init__(cache_control=cache_control)
        self._tool = EngrainMemoryTool(agent, max_bytes=max_bytes, max_files=max_files)

    async def view(self, command: BetaMemoryTool20250818ViewCommand) -> str:
        return await to_thread.run_sync(self._tool.view, command)

    async def create(self, command: BetaMemoryTool20250818CreateCommand) -> str:
        return await to_thread.run_sync(self._tool.create, command)

    async def str_replace(self, command: BetaMemoryTool20250818StrReplaceCommand) -> str:
        return await to_thread.run_sync(self._tool.str_replace, command)

    async def insert(self, command: BetaMemoryTool20250818InsertCommand) -> str:
        return await to_thread.run_sync(self._tool.insert, command)

    async def delete(self, command: BetaMemoryTool20250818DeleteCommand) -> str:
        return await to_thread.run_sync(self._tool.delete, command)

    async def rename(self, command: BetaMemoryTool20250818RenameCommand) -> str:
        return await to_thread.run_sync(self._tool.rename, command)

    async def clear_all_memory(self) -> str:
        return await to_thread.run_sync(self._tool.clear_all_memory)
