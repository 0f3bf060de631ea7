"""Conversations in the console: their list and filters, the chat, the search, and what Markdown may do to a page."""

import base64
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from support.faded import BANK
from support.images import encoded

from foxing.api.console.conversations import one_line, years
from foxing.api.console.markdown import markdown, markdown_text
from foxing.memory import Memory, RecalledMessage

from .test_pages import shown
from .test_safety import NASTY, Reader

HOME = f"/console/banks/{BANK}"
TAGS = {
    *("p", "br", "ul", "ol", "li", "strong", "em", "s", "code", "pre", "a", "blockquote", "figure", "figcaption", "hr"),
    *("table", "thead", "tbody", "tr", "th", "td", "span", "mark"),
}


def message(text: str, **fields: Any) -> RecalledMessage:
    values: dict[str, Any] = {
        **{"message_id": "m", "ref": "m", "thread": "t", "role": "user", "name": None, "kept": 1.0, "gaps": []},
        **{
            "created_at": datetime(2026, 1, 5, tzinfo=UTC),
            "arrived_at": datetime(2026, 1, 5, tzinfo=UTC),
            "parts": None,
            "text": text,
            "confidence": 1.0,
            "uncertain": [],
        },
        **{"tier": None, "source": "open", "page_ids": [], "score": None, "metadata": {}},
    }
    return RecalledMessage.model_validate(values | fields)


def test_markdown_is_rendered_with_gaps_doubts_and_matches() -> None:
    text = "# Plan\n\n- **mix** the ⋯ soil\n- `code`\n\n```py\nx < 1\n```\n"
    start = text.index("soil")
    html = markdown(message(text, gaps=[text.index("⋯")], kept=0.5, uncertain=[(start, start + 4, 0.3)]), "⋯", ["mix"])
    assert '<p class="heading">Plan</p>' in html
    assert "<strong><mark>mix</mark></strong>" in html
    assert 'class="gap ' in html
    assert 'class="doubt d3"' in html
    assert ">soil</span>" in html
    assert "<code>x &lt; 1" in html
    assert '<figcaption dir="auto">py</figcaption>' in html


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize(
    "form", ["{}", "[{}](https://a.example)", "[x]({})", "[x](https://a.example '{}')", "```{}\n```"]
)
def test_markdown_makes_no_other_elements_and_no_handlers(text: str, form: str) -> None:
    for html in (markdown_text(form.format(text)), markdown_text(f"![{text}]({text}) <{text}>")):
        for tag, attributes in Reader(html).elements:
            assert tag in TAGS
            assert attributes.keys() <= {"class", "dir", "href", "rel", "tabindex", "title", "start", "style"}
            assert (attributes.get("href") or "https://").startswith(("https://", "http://", "mailto:"))
            assert (attributes.get("style") or "text-align:").startswith("text-align:")


def test_characters_that_stand_for_marks_are_not_taken_from_a_text() -> None:
    sly = "\ue000 \ue006 [x](https://a.example/\ue000 'a \ue000 b') \ue001"
    html = markdown(message(f"{sly} ⋯", gaps=[len(sly) + 1], kept=0.9), "⋯")
    assert html.count("<span") == 1


def test_lists_are_filtered_and_filters_removed(console: httpx.Client, memory: Memory) -> None:
    said = {"role": "user", "content": "Plan the garden?", "name": "Kim", "thread": "slack:garden"}
    memory.store(BANK, [said])
    page = shown(console.get(f"{HOME}/conversations", params={"person": "kim", "source": "slack"}))
    assert "Plan the garden?" in page
    assert f'href="{HOME}/conversations?person=kim"' in page
    assert f'href="{HOME}/conversations?source=slack"' in page
    assert "Is Titan still" not in page
    page = shown(console.get(f"{HOME}/conversations", params={"person": "nobody"}))
    assert "No conversation fits" in page


def test_a_conversation_is_renamed_and_found(console: httpx.Client, memory: Memory) -> None:
    path = f"{HOME}/conversation/title"
    headers = {"Origin": str(console.base_url).rstrip("/")}
    for title in NASTY[:3]:
        answer = console.post(path, data={"thread": "later", "title": title, "do": "save"}, headers=headers)
        assert answer.status_code == 200
        assert title in shown(console.get(f"{HOME}/conversation?thread=later"))
        assert "<script>alert" not in console.get(f"{HOME}/conversations").text
    assert "renamed" in shown(console.get(f"{HOME}/conversation?thread=later"))
    console.post(path, data={"thread": "later", "title": "Ship dates", "do": "save"}, headers=headers)
    found = console.get(f"{HOME}/search.json", params={"q": "ship"}).json()
    assert [each["title"] for each in found["threads"]["threads"]] == ["Ship dates"]
    assert found["messages"]["spans"]
    console.post(path, data={"thread": "later", "do": "reset"}, headers=headers)
    assert memory.operations.thread(BANK, "later").title == "Is Titan still in March?"
    assert console.get(f"{HOME}/conversation?{urlencode({'thread': 'nobody'})}").status_code == 404


def test_a_chat_folds_calls_and_shows_images(console: httpx.Client, memory: Memory) -> None:
    image = {"type": "image", "data": base64.b64encode(encoded()).decode(), "alt": "A balcony"}
    call = {"type": "tool_call", "id": "c", "name": "weather", "arguments": {"place": "<b>Lyon"}}
    result = {"type": "tool_result", "id": "c", "content": "sun " * 100}
    memory.store(
        BANK,
        [
            {"role": "user", "content": [{"type": "text", "text": "Look **here**"}, image], "thread": "parts"},
            {"role": "assistant", "content": [call], "thread": "parts"},
            {"role": "tool", "content": [result], "thread": "parts"},
        ],
    )
    page = console.get(f"{HOME}/conversation?thread=parts")
    assert "<strong>here</strong>" in page.text
    assert '<code dir="auto">weather · {"place": "&lt;b&gt;Lyon" }' in page.text.replace("&#34;", '"').replace(
        "{ ", "{"
    )
    assert page.text.count('<details class="tool">') == 2
    elements = Reader(page.text).elements
    [address] = [
        attributes["src"] for tag, attributes in elements if tag == "img" and attributes.get("alt") == "A balcony"
    ]
    assert console.get(str(address)).headers["content-type"] == "image/png"


def test_months_have_bars_by_their_messages() -> None:
    days = {date(2026, 3, 1): 8, date(2026, 3, 9): 8, date(2024, 12, 31): 1}
    rows = years(days)
    assert [(year, number) for year, number, _ in rows] == [(2026, 16), (2024, 1)]
    assert [(month.messages, month.height) for month in rows[0][2]][2] == (16, 8)
    assert rows[1][2][11].height == 1
    assert sum(month.height for month in rows[1][2]) == 1
    assert one_line("a\n" * 200).endswith("…")
