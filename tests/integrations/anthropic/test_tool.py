"""The tool and the SDK's own filesystem tool side by side: the same answers to the same commands."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anthropic.lib.tools import ToolError
from anthropic.tools.memory import BetaLocalFilesystemMemoryTool
from hypothesis import given, settings
from hypothesis import strategies as st

from foxing.integrations.anthropic import AsyncFoxingMemoryTool, FoxingMemoryTool
from foxing.integrations.client import Target
from foxing.memory import Memory

Command = dict[str, Any]


def view(path: str, *view_range: int) -> Command:
    return {"command": "view", "path": path, **({"view_range": list(view_range)} if view_range else {})}


def create(path: str, text: str = "one\ntwo\nthree\n") -> Command:
    return {"command": "create", "path": path, "file_text": text}


def replace(path: str, old: str, new: str) -> Command:
    return {"command": "str_replace", "path": path, "old_str": old, "new_str": new}


def insert(path: str, line: int, text: str) -> Command:
    return {"command": "insert", "path": path, "insert_line": line, "insert_text": text}


def delete(path: str) -> Command:
    return {"command": "delete", "path": path}


def rename(old: str, new: str) -> Command:
    return {"command": "rename", "old_path": old, "new_path": new}


ROOT = "/memories"
COMMANDS: list[Command] = [
    view(ROOT),
    view(f"{ROOT}/"),
    view(f"{ROOT}/none.txt"),
    create(f"{ROOT}/a.txt"),
    create(f"{ROOT}/a.txt", "again"),
    create(ROOT),
    create(f"{ROOT}/deep/er/still/b.md", "ä☂\U0001f98a\r\nsecond\r\n"),
    create(f"{ROOT}/deep/er"),
    create(f"{ROOT}//deep/./c.txt", "x" * 1536),
    create(f"{ROOT}/.hidden/d.txt", ""),
    create(f"{ROOT}/.e", "hidden"),
    create(f"{ROOT}/empty", ""),
    create(f"{ROOT}/big", "y" * 5000),
    create(f"{ROOT}/name with % and \n line", "z"),
    view(ROOT),
    view(f"{ROOT}/"),
    view(f"{ROOT}/deep"),
    view(f"{ROOT}/deep/er/still/b.md"),
    view(f"{ROOT}/.hidden"),
    view(f"{ROOT}/a.txt/x"),
    view(f"{ROOT}/a.txt"),
    view(f"{ROOT}/empty"),
    *(view(f"{ROOT}/a.txt", *span) for span in [(1, 2), (2, -1), (0, 1), (3, 2), (-5, 99), (2, -2), (1,), (4, 4)]),
    view("/etc/passwd"),
    view(f"{ROOT}/../../etc/passwd"),
    view(f"{ROOT}/../memories/a.txt"),
    view(f"{ROOT}/deep/../a.txt"),
    view(f"{ROOT}x/../a.txt"),
    create("memories/f"),
    delete(f"{ROOT}/.."),
    replace(f"{ROOT}/a.txt", "two", "2\n2"),
    replace(f"{ROOT}/a.txt", "missing", "x"),
    replace(f"{ROOT}/a.txt", "e", "x"),
    replace(f"{ROOT}/a.txt", "", "x"),
    replace(f"{ROOT}/a.txt", "2\n2", "\\1"),
    replace(f"{ROOT}/empty", "", "start"),
    replace(f"{ROOT}/deep", "a", "b"),
    replace(f"{ROOT}/none", "a", "b"),
    replace(f"{ROOT}/deep/er/still/b.md", "second\r\n", "zweite"),
    view(f"{ROOT}/deep/er/still/b.md"),
    insert(f"{ROOT}/a.txt", 0, "zero\n\n"),
    insert(f"{ROOT}/a.txt", 4, "last"),
    insert(f"{ROOT}/a.txt", 99, "x"),
    insert(f"{ROOT}/a.txt", -1, "x"),
    insert(f"{ROOT}/deep", 0, "x"),
    insert(f"{ROOT}/none", 0, "x"),
    insert(f"{ROOT}/deep/er/still/b.md", 1, "new\r\n"),
    view(f"{ROOT}/a.txt"),
    view(f"{ROOT}/deep/er/still/b.md"),
    rename(f"{ROOT}/a.txt", f"{ROOT}/big"),
    rename(f"{ROOT}/none", f"{ROOT}/made/for/nothing"),
    rename(f"{ROOT}/a.txt", f"{ROOT}/a.txt"),
    rename(f"{ROOT}/a.txt", f"{ROOT}/new/place/a.txt"),
    rename(f"{ROOT}/deep", f"{ROOT}/moved/deeper"),
    rename(ROOT, f"{ROOT}/x"),
    rename(f"{ROOT}/moved", ROOT),
    view(ROOT),
    view(f"{ROOT}/made"),
    view(f"{ROOT}/moved/deeper"),
    view(f"{ROOT}/moved/deeper/er/still/b.md"),
    delete(f"{ROOT}/deep"),
    delete(f"{ROOT}/moved/deeper/c.txt"),
    delete(f"{ROOT}/moved/deeper/er"),
    view(f"{ROOT}/moved"),
    delete(f"{ROOT}/new/place/a.txt"),
    view(f"{ROOT}/new"),
    delete(f"{ROOT}/new/"),
    delete(f"{ROOT}/new"),
    delete(f"{ROOT}/big/x"),
    delete(ROOT),
    view(ROOT),
]


def answer(call: Callable[[object], object], command: Command) -> str:
    """What Claude is told. The sizes of directories differ between file systems."""
    try:
        text = str(call(command))
    except ToolError as error:
        return f"error: {error.content}"
    if text.startswith("Here're"):
        head, root, *lines = re.split(r"\n(?=\d[\d.]*[BKMG]\t)", text)
        lines = [re.sub(r"^\S+\t", "4K\t", line) if line.endswith("/") else line for line in lines]
        text = "\n".join([head, re.sub(r"^\S+\t", "4K\t", root), *lines])
    return text


def test_answers_are_those_of_the_local_filesystem_tool(target: Target, bank: str, tmp_path: Path) -> None:
    local = BetaLocalFilesystemMemoryTool(str(tmp_path))
    with FoxingMemoryTool.connect(target, bank) as tool:
        assert tool.to_dict() == local.to_dict()
        for number, command in enumerate(COMMANDS):
            assert answer(tool.call, command) == answer(local.call, command), (number, command)
        assert tool.clear_all_memory() == local.clear_all_memory()
        assert answer(tool.call, view(ROOT)) == answer(local.call, view(ROOT))


async def answers(target: Target, bank: str) -> list[str]:
    found: list[str] = []
    async with AsyncFoxingMemoryTool.connect(target, bank) as tool:
        for command in COMMANDS:
            try:
                result = str(await tool.call(command))
            except ToolError as error:
                result = f"error: {error.content}"
            found.append(result)
        found.append(await tool.clear_all_memory())
    return found


@pytest.mark.slow
def test_the_asynchronous_tool_gives_the_same_answers(target: Target, bank: str) -> None:
    with FoxingMemoryTool.connect(target, f"{bank[:90]}-sync") as tool:
        expected = [answer(tool.call, command) for command in COMMANDS] + [str(tool.clear_all_memory())]
    assert asyncio.run(answers(target, bank)) == expected


PATHS = st.sampled_from([f"{ROOT}{rest}" for rest in ("", "/a", "/b", "/a/x", "/a/y", "/b/x/z", "/.h", "/a/../b")])
TEXTS = st.text(alphabet="ab\n", max_size=6)
RANDOM = st.one_of(
    st.builds(view, PATHS),
    st.builds(view, PATHS, st.integers(-2, 4), st.integers(-2, 4)),
    st.builds(create, PATHS, TEXTS),
    st.builds(create, PATHS, TEXTS),
    st.builds(replace, PATHS, TEXTS, TEXTS),
    st.builds(insert, PATHS, st.integers(-1, 4), TEXTS),
    st.builds(delete, PATHS),
    st.builds(rename, PATHS, PATHS),
)


@pytest.fixture(scope="module")
def banks() -> list[int]:
    """How many banks the random commands have used."""
    return [0]


@pytest.mark.slow
@settings(max_examples=60)
@given(commands=st.lists(RANDOM, max_size=25))
def test_random_commands_have_the_answers_of_the_local_filesystem_tool(
    shared_memory: Memory, banks: list[int], tmp_path_factory: pytest.TempPathFactory, commands: list[Command]
) -> None:
    banks[0] += 1
    local = BetaLocalFilesystemMemoryTool(str(tmp_path_factory.mktemp("files")))
    tool = FoxingMemoryTool.connect(shared_memory, f"random-commands-{banks[0]}")
    for command in commands:
        try:
            expected = answer(local.call, command)
        except OSError:  # a file in the place of a directory: that tool lets the system's error through
            assert answer(tool.call, command).startswith("error: ")
        else:
            assert answer(tool.call, command) == expected, command
