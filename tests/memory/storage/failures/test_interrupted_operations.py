"""Ageing of pages and their images, undo and folds that are killed, or find a full disk, at any statement: nothing is
lost, every page and image is whole at one tier, and doing it again ends as if nothing had happened."""

import base64
import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.databases import execute
from support.images import encoded, picture, pixels_of
from support.operations.failures import at_each_statement
from support.operations.interrupted import BANK, OPERATIONS, OPTIONS, START, full, interrupt, opened
from support.processes import start_python

from foxing.memory import ImagePart, Memory, StorageError
from foxing.memory.check.check import DatabaseCheck

MESSAGES = 6
#: Statements at which an operation is interrupted, evenly from the first to the last.
POINTS = 5
CODE = "from support.operations.interrupted import main; main()"
FULL = "is on a full disk, and the last change was not stored; free some space and try again"


def fill(url: str, operation: str) -> None:
    """Makes a bank to do the operation on: messages on a page, each with an image."""
    with opened(url) as memory:
        memory.set_policy(BANK, {"age_from": "message", "undo_window": "P60D"})
        for number in range(MESSAGES):
            data = base64.b64encode(encoded("JPEG", picture(900, 600, number), quality=90)).decode()
            text = {"type": "text", "text": f"The courier came on day {number} with {7 * number} parcels."}
            content = [text, {"type": "image", "data": data}]
            at = START + timedelta(minutes=number)
            memory.store(BANK, [{"id": str(number), "role": "user", "content": content, "created_at": at}])
        memory.seal(BANK)
        if operation == "undo":
            OPERATIONS["ageing"](memory)


def state(memory: Memory) -> list[Any]:
    """What the bank holds, after a check that it is whole."""
    assert DatabaseCheck(memory._database, memory._codecs, OPTIONS.search()).run().sound
    spans = {span.message_id: span for span in memory.export(BANK)}
    assert spans.keys() >= {str(number) for number in range(MESSAGES)}
    images = [part for span in spans.values() for part in span.parts or [] if isinstance(part, ImagePart)]
    for image in images:
        assert pixels_of(base64.b64decode(image.data or "")).size == (image.width, image.height)
    pages = memory.pages(BANK).pages
    for page in pages:
        assert memory.page_tokens(BANK, page.id).tier == page.tier
    held = [(image.tier, image.width, image.data) for image in images]
    return [[span.text for span in spans.values()], held, [(page.tier, page.pinned) for page in pages]]


def repeated(url: str, operation: str) -> list[Any]:
    """Does an interrupted operation again, and returns what it gives and what the bank then holds."""
    execute(url, "UPDATE pages SET lease_until = NULL")  # as they do a minute later
    with opened(url) as memory:
        state(memory)
        given = OPERATIONS[operation](memory)
        return [json.dumps(given), *state(memory)]


def error_of(work: Callable[[], Any]) -> str | None:
    """Returns the error of a database that `work` ends in; None if it does not."""
    try:
        work()
    except StorageError as error:
        return str(error)
    return None


@pytest.mark.slow
@pytest.mark.parametrize("how", ["killed", "full disk"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_interrupted_operation_loses_nothing(operation: str, how: str, tmp_path: Path) -> None:
    first, whole = tmp_path / "first.db", tmp_path / "whole.db"
    fill(f"sqlite:///{first}", operation)
    shutil.copy(first, whole)
    with (
        opened(f"sqlite:///{whole}") as memory,
        at_each_statement(str(memory.operations.database_url), lambda *_: None) as count,
    ):
        given = OPERATIONS[operation](memory)
        statements = count()
        expected = [json.dumps(given), *state(memory)]
    interrupted = 0
    for point in range(POINTS):
        number = 1 + round(point * (statements - 1) / (POINTS - 1))
        path = tmp_path / f"{number}.db"
        url = f"sqlite:///{path}"
        shutil.copy(first, path)
        if how == "killed":
            with start_python(CODE, url, operation, str(number)) as process:
                interrupted += "done" not in process.stdout.read()
                process.wait()
        else:
            with opened(url) as memory, at_each_statement(url, interrupt(number, full)):
                reason = error_of(partial(OPERATIONS[operation], memory))
            interrupted += reason is not None
            assert reason is None or FULL in reason
        assert repeated(url, operation) == expected, number
    assert interrupted >= POINTS - 1  # what follows the last change may be left out
