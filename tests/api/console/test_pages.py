"""Pages of the console without a browser: what they show, their JSON, and what their forms do."""

import base64
import json
import re
import time
from html import unescape
from typing import Any

import httpx
import pytest
from support.faded import BANK
from support.images import encoded
from support.service import serve

from foxing.memory import Memory, NotFound

from .conftest import MESSAGES

HOME = f"/console/banks/{BANK}"
PAGES = (
    "overview",
    "conversations",
    "conversation?thread=later",
    "search?q=titan",
    "timeline",
    "message?id=whole",
    "recall?q=titan",
    "context?reader=claude&budget=2000&q=titan",
)
PAGES = (*(f"{HOME}/{page}" for page in (*PAGES, "policy", "import", "savings", "quarantine")), "/console/banks")
SERVICE = ("health", "keys", "audit", "audit/verification", "holds", "persons?person=mina", "usage")
PAGES = (*PAGES, *(f"/console/{page}" for page in SERVICE))


def shown(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return unescape(response.text)


def ended(console: httpx.Client, response: httpx.Response) -> dict[str, Any]:
    """The job that a page shows, once it has ended."""
    while not (job := console.get(f"{response.url.path}.json").json())["ended"]:
        time.sleep(0.05)
    return dict(job)


@pytest.mark.slow
@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_a_title_and_a_policy_of_contents(shared: tuple[httpx.Client, Memory], path: str) -> None:
    console, _ = shared
    response = console.get(path)
    assert "<h1" in shown(response)
    assert response.headers["content-security-policy"].startswith("default-src 'self'; img-src 'self' data:;")
    assert response.headers["cache-control"] == "no-store"
    assert len(response.content) < 200_000
    assert "<script>" not in response.text  # only files of the service


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_json_beside_it(shared: tuple[httpx.Client, Memory], path: str) -> None:
    console, _ = shared
    name, _, query = path.partition("?")
    response = console.get(f"{name}.json?{query}")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    json.loads(response.text)


def test_the_start_is_the_list_of_banks(shared: tuple[httpx.Client, Memory]) -> None:
    console, _ = shared
    response = console.get("/console")
    assert response.url.path == "/console/banks"
    assert BANK in shown(response)
    assert console.get("/console/").url.path == "/console/banks"


def test_a_search_over_all_banks(console: httpx.Client, memory: Memory) -> None:
    memory.store("other", [{"role": "user", "content": "The Titan brochure is at the printer's."}])
    text = shown(console.get("/console/banks", params={"q": "Titan brochure"}))
    assert "the printer's" in text
    assert f"{HOME}/timeline?q=" in text
    assert "Nothing relevant" in shown(console.get("/console/banks", params={"q": "xylophone"}))


def test_the_timeline_begins_with_the_last_day_and_goes_back(shared: tuple[httpx.Client, Memory]) -> None:
    console, _ = shared
    assert "Is Titan still in March?" in shown(console.get(f"{HOME}/timeline"))
    old = shown(console.get(f"{HOME}/timeline", params={"since": "2026-01-05"}))
    assert "Is Titan still in March?" not in old
    assert 'class="gap' in old
    assert "characters have faded" in old
    next_page = old.split('rel="next" href="')[1].split('"')[0]
    more = console.get(next_page, headers={"HX-Request": "true"})
    assert "<html" not in more.text
    assert "<article" in more.text
    assert "Is Titan still in March?" in shown(console.get(f"{HOME}/timeline", params={"thread": "later"}))


def test_a_search_covers_the_bank_unless_the_form_says_otherwise(shared: tuple[httpx.Client, Memory]) -> None:
    """The form of the page that is opened first, on the newest day, searches all days; what restricts a search is
    said."""
    console, _ = shared
    opened = shown(console.get(f"{HOME}/timeline"))
    assert "the day of the newest message" in opened
    form = dict(re.findall(r'<input[^>]* name="(\w+)" value="([^"]*)"', opened))
    searched = shown(console.get(f"{HOME}/timeline", params={**form, "q": "7f3a91c2"}))
    assert "message?id=whole" in searched
    assert "In the whole bank" in searched
    for restricted in ({"since": "2026-02-01"}, {"thread": "later"}):
        text = shown(console.get(f"{HOME}/timeline", params={**form, "q": "7f3a91c2", **restricted}))
        assert "message?id=whole" not in text
        assert "Only" in text
        assert f'{HOME}/timeline?q=7f3a91c2">Search the whole bank' in text


def test_a_search_marks_words_and_changes_no_recall_weight(shared: tuple[httpx.Client, Memory]) -> None:
    console, memory = shared
    before = memory.message(BANK, "open").recall_weight
    text = shown(console.get(f"{HOME}/timeline", params={"q": "Titan in March"}))
    assert "<mark>Titan</mark>" in text
    shown(console.get(f"{HOME}/recall", params={"q": "Titan in March"}))
    assert memory.message(BANK, "open").recall_weight == before


def test_a_message_with_its_page_at_each_tier(shared: tuple[httpx.Client, Memory]) -> None:
    console, memory = shared
    text = shown(console.get(f"{HOME}/message", params={"id": "whole"}))
    page = memory.message(BANK, "whole").page_ids[0]
    assert f"{HOME}/pages/{page}/image?tier=micro" in text
    assert "tier=small" not in text  # sharper than what is left
    assert "Around it in its thread" in text
    image = console.get(f"{HOME}/pages/{page}/image", params={"tier": "micro"})
    assert image.content.startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_long_message_comes_in_parts(console: httpx.Client, memory: Memory) -> None:
    memory.store(BANK, [{"id": "long", "role": "user", "content": "word " * 9_000 + "the end"}])
    first = console.get(f"{HOME}/message", params={"id": "long"})
    assert len(first.content) < 200_000
    assert "from=20000" in shown(first)
    last = shown(console.get(f"{HOME}/message", params={"id": "long", "from": "40000"}))
    assert "the end" in last


def test_a_recall_with_its_reasons(shared: tuple[httpx.Client, Memory]) -> None:
    console, _ = shared
    text = shown(console.get(f"{HOME}/recall", params={"q": "When do we ship Titan?", "max_tokens": "40"}))
    for words in ("score", "words", "meaning", "lent by neighbours", "relevance", "Left out", "no room", "text tokens"):
        assert words in text


@pytest.mark.slow
def test_a_context_as_the_model_sees_it(shared: tuple[httpx.Client, Memory]) -> None:
    console, _ = shared
    path = f"{HOME}/context"
    text = shown(console.get(path, params={"reader": "claude", "budget": "2000", "q": "Titan"}))
    assert "billed tokens" in text
    for address in [part.split('"')[0] for part in text.split('src="') if part.startswith("/console/images/")]:
        assert console.get(address).content.startswith(b"\x89PNG")
    assert console.get("/console/images/none").status_code == 404
    body = console.get(f"{path}.json", params={"reader": "claude", "budget": "2000", "q": "Titan"}).json()
    assert body["content"]
    assert console.get(path, params={"reader": "cluade", "budget": "2000"}).status_code == 422
    assert console.get(path, params={"reader": "claude", "budget": "many"}).status_code == 422


@pytest.mark.slow
def test_a_policy_is_previewed_before_it_is_saved(console: httpx.Client, memory: Memory) -> None:
    policy = {"age_from": "message", "steps": [{"after": "P900D", "tier": "tiny"}]}
    text = shown(console.post(f"{HOME}/policy", data={"policy": json.dumps(policy), "do": "preview"}))
    assert "Pages that would move now" in text
    assert "Save" in text
    assert [step.tier for step in memory.policy(BANK).steps] == ["micro"]
    saved = console.post(f"{HOME}/policy", data={"policy": json.dumps(policy), "do": "save"})
    assert saved.url.path == f"{HOME}/policy"
    assert [step.tier for step in memory.policy(BANK).steps] == ["tiny"]
    for wrong in ("{", json.dumps({"steps": [{"after": "P1D", "tier": "large"}]})):
        refused = console.post(f"{HOME}/policy", data={"policy": wrong, "do": "save"})
        assert refused.status_code == 422
    assert [step.tier for step in memory.policy(BANK).steps] == ["tiny"]


def test_a_policy_by_its_steps(console: httpx.Client, memory: Memory) -> None:
    kept = memory.policy(BANK).model_dump(mode="json") | {"keep_text": "until:tiny"}
    steps = {"policy": json.dumps(kept), "fresh": "base", "after_small": "1.5", "after_micro": "90"}
    text = shown(console.post(f"{HOME}/policy", data=steps | {"do": "preview"}))
    assert "from 1 days: small; from 90 days: micro" in text
    assert memory.policy(BANK).keep_text == "fresh"
    console.post(f"{HOME}/policy", data=steps | {"do": "save"})
    saved = memory.policy(BANK)
    assert [(step.after.total_seconds(), step.tier) for step in saved.steps] == [
        (129_600, "small"),
        (7_776_000, "micro"),
    ]
    assert saved.keep_text == "until:tiny"
    for wrong in ({"after_small": "soon"}, {"after_small": "1e99"}, {"after_small": "-1"}, {"fresh": "huge"}):
        refused = console.post(f"{HOME}/policy", data=steps | {"do": "save"} | wrong)
        assert refused.status_code == 422
    assert memory.policy(BANK) == saved


@pytest.mark.slow
def test_pages_at_an_age(console: httpx.Client, memory: Memory) -> None:
    memory.undo(BANK)
    page = memory.pages(BANK).pages[0].id
    policy = {"policy": json.dumps({"steps": [{"after": "P9D", "tier": "tiny"}]}), "do": "look"}
    for days, tier in (("0", "base"), ("8", "base"), ("9", "tiny"), ("400", "tiny"), ("", "tiny")):
        text = shown(console.post(f"{HOME}/policy", data=policy | {"age_days": days}))
        assert f"{HOME}/pages/{page}/image?tier={tier}" in text
    assert "image?tier=micro" in shown(console.get(f"{HOME}/policy", params={"age_days": "4000"}))
    assert console.get(f"{HOME}/policy", params={"age_days": "old"}).status_code == 422


def test_what_stays_exact_of_a_message(shared: tuple[httpx.Client, Memory]) -> None:
    console, _ = shared
    kept = "https://example.org/orders/7f3a91c2"
    assert f'<code dir="auto">{kept}</code>' in shown(console.get(f"{HOME}/message", params={"id": "whole"}))
    assert console.get(f"{HOME}/message.json", params={"id": "whole"}).json()["keepsakes"] == [kept]
    assert "chosen when it is sealed" in shown(console.get(f"{HOME}/message", params={"id": "open"}))


def test_what_folding_saved_in_all_banks(console: httpx.Client, memory: Memory) -> None:
    assert "No calls are recorded." in shown(console.get("/console/health"))
    for number, bank in enumerate((BANK, "other")):
        call = {"id": "c", "called_at": memory.now(), "model": "m", "wire": "anthropic", "folded": True}
        tokens = {"fresh_tokens": 100 * (number + 1), "original_tokens": 1_000, "original_prefix": 0}
        memory.record_model_calls(bank, [call | tokens])
    text = shown(console.get("/console/health"))
    assert "1,700 (85%)" in text
    assert 'aria-label="Saved by day"' in text
    assert console.get("/console/health.json").json()["savings"]["saved"] == 1_700
    assert memory.savings(None).total.calls == 2


def test_what_is_due_is_listed(console: httpx.Client, memory: Memory) -> None:
    assert "messages to seal: 2" in shown(console.get("/console/banks"))
    assert "messages to seal: 2" in shown(console.get(f"{HOME}/overview"))
    memory.tick()
    assert "Due: nothing" in shown(console.get(f"{HOME}/overview"))


@pytest.mark.slow
def test_pins_seals_ages_and_undoes(console: httpx.Client, memory: Memory) -> None:
    page = memory.message(BANK, "whole").page_ids[0]
    console.post(f"{HOME}/pages/{page}/pin", data={"pinned": "true", "back": f"{HOME}/message?id=whole"})
    assert memory.page(BANK, page).pinned
    away = console.post(f"{HOME}/pages/{page}/pin", data={"pinned": "false", "back": "//evil.example/"})
    assert away.url.path == f"{HOME}/overview"
    assert not memory.page(BANK, page).pinned
    assert ended(console, console.post(f"{HOME}/undo", data={"page": page}))["error"] is None
    assert memory.page(BANK, page).tier == "base"
    due = shown(console.post(f"{HOME}/age", data={"dry_run": "true"}))
    assert "What is due" in due
    assert "dry_run" in due
    sealed = console.post(f"{HOME}/seal")
    assert ended(console, sealed)["report"]["messages"] == 2
    assert "done" in shown(console.get(sealed.url.path))
    assert memory.bank(BANK).open_messages == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "name", "typed"), [("message", "whole", "whole"), ("thread", "later", "later"), ("bank", "", BANK)]
)
def test_what_is_erased_has_to_be_typed(
    console: httpx.Client, memory: Memory, what: str, name: str, typed: str
) -> None:
    for wrong in ("", "yes", "m5"):
        refused = console.post(f"{HOME}/erase", data={"what": what, "name": name, "confirmation": wrong})
        assert refused.status_code == 422
        assert "nothing was erased" in refused.text
    assert memory.bank(BANK).messages == MESSAGES
    response = console.post(f"{HOME}/erase", data={"what": what, "name": name, "confirmation": typed})
    if what == "message":
        assert "bytes_before" in shown(response)
    else:
        assert ended(console, response)["error"] is None
    with pytest.raises(NotFound):
        memory.bank(BANK) if what == "bank" else memory.message(BANK, "whole" if what == "message" else "open")


