"""The memory tool, synchronous and asynchronous."""

from typing import Self

from anthropic.lib.tools import BetaAbstractMemoryTool, BetaAsyncAbstractMemoryTool
from anthropic.types.beta import (
    BetaCacheControlEphemeralParam,
    BetaMemoryTool20250818CreateCommand,
    BetaMemoryTool20250818DeleteCommand,
    BetaMemoryTool20250818InsertCommand,
    BetaMemoryTool20250818RenameCommand,
    BetaMemoryTool20250818StrReplaceCommand,
    BetaMemoryTool20250818ViewCommand,
)

from foxing.integrations.client import Connection, Target, connect
from foxing.integrations.frameworks.call_sequences import run, run_async
from foxing.integrations.frameworks.closing import AsyncClosing, Closing

from .files import Files


class _FilesOfBank:
    """Connection and files of both tools."""

    def __init__(self, connection: Connection, *, cache_control: BetaCacheControlEphemeralParam | None = None) -> None:
        super().__init__(cache_control=cache_control)  # type: ignore[call-arg]  # of the SDK's tool, a base beside it
        #: Connection to the bank, for other calls.
        self.connection = connection
        self._files = Files(connection.bank)

    @classmethod
    def connect(
        cls,
        target: Target,
        bank: str,
        *,
        api_key: str | None = None,
        cache_control: BetaCacheControlEphemeralParam | None = None,
    ) -> Self:
        """Returns a tool for a bank of `target`: the URL of a service, the URL or path of a database, or a `Memory`.
        Nothing is opened before the first call. Raises `InvalidInput` for an invalid target or bank."""
        return cls(connect(target, bank, api_key=api_key), cache_control=cache_control)


class FoxingMemoryTool(_FilesOfBank, Closing, BetaAbstractMemoryTool):
    """Claude's memory tool with files in a bank. Responses are those of `BetaLocalFilesystemMemoryTool`.

        memory = FoxingMemoryTool.connect("http://127.0.0.1:8765", bank="agent-7")
        client.beta.messages.tool_runner(tools=[memory], …)

    Methods return the response to Claude. They raise `ToolError` for an error that Claude sees, and `FoxingError` if
    the service cannot be used.
    """

    def view(self, command: BetaMemoryTool20250818ViewCommand) -> str:
        """Returns a file with line numbers, or the listing of a directory."""
        return run(self.connection, self._files.view(command.path, command.view_range))

    def create(self, command: BetaMemoryTool20250818CreateCommand) -> str:
        """Creates a file."""
        return run(self.connection, self._files.create(command.path, command.file_text))

    def str_replace(self, command: BetaMemoryTool20250818StrReplaceCommand) -> str:
        """Replaces a text in a file."""
        return run(self.connection, self._files.str_replace(command.path, command.old_str, command.new_str))

    def insert(self, command: BetaMemoryTool20250818InsertCommand) -> str:
        """Inserts a text after a line of a file."""
        return run(self.connection, self._files.insert(command.path, command.insert_line, command.insert_text))

    def delete(self, command: BetaMemoryTool20250818DeleteCommand) -> str:
        """Deletes a file or a directory."""
        return run(self.connection, self._files.delete(command.path))

    def rename(self, command: BetaMemoryTool20250818RenameCommand) -> str:
        """Moves a file or a directory."""
        return run(self.connection, self._files.rename(command.old_path, command.new_path))

    def clear_all_memory(self) -> str:
        """Deletes all files of the bank."""
        return run(self.connection, self._files.clear())


class AsyncFoxingMemoryTool(_FilesOfBank, AsyncClosing, BetaAsyncAbstractMemoryTool):
    """Asynchronous version of `FoxingMemoryTool`."""

    async def view(self, command: BetaMemoryTool20250818ViewCommand) -> str:
        """Returns a file with line numbers, or the listing of a directory."""
        return await run_async(self.connection, self._files.view(command.path, command.view_range))

    async def create(self, command: BetaMemoryTool20250818CreateCommand) -> str:
        """Creates a file."""
        return await run_async(self.connection, self._files.create(command.path, command.file_text))

    async def str_replace(self, command: BetaMemoryTool20250818StrReplaceCommand) -> str:
        """Replaces a text in a file."""
        steps = self._files.str_replace(command.path, command.old_str, command.new_str)
        return await run_async(self.connection, steps)

    async def insert(self, command: BetaMemoryTool20250818InsertCommand) -> str:
        """Inserts a text after a line of a file."""
        steps = self._files.insert(command.path, command.insert_line, command.insert_text)
        return await run_async(self.connection, steps)

    async def delete(self, command: BetaMemoryTool20250818DeleteCommand) -> str:
        """Deletes a file or a directory."""
        return await run_async(self.connection, self._files.delete(command.path))

    async def rename(self, command: BetaMemoryTool20250818RenameCommand) -> str:
        """Moves a file or a directory."""
        return await run_async(self.connection, self._files.rename(command.old_path, command.new_path))

    async def clear_all_memory(self) -> str:
        """Deletes all files of the bank."""
        return await run_async(self.connection, self._files.clear())
