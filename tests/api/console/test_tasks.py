"""Ten tasks of a new user, in a browser at the width of a desk and of a phone: the clicks of each from the start page,
and that none ends where nothing leads further.

A task is a function of a `Visitor`, in `TASKS`; only `Visitor.click` and `Visitor.choose` count. `pytest -rP` prints
the clicks and the seconds of each.
"""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.faded import BANK

from foxing.memory import Memory

from .test_browser import CHROMIUM, PLANTED, WIDER, browser, open_page, sync_api

__all__ = ["browser", "open_page"]  # fixtures

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium (Debian: chromium-headless-shell)"),
]
MAX_CLICKS = 4
START = "/console"
SPRING = datetime(2026, 4, 12, 10, tzinfo=UTC)
WIDTHS = {"desk": 1_440, "phone": 360}


class Visitor:
    """A person before the start page, whose clicks are counted. Typing is not: a field that is filled is focused by a
    click of its own only where it is not the first of its form."""

    def __init__(self, page: Any, memory: Memory, folder: Path) -> None:
        self.page = page
        self.memory = memory
        #: Folder with conversations to import.
        self.folder = folder
        self.clicks = 0

    def click(self, role: str, name: str, *, exact: bool = False) -> None:
        """Clicks the first element with a role and a name."""
        self.clicks += 1
        self.page.get_by_role(role, name=name, exact=exact).first.click()

    def choose(self, label: str, path: Path) -> None:
        """Chooses a folder, which is a click on its field."""
        self.clicks += 1
        self.page.get_by_label(label).set_input_files(path)

    def fill(self, label: str, text: str) -> None:
        """Types into a field."""
        self.page.get_by_label(label, exact=True).fill(text)

    def press_enter(self) -> None:
        """Sends the field that was filled, which is a click more."""
        self.clicks += 1
        self.page.keyboard.press("Enter")

    def expect(self, text: str | re.Pattern[str]) -> None:
        """Waits until the page shows a text."""
        sync_api.expect(self.page.get_by_text(text).first).to_be_visible(timeout=60_000)


def find_the_tomatoes(visitor: Visitor) -> None:
    visitor.fill("Search all banks", "tomatoes with blight")
    visitor.press_enter()
    visitor.expect("2026-04-12")
    visitor.click("link", "more")
    visitor.expect("water at the root")


def what_was_decided_about_titan(visitor: Visitor) -> None:
    visitor.click("link", BANK, exact=True)
    visitor.click("link", "Recall", exact=True)
    visitor.fill("Question", "When do we ship Titan?")
    visitor.click("button", "Recall", exact=True)
    visitor.expect("Titan ships on 14 March")
    assert visitor.page.locator(".gap").count() > 0  # what faded


def why_was_this_recalled(visitor: Visitor) -> None:
    visitor.click("link", BANK, exact=True)
    visitor.click("link", "Recall", exact=True)
    visitor.fill("Question", "Titan in March")
    visitor.click("button", "Recall", exact=True)
    visitor.expect("lent by neighbours")
    assert visitor.page.locator(".hit mark").count() > 0


def undo_the_ageing_of_yesterday(visitor: Visitor) -> None:
    visitor.click("link", BANK, exact=True)
    visitor.click("button", "Undo ageing")
    visitor.expect("Pages that are as sharp as before")
    assert visitor.memory.pages(BANK).pages[0].tier == "base"


def import_a_folder(visitor: Visitor) -> None:
    visitor.fill("Name of the bank", "imported")
    visitor.click("button", "Continue")
    visitor.fill("Time zone of times without an offset", "UTC")
    visitor.choose("Folder, with everything in it", visitor.folder)
    visitor.click("button", "Import", exact=True)
    visitor.page.wait_for_url("**/import?id=*")
    visitor.expect("State: done")
    assert visitor.memory.bank("imported").messages == 1


def release_from_quarantine(visitor: Visitor) -> None:
    visitor.click("link", f"Quarantine of {BANK}")
    visitor.click("button", "Release")
    visitor.expect("instructions to a model: 0.")
    assert visitor.memory.message(BANK, "planted").suspicious


def make_a_read_key(visitor: Visitor) -> None:
    visitor.click("link", "Keys", exact=True)
    visitor.fill("Who uses it", "Ana")
    visitor.click("button", "Create the key")
    visitor.expect("Copy the key now.")
    assert [key.role for key in visitor.memory.operations.keys.list().keys] == ["read"]


def what_the_model_sees(visitor: Visitor) -> None:
    visitor.click("link", BANK, exact=True)
    visitor.click("link", "Context", exact=True)
    visitor.expect("billed tokens")
    visitor.expect("Is Titan still in March?")


def what_fades_next_month(visitor: Visitor) -> None:
    visitor.click("link", BANK, exact=True)
    visitor.click("link", "Policy", exact=True)
    visitor.click("button", "Show what fades within 30 days")
    visitor.expect("What fades within 30 days")
    visitor.expect(re.compile("Pages that would move to a lower tier: 1|No page moves"))


#: Name → task. The tenth, a photograph at each age, belongs to the page of a message.
TASKS: dict[str, Callable[[Visitor], None]] = {
    "find the tomato conversation of last spring": find_the_tomatoes,
    "what was decided about Titan, and what faded": what_was_decided_about_titan,
    "why was this recalled": why_was_this_recalled,
    "undo the ageing of yesterday": undo_the_ageing_of_yesterday,
    "import a folder": import_a_folder,
    "release from quarantine": release_from_quarantine,
    "make a read key": make_a_read_key,
    "what does the model see": what_the_model_sees,
    "what fades next month": what_fades_next_month,
}


@pytest.fixture
def situation(memory: Memory, tmp_path: Path) -> Path:
    """The bank with a conversation of last spring and a message in quarantine; a folder to import."""
    said = [
        {"role": "user", "content": "My tomatoes have blight, what should I do?", "created_at": SPRING},
        {
            "role": "assistant",
            "content": "Tomatoes with blight: remove the leaves, water at the root.",
            "created_at": SPRING + timedelta(minutes=1),
        },
    ]
    memory.store("garden", said, thread="tomatoes")
    memory.set_policy(BANK, memory.policy(BANK).model_dump(mode="json") | {"quarantine_trust": ["tool"]})
    memory.store(BANK, [{"id": "planted", "role": "tool", "content": PLANTED}])
    folder = tmp_path / "talks"
    folder.mkdir()
    (folder / "2026-03-02.log").write_text("[09:00] <ann> In the garden\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("task", TASKS)
def test_a_task_takes_few_clicks(
    open_page: Callable[..., Any], memory: Memory, situation: Path, task: str, width: str
) -> None:
    page = open_page("about:blank")
    page.set_viewport_size({"width": WIDTHS[width], "height": 800})
    page.goto(START)
    visitor = Visitor(page, memory, situation)
    begun = time.monotonic()
    TASKS[task](visitor)
    print(f"{task}, {width}: {visitor.clicks} clicks, {time.monotonic() - begun:.1f} s")
    assert visitor.clicks <= MAX_CLICKS
    if width == "phone":
        assert page.evaluate(WIDER) == []
    if "/login" not in page.url:  # a page that leads further, beside the navigation
        assert page.locator("main a, main button").count() > 0
    assert page.get_by_role("link", name="Banks", exact=True).count() == 1