def test_a_job_that_fails_says_why(shared: tuple[httpx.Client, Memory]) -> None:
    console, _ = shared
    data = {"what": "thread", "name": "none", "confirmation": "none"}
    response = console.post(f"{HOME}/erase", data=data)
    assert "there is no thread" in ended(console, response)["error"]
    assert "there is no thread" in shown(console.get(response.url.path))
    assert console.get("/console/jobs/none").status_code == 404
    missing = console.post(f"{HOME}/erase", data={"what": "message", "name": "none", "confirmation": "none"})
    assert missing.status_code == 404
    assert "there is no message" in missing.text


def test_a_file_is_checked_and_imported(console: httpx.Client, memory: Memory) -> None:
    file = {"file": ("talk.jsonl", b'{"role": "user", "content": "Hello there."}\n' * 3)}
    path = "/console/banks/imported/import"
    preview = shown(console.post(path, data={"dry_run": "true"}, files=file))
    assert "3 messages" in preview
    with pytest.raises(NotFound):
        memory.bank("imported")
    response = console.post(path, data={"dry_run": "false"}, files=file)
    while console.get(f"{path}.json", params={"id": response.url.params["id"]}).json()["state"] != "done":
        time.sleep(0.05)
    assert memory.bank("imported").messages == 3
    assert console.post(path, data={"dry_run": "false"}).status_code == 422
    broken = {"file": ("x.json", b"\x00\x01")}
    assert console.post(path, data={"dry_run": "false"}, files=broken).status_code == 422
    chosen = console.get("/console/banks", params={"import": "new-bank"})
    assert chosen.url.path == "/console/banks/new-bank/import"
    assert console.get("/console/banks", params={"import": "a/b"}).status_code == 422


