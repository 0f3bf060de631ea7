"""Storing of turns that hooks announce."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.agent_sessions import Announce, ClaudeSession

from foxing.integrations.hooks.intake import Intake
from foxing.integrations.hooks.notes import stored_last
from foxing.integrations.hooks.places import log_of, spool_of
from foxing.integrations.hooks.projects import bank_of
from foxing.integrations.hooks.spool import waiting
from foxing.memory import Memory, NotFound
from foxing.memory.ingest.importers import import_file

pytestmark = pytest.mark.usefixtures("words_alone")


def texts(memory: Memory, bank: str, thread: str | None = None) -> list[str]:
    return [span.text for span in memory.recall(bank, None, thread=thread, limit=500).spans]


def test_a_turn_is_stored_once_under_the_ids_of_the_importer(
    intake: Intake, session: ClaudeSession, announce: Announce
) -> None:
    bank = bank_of(session.project)
    session.say(("why is the build red", "ruff found an unused import"))
    announce("Stop", session.payload("Stop"))
    announce("Stop", session.payload("Stop"))
    assert intake.take_in() == 2
    session.say(("fix it", "done"))
    announce("Stop", session.payload("Stop"))
    intake.take_in()
    expected = ["why is the build red", "ruff found an unused import", "fix it", "done"]
    assert texts(intake.memory, bank, session.thread) == expected
    report = import_file(intake.memory, session.path, bank=bank)
    assert (report.stored, report.duplicates) == (0, 4)
    last = stored_last(intake.database)[bank]
    assert (last["tool"], last["thread"], last["messages"]) == ("claude-code", session.thread, 2)
    assert waiting(spool_of(intake.database)) == []


def test_what_the_tool_writes_after_its_hook_is_stored(
    intake: Intake, session: ClaudeSession, announce: Announce
) -> None:
    session.say(("first", "one"))
    announce("Stop", session.payload("Stop"))
    intake.take_in()
    with session.path.open("a") as log:
        late = session.line("assistant", "late")
        log.write(late[:40])
        log.flush()
        intake.look_again()
        log.write(f"{late[40:]}\n")
    intake.look_again(rest=True)
    assert texts(intake.memory, bank_of(session.project)) == ["first", "one", "late"]


def test_another_process_takes_in_what_a_killed_one_left(
    intake: Intake, session: ClaudeSession, announce: Announce
) -> None:
    bank = bank_of(session.project)
    session.say(("first", "one"))
    path = Path(announce("Stop", session.payload("Stop")))
    event = path.read_bytes()
    intake.take_in()
    path.write_bytes(event)  # as if it had been killed before the event was removed
    after = Intake(intake.memory, intake.database, intake.answers)
    assert after.take_in() == 1
    assert texts(intake.memory, bank) == ["first", "one"]


def test_a_log_that_cannot_be_stored_now_is_noted_and_read_again(
    intake: Intake, session: ClaudeSession, announce: Announce
) -> None:
    session.say(("first", "one"))
    text = session.path.read_text()
    session.path.write_text(text.replace('"2026-', '"2126-'))  # a clock that is wrong
    announce("Stop", session.payload("Stop"))
    intake.take_in()
    assert "in the future" in Path(log_of(intake.database)).read_text()
    session.path.write_text(text)
    intake.look_again()
    assert texts(intake.memory, bank_of(session.project)) == ["first", "one"]


def test_what_was_erased_does_not_come_back_from_the_log(
    intake: Intake, session: ClaudeSession, announce: Announce
) -> None:
    bank = bank_of(session.project)
    session.say(("a secret of mine", "I see"))
    announce("Stop", session.payload("Stop"))
    intake.take_in()
    intake.memory.erase_message(bank, intake.memory.recall(bank, None).spans[0].message_id)
    session.say(("next", "done"))
    after = Intake(intake.memory, intake.database, intake.answers)
    announce("SessionStart", session.payload("SessionStart", source="resume"))
    after.take_in()
    while after.import_past():
        pass
    assert texts(intake.memory, bank) == ["I see", "next", "done"]


def test_a_log_that_was_replaced_is_stored(intake: Intake, session: ClaudeSession, announce: Announce) -> None:
    session.say(("first", "one"))
    announce("Stop", session.payload("Stop"))
    intake.take_in()
    session.path.unlink()
    session.say(("second", "two"))
    announce("Stop", session.payload("Stop"))
    intake.take_in()
    assert texts(intake.memory, bank_of(session.project)) == ["first", "one", "second", "two"]


def test_private_text_and_secrets_are_not_stored(intake: Intake, session: ClaudeSession, announce: Announce) -> None:
    key = "sk-ant-api03-" + "aB3dE5fG7h" * 9
    session.say((f"use <private>my diary</private> and the key {key}", "ok"))
    announce("Stop", session.payload("Stop"))
    intake.take_in()
    (first, _) = texts(intake.memory, bank_of(session.project))
    assert "diary" not in first
    assert key not in first


def test_private_text_is_not_stored_in_a_bank_without_rules_either(
    intake: Intake, session: ClaudeSession, announce: Announce
) -> None:
    intake.memory.store("main", [{"role": "user", "content": "hello"}])
    session.say(("use <private>my diary</private>", "ok"))
    announce("Stop", session.payload("Stop"), bank="main")
    intake.take_in()
    assert texts(intake.memory, "main", session.thread) == ["use [redacted: private]", "ok"]
    with pytest.raises(NotFound):
        intake.memory.bank(bank_of(session.project))


def test_past_sessions_of_the_project_are_imported_oldest_first(
    intake: Intake, session: ClaudeSession, announce: Announce, home: Path
) -> None:
    earlier = ClaudeSession(home / ".claude" / "projects", session.project, "earlier")
    earlier.say(("what broke on Monday", "the nightly job"))
    below = ClaudeSession(home / ".claude" / "projects", session.project / "docs", "below")
    below.say(("spell check", "done"))
    other = ClaudeSession(home / ".claude" / "projects", home / "elsewhere", "other")
    other.say(("secret of another project", "yes"))
    announce("SessionStart", session.payload("SessionStart", source="startup"))
    intake.take_in()
    assert intake.past == 2
    while intake.import_past():
        pass
    bank = bank_of(session.project)
    found = {span.thread for span in intake.memory.recall(bank, None, limit=500).spans}
    assert found == {earlier.thread, below.thread}
    announce("SessionStart", session.payload("SessionStart", source="startup"))
    intake.take_in()
    assert intake.past == 0


def test_past_sessions_of_codex_are_found_by_the_folder_that_they_name(
    intake: Intake, project: Path, announce: Announce, home: Path
) -> None:
    for name, folder in (("a", project), ("b", home)):
        path = home / ".codex" / "sessions" / "2026" / "09" / "01" / f"rollout-{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines: list[dict[str, Any]] = [
            {"type": "session_meta", "payload": {"id": name, "cwd": str(folder)}},
            {
                "timestamp": "2026-09-01T08:00:00.000Z",
                "type": "response_item",
                "payload": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": name}]},
            },
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    announce("SessionStart", {"session_id": "c", "cwd": str(project)}, "codex")
    intake.take_in()
    while intake.import_past():
        pass
    assert texts(intake.memory, bank_of(project)) == ["a"]


def test_cursor_has_its_messages_in_the_documents_of_hooks(intake: Intake, project: Path, announce: Announce) -> None:
    about = {"conversation_id": "c1", "generation_id": "g1", "workspace_roots": [str(project)]}
    announce("beforeSubmitPrompt", {**about, "prompt": "rename it"}, "cursor")
    path = Path(announce("afterAgentResponse", {**about, "text": "renamed"}, "cursor"))
    event = path.read_bytes()
    announce("stop", about, "cursor")
    intake.take_in()
    path.write_bytes(event)
    intake.take_in()
    assert texts(intake.memory, bank_of(project), "cursor:c1") == ["rename it", "renamed"]


def test_what_hooks_have_is_stored_as_the_row_of_a_host_says(intake: Intake, project: Path, announce: Announce) -> None:
    about = {"session_id": "s1", "cwd": str(project)}
    # what a hook adds to the beginning of a session, Gemini CLI hands to the next one as the prompt's
    prompt = "<hook_context>Remembered: &lt;remembered&gt;old&lt;/remembered&gt;</hook_context>\n\nrename it"
    announce("BeforeAgent", {**about, "prompt": prompt}, "gemini-cli")
    announce("AfterAgent", {**about, "prompt": "rename it", "prompt_response": "renamed"}, "gemini-cli")
    announce("chat.message", {**about, "prompt": "undo it", "message_id": "msg_1"}, "opencode")
    announce("session.idle", {**about, "response": "undone", "message_id": "msg_2"}, "opencode")
    intake.take_in()
    assert texts(intake.memory, bank_of(project), "gemini-cli:s1") == ["rename it", "renamed"]
    assert texts(intake.memory, bank_of(project), "opencode:s1") == ["undo it", "undone"]


def test_what_is_said_while_a_session_is_off_is_never_stored(
    intake: Intake, database: str, project: Path, session: ClaudeSession, announce: Announce
) -> None:
    about = {"session_id": "s1", "cwd": str(project)}
    for prompt in ("keep this", "foxing off", "drop this"):
        announce("BeforeAgent", {**about, "prompt": prompt}, "gemini-cli")
    intake.take_in()
    again = Intake(intake.memory, database, intake.answers)  # a service that starts meanwhile
    for prompt in ("drop that", "Foxing on.", "keep that"):
        announce("BeforeAgent", {**about, "prompt": prompt}, "gemini-cli")
    again.take_in()
    stored = texts(intake.memory, bank_of(project), "gemini-cli:s1")
    assert "keep this" not in stored[1:]
    assert not any("drop" in text for text in stored)
    assert "keep that" in stored
    session.say(("of another session", "it is stored"))
    announce("Stop", session.payload("Stop"))
    again.take_in()
    assert texts(intake.memory, bank_of(project), session.thread) == ["of another session", "it is stored"]


def test_the_end_of_a_session_seals(intake: Intake, session: ClaudeSession, announce: Announce) -> None:
    session.say(("first", "one"))
    announce("SessionEnd", session.payload("SessionEnd", reason="exit"))
    intake.take_in()
    info = intake.memory.bank(bank_of(session.project))
    assert (info.messages, info.open_messages) == (2, 0)


def test_damaged_events_are_put_aside_and_noted(intake: Intake, session: ClaudeSession, announce: Announce) -> None:
    damaged = Path(announce("Stop", session.payload("Stop")))
    damaged.write_bytes(b"half")
    unknown = announce("Nonsense", session.payload("Nonsense"))
    session.say(("first", "one"))
    announce("Stop", session.payload("Stop"))
    assert intake.take_in() == 1
    aside = Path(spool_of(intake.database)) / "damaged"
    assert sorted(each.name for each in aside.iterdir()) == [damaged.stem, Path(unknown).stem]
    assert "Nonsense" in Path(log_of(intake.database)).read_text()
