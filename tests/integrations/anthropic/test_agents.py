"""The memory tool of many agents, and bad input."""

import asyncio
import socket
from pathlib import Path

import pytest
from anthropic.lib.tools import ToolError

from foxing.integrations.anthropic import AsyncFoxingMemoryTool, FoxingMemoryTool
from foxing.integrations.client import ServiceOptions, Target, TimedOut, Unreachable
from foxing.memory import Memory

from ..conftest import slow_over_http
from ..deletion import delete_bank
from .test_tool import create, delete, insert, rename, replace, view

AGENTS = 100
CONTENT = "Here's the content of {} with line numbers:\n"


async def agents_write(target: Target, bank: str) -> tuple[list[str], list[str]]:
    """Each agent keeps notes of its own, and some add to a list that all share; the notes, and the list."""
    async with AsyncFoxingMemoryTool.connect(target, bank) as tool:
        await tool.call(create("/memories/shared.md", ""))
        await tool.call(create("/memories/moving/0", "here"))

        async def agent(number: int) -> str:
            path = f"/memories/agents/{number}/notes.md"
            await tool.call(create(path, f"{number}"))
            if number % 10 == 0:
                await tool.call(insert("/memories/shared.md", 0, f"{number}"))
            return str(await tool.call(view(path)))

        async def mover(number: int) -> str:
            try:
                return str(await tool.call(rename("/memories/moving", f"/memories/moved-{number}")))
            except ToolError as error:
                return str(error.content)

        notes = await asyncio.gather(*map(agent, range(AGENTS)))
        moved = await asyncio.gather(*map(mover, range(5)))
        assert sorted(text.split()[0] for text in moved) == ["Successfully", *["The"] * 4]
        shared = str(await tool.call(view("/memories/shared.md")))
        return notes, [line.partition("\t")[2] for line in shared.splitlines()[1:]]


@pytest.mark.slow
@slow_over_http
def test_a_hundred_agents_at_once_lose_nothing_and_mix_nothing_up(target: Target, bank: str) -> None:
    notes, shared = asyncio.run(agents_write(target, bank))
    path = "/memories/agents/{}/notes.md"
    assert notes == [f"{CONTENT.format(path.format(n))}     1\t{n}" for n in range(AGENTS)]
    assert sorted(shared) == sorted([*(str(number) for number in range(0, AGENTS, 10)), ""])
    with FoxingMemoryTool.connect(target, bank) as tool:
        assert str(tool.call(view("/memories/agents"))).count("notes.md") == AGENTS
        assert str(tool.call(view("/memories"))).count("moved-") == 2  # the directory and its file


def test_an_edit_waits_for_that_of_another_writer(target: Target, bank: str) -> None:
    """Neither of two edits of a file is lost."""

    async def edit() -> str:
        async with AsyncFoxingMemoryTool.connect(target, bank) as tool:
            await tool.call(create("/memories/list", "a b c d e f"))
            await asyncio.gather(*(tool.call(replace("/memories/list", name, name.upper())) for name in "abcdef"))
            return str(await tool.call(view("/memories/list")))

    assert asyncio.run(edit()).endswith("\tA B C D E F")


def test_what_records_cannot_hold_is_said_to_claude(target: Target, bank: str) -> None:
    deep = "/memories" + "/d" * 20
    with FoxingMemoryTool.connect(target, bank) as tool:
        for command, reason in [
            (create("/memories/big", "x" * (1 << 20)), "split the record"),
            (create(deep, ""), "too deep"),
            (create("/memories/" + "n" * 201, ""), "too long"),
            (create("/memories/\ud800", ""), "invalid"),
            (create("/memories/s", "\ud800"), "surrogate"),
            (view(deep), "too deep"),
        ]:
            with pytest.raises(ToolError, match=reason):
                tool.call(command)
        assert str(tool.call(view("/memories"))).endswith("\t/memories")
        tool.call(create("/memories" + "/d" * 19, "deep enough"))
        tool.call(create("/memories/file", ""))
        with pytest.raises(ToolError, match="/memories/file is a file, not a directory"):
            tool.call(create("/memories/file/in/it", ""))


def test_a_directory_that_is_too_large_is_not_moved_in_part(target: Target, bank: str) -> None:
    with FoxingMemoryTool.connect(target, bank) as tool:
        for number in range(4):
            tool.call(create(f"/memories/large/{number}", "x" * 900_000))
        with pytest.raises(ToolError, match="move its contents separately"):
            tool.call(rename("/memories/large", "/memories/moved"))
        assert "moved" not in str(tool.call(view("/memories")))


def test_other_records_of_the_bank_are_no_files(target: Target, bank: str) -> None:
    with FoxingMemoryTool.connect(target, bank) as tool:
        tool.connection.run(
            lambda memory: memory.records.write(bank, [{"op": "put", "namespace": ["n"], "key": "k", "value": "x"}])
        )
        tool.call(create("/memories/a", "x"))
        assert str(tool.call(view("/memories"))).count("\n") == 2
        tool.clear_all_memory()
        assert [record.key for record in tool.connection.run(lambda memory: memory.records.search(bank)).records] == [
            "k"
        ]


def test_a_service_that_is_down_or_slow_is_an_error_that_says_so(bank: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with FoxingMemoryTool.connect(ServiceOptions(url, timeout_s=0.1), bank) as tool, pytest.raises(TimedOut):
            tool.call(view("/memories/a"))
    options = ServiceOptions(url, retry_for_s=0.1)
    with FoxingMemoryTool.connect(options, bank) as tool, pytest.raises(Unreachable, match="foxing serve"):
        tool.call(create("/memories/a", "x"))


@pytest.mark.slow
def test_a_bank_deleted_under_a_running_agent_has_no_files(tmp_path: Path, bank: str) -> None:
    with Memory(tmp_path / "foxing.db") as memory, FoxingMemoryTool.connect(memory, bank) as tool:
        tool.call(create("/memories/d/a", "old"))
        delete_bank(tmp_path / "foxing.db", bank)
        assert str(tool.call(view("/memories"))).endswith("\t/memories")
        for command in (view("/memories/d"), delete("/memories/d/a"), replace("/memories/d/a", "o", "n")):
            with pytest.raises(ToolError, match="does not exist"):
                tool.call(command)
        tool.call(create("/memories/d/a", "new"))
        assert str(tool.call(view("/memories/d/a"))).endswith("\tnew")


def test_an_unknown_command_is_an_error(target: Target, bank: str) -> None:
    with FoxingMemoryTool.connect(target, bank) as tool, pytest.raises(NotImplementedError, match="erase"):
        tool.call({"command": "erase", "path": "/memories"})
