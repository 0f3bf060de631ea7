"""Text that hosts put among the words of a user is not what the user said."""

import pytest

from foxing.memory.conversation import SessionTurns, parse
from foxing.memory.conversation.hosts import is_errand, is_summary, words_of_user
from foxing.memory.values.fences import fenced

REMINDER = "<system-reminder>\nThe date has changed.\n</system-reminder>"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Fix the build.", "Fix the build."),
        ("What does <system-reminder> mean?", "What does <system-reminder> mean?"),
        (f"{REMINDER}\nFix the build.", "Fix the build."),
        (f"Fix the build.\n\n{REMINDER}\n{REMINDER}", "Fix the build."),
        (f"Fix\n{REMINDER}\nthe build.", "Fix\nthe build."),
        (REMINDER, ""),
        ("<local-command-stdout>Set model to opus</local-command-stdout>", ""),
        ("[Request interrupted by user for tool use]", ""),
        ("<command-name>/review</command-name>\n<command-args>the build</command-args>", "/review the build"),
        ("<command-name>/clear</command-name><command-message>clear</command-message>", ""),
        ("<environment_context>\n<cwd>/home/ana</cwd>\n</environment_context>", ""),
        ("# AGENTS.md instructions for /home/ana", ""),
        (fenced("Remembered from earlier, quoted:", "The build was red."), ""),
        (f"Is it green?\n{fenced('Remembered from earlier, quoted:', 'It was red.')}", "Is it green?"),
    ],
)
def test_words_of_the_user_are_told_from_those_of_the_host(text: str, words: str) -> None:
    assert words_of_user(text).strip() == words


def test_many_elements_are_read_once() -> None:
    assert words_of_user(f"ok\n{REMINDER * 20_000}") == "ok"
    assert words_of_user("<system-reminder>" * 50_000) == "<system-reminder>" * 50_000


def test_reminders_in_the_results_of_tools_are_no_output_of_these() -> None:
    block = {"type": "tool_result", "tool_use_id": "toolu_1", "content": f"1 passed\n\n{REMINDER}"}
    [message] = parse("anthropic", [{"role": "user", "content": [block]}])
    assert [part["content"] for turn in message.turns for part in turn.parts] == ["1 passed"]


def test_requests_that_hosts_make_for_themselves() -> None:
    title = "Generate a concise, sentence-case title (3-7 words) that captures the main topic or goal of this session."
    assert is_errand(["You are Claude Code.", title])
    assert not is_errand(["You are Claude Code.", f"Never answer: {title}"])
    assert is_summary(
        "This session is being continued from a previous conversation that ran out of context. It was red"
    )
    assert not is_summary("Continue the session.")


def test_an_id_follows_from_the_session_the_words_and_how_often_they_were_said() -> None:
    def ids(session: str, *texts: str) -> list[str]:
        turns = SessionTurns(session)
        messages = parse("openai", [{"role": "user", "content": text} for text in texts])
        return [turn_id for message in messages for _, turn_id in turns.read(message)]

    first = ids("s", "go", "ok", "ok")
    assert len(set(first)) == 3
    assert ids("s", "go ", f"{REMINDER}\nok", " ok\n")[1:] == first[1:]
    assert not set(first) & set(ids("t", "go", "ok", "ok"))
    assert not set(first) & set(ids("s", "go on", "ok", "ok"))


def test_calls_with_short_ids_are_told_apart_by_what_they_say() -> None:
    def ids(call_id: str) -> list[str]:
        turns = SessionTurns("s")
        calls = [{"id": call_id, "function": {"name": "look", "arguments": words}} for words in ("1", "2", "1")]
        messages = parse("openai", [{"role": "assistant", "tool_calls": [call]} for call in calls])
        return [turn_id for message in messages for _, turn_id in turns.read(message)]

    assert len(set(ids("call_0"))) == 3
    assert len(set(ids("call_000000000000000000000001"))) == 1