def test_an_export_has_every_message(console: httpx.Client) -> None:
    lines = console.get(f"{HOME}/export").text.splitlines()
    assert len(lines) == MESSAGES
    assert json.loads(lines[0])["created_at"].startswith("2026-01-05")


def test_pages_that_are_not_there(shared: tuple[httpx.Client, Memory]) -> None:
    console, _ = shared
    assert "there is no bank" in unescape(console.get("/console/banks/none/overview").text)
    for path in ("/console/nothing", "/console/static/nothing", f"{HOME}/message?id=none", f"{HOME}/savings?by=hour"):
        assert console.get(path).status_code in (404, 422)


def test_gaps_are_as_wide_as_what_has_faded(shared: tuple[httpx.Client, Memory]) -> None:
    console, memory = shared
    faded = next(message for message in memory.export(BANK) if message.gaps and len(message.gaps) < 3)
    there = len(faded.text) - 3 * len(faded.gaps)
    missing = there * (1 - faded.kept) / faded.kept / len(faded.gaps)
    text = shown(console.get(f"{HOME}/message", params={"id": faded.message_id}))
    assert int(text.split("about ")[1].split()[0]) == pytest.approx(missing, abs=1)


def test_the_console_can_be_switched_off(memory: Memory) -> None:
    with serve(memory, console=False) as client:
        assert client.get("/console").status_code == 404
        assert client.get("/console/banks").status_code == 404


def test_text_in_an_image_is_shown_as_read_by_machine(console: httpx.Client, memory: Memory) -> None:
    read = {"text": "quota <exceeded> in Reykjavik", "confidence": 0.93}
    image = {"type": "image", "data": base64.b64encode(encoded()).decode(), "name": "log.png", "machine_read": read}
    memory.store(BANK, [{"id": "picture", "role": "user", "content": [{"type": "text", "text": "Look here"}, image]}])
    memory.seal(BANK)
    for path, asked in (("message", {"id": "picture"}), ("recall", {"q": "quota exceeded Reykjavik"})):
        text = console.get(f"{HOME}/{path}", params=asked).text
        assert "read by machine: 93%" in text
        assert "quota &lt;exceeded&gt; in Reykjavik" in text
