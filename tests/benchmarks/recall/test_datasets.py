"""REALTALK and BEAM, read as their authors publish them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.datasets.beam import read_beam
from benchmarks.datasets.dataset import find_datasets
from benchmarks.datasets.realtalk import read_realtalk
from benchmarks.locomo import Question
from benchmarks.recall import main
from foxing.memory import InvalidInput


def turn(number: str, speaker: str, text: str, **more: Any) -> dict[str, Any]:
    at = {"date_time": f"29.12.2023, 22:42:{number[-1]}0", "dia_id": number}
    return {"clean_text": text, "speaker": speaker, "img_file": [], "img_url": [], **at, **more}


def asked(question: str, *evidence: str, category: int = 1, answer: str = "Zebedee") -> dict[str, Any]:
    return {"question": question, "answer": answer, "evidence": list(evidence), "category": category}


CHAT: dict[str, Any] = {
    "name": {"speaker_1": "Emi", "speaker_2": "elise"},
    "session_2": [turn("D2:1", "elise", "I went to Bremen.")],
    "session_1": [
        turn("D1:1", "Emi", "I adopted a parrot called Zebedee."),
        turn("D1:2", "elise", "Look!", blip_caption="a green parrot"),
        turn("D1:3", "Emi", "It sings."),
    ],
    "session_1_date_time": "29.12.2023, 22:42:10",
    "events_session_1": {"agent_a": [], "agent_b": []},
    "qa": [
        asked("one", "D1:1", category=2),
        asked("several", "D1:1; D2:1"),
        asked("a range", "D1:1-D1:3"),
        asked("a short range", "D1:2-3"),
        asked("misspelled", "D 1;2."),
        asked("partly missing", "D1:1", "D9:9"),
        asked("missing", "D9:9", ""),
        asked("nothing"),
    ],
}


def message(number: int, role: str, content: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "id": number, "content": content, **more}


CHATS: list[dict[str, Any]] = [
    {
        "batch_number": 1,
        "turns": [
            [
                message(0, "user", "My sprint ends on 29 March. ->-> 1,1", time_anchor="March-15-2024", index="1,1"),
                message(1, "assistant", "Noted."),
            ],
            [message(2, "user", "I prefer tea. ->-> 1,N/A)"), message(3, "assistant", "Noted as well.")],
        ],
    },
    {
        "batch_number": 2,
        "turns": [[message(4, "user", "It ends on 2 April.", time_anchor="April-01-2024")]],
    },
]
PROBES: dict[str, list[dict[str, Any]]] = {
    "abstention": [{"question": "Who am I?", "ideal_response": "That was not said."}],
    "information_extraction": [{"question": "When?", "answer": "29 March", "source_chat_ids": [0]}],
    "knowledge_update": [
        {"question": "And now?", "answer": "2 April", "source_chat_ids": {"original_info": [0], "updated_info": [4]}}
    ],
    "preference_following": [
        {"question": "Drinks?", "preference_being_tested": "I prefer tea.", "source_chat_ids": [[2], [9]]}
    ],
    "summarization": [{"question": "All?", "ideal_summary": "A sprint.", "source_chat_ids": [9]}],
}


@pytest.fixture
def folder(tmp_path: Path, locomo_file: Path) -> Path:
    """The three datasets as they are published, beside what does not belong to them."""
    data = tmp_path / "REALTALK" / "data"
    (data / "locomo").mkdir(parents=True)
    for name in ("Chat_10_Emi_Elise", "Chat_2_Emi_Elise", "locomo/Chat_1_Ada_Ben"):
        (data / f"{name}.json").write_text(json.dumps(CHAT), encoding="utf-8")
    for number in ("10", "2"):
        place = tmp_path / "BEAM" / "chats" / "100K" / number
        (place / "probing_questions").mkdir(parents=True)
        (place / "chat.json").write_text(json.dumps(CHATS), encoding="utf-8")
        (place / "probing_questions" / "probing_questions.json").write_text(json.dumps(PROBES), encoding="utf-8")
    largest = tmp_path / "BEAM" / "chats" / "10M" / "1" / "probing_questions"
    largest.mkdir(parents=True)
    (largest / "probing_questions.json").write_text("{}", encoding="utf-8")
    (tmp_path / "BEAM" / "chats" / "100K" / "3" / "probing_questions").mkdir(parents=True)
    return tmp_path


def test_realtalk(folder: Path) -> None:
    first, last = read_realtalk(folder / "REALTALK" / "data")
    assert str(first.messages[0].id).startswith("Chat_2_")
    assert str(last.messages[0].id).startswith("Chat_10_")
    said = [(str(m.id).split("/")[1], m.role, m.name, m.text, m.thread) for m in first.messages]
    assert said == [
        ("D1:1", "user", "Emi", "I adopted a parrot called Zebedee.", "Chat_2_Emi_Elise"),
        ("D1:2", "assistant", "elise", "Look! [a green parrot]", "Chat_2_Emi_Elise"),
        ("D1:3", "user", "Emi", "It sings.", "Chat_2_Emi_Elise"),
        ("D2:1", "assistant", "elise", "I went to Bremen.", "Chat_2_Emi_Elise"),
    ]
    assert first.messages[1].created_at == datetime(2023, 12, 29, 22, 42, 20, tzinfo=UTC)
    assert {q.text: sorted(key.split("/")[1] for key in q.evidence) for q in first.questions} == {
        "one": ["D1:1"],
        "several": ["D1:1", "D2:1"],
        "a range": ["D1:1", "D1:2", "D1:3"],
        "a short range": ["D1:2", "D1:3"],
        "misspelled": ["D1:2"],
        "partly missing": ["D1:1"],
    }
    assert (first.questions[0].category, first.questions[0].answer) == (2, "Zebedee")
    assert [key.split("/")[1] for key in first.sessions.values()].count("D1") == 3


def test_beam(folder: Path) -> None:
    first, last = read_beam(folder / "BEAM" / "chats" / "100K")
    assert str(last.messages[0].id) == "100K-10/0"
    assert [(str(m.id), m.role, m.text) for m in first.messages] == [
        ("100K-2/0", "user", "My sprint ends on 29 March."),
        ("100K-2/1", "assistant", "Noted."),
        ("100K-2/2", "user", "I prefer tea."),
        ("100K-2/3", "assistant", "Noted as well."),
        ("100K-2/4", "user", "It ends on 2 April."),
    ]
    assert [*first.sessions.values()] == ["100K-2/batch 0"] * 4 + ["100K-2/batch 1"]
    times = [message.created_at for message in first.messages]
    assert times == sorted(times)
    assert (times[0], times[4]) == (datetime(2024, 3, 15, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC))
    assert first.questions == [
        Question("When?", frozenset({"100K-2/0"}), "29 March", "information_extraction"),
        Question("And now?", frozenset({"100K-2/0", "100K-2/4"}), "2 April", "knowledge_update"),
        Question("Drinks?", frozenset({"100K-2/2"}), "I prefer tea.", "preference_following"),
    ]


def test_the_shorter_version_of_a_chat_counts(folder: Path) -> None:
    place = folder / "BEAM" / "chats" / "100K" / "2"
    (place / "chat_trunecated.json").write_text(json.dumps(CHATS[:1]), encoding="utf-8")
    assert len(read_beam(place.parent)[0].messages) == 4


def test_a_folder_is_searched_for_all_of_them(folder: Path) -> None:
    found = dict(find_datasets(folder))
    assert list(found) == ["BEAM-100K", "LoCoMo (locomo)", "REALTALK"]
    datasets = {name: read() for name, read in found.items()}
    assert {name: len(each.conversations) for name, each in datasets.items()} == {
        "BEAM-100K": 2,
        "LoCoMo (locomo)": 1,
        "REALTALK": 2,
    }
    for each in datasets.values():
        for conversation in each.conversations:
            assert all(question.category in each.categories for question in conversation.questions)


def test_what_is_none_of_them_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="has no LoCoMo"):
        dict(find_datasets(tmp_path / "empty"))
    (folder / "REALTALK" / "data" / "Chat_3_a_b.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"Chat_3_a_b\.json is not a REALTALK conversation"):
        read_realtalk(folder / "REALTALK" / "data")
    chat = folder / "BEAM" / "chats" / "100K" / "2" / "chat.json"
    for broken in ("[{}]", "[", '[{"turns": [[{"role": "user", "id": 1}]]}]'):
        chat.write_text(broken, encoding="utf-8")
        with pytest.raises(InvalidInput, match="is not a BEAM chat"):
            read_beam(chat.parents[1])


@pytest.mark.parametrize(("option", "place"), [("--realtalk", "REALTALK/data"), ("--beam", "BEAM/chats/100K")])
def test_a_dataset_is_measured(option: str, place: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([option, str(folder / place), "--tier", "open", "--embedder", "none", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result["conversations"] == 2
    assert result["questions"] == {"--realtalk": 12, "--beam": 6}[option]
    systems = {(row["unit"], row["system"]) for row in result["rankings"]}
    assert {("message", "foxing"), ("session", "foxing"), ("message", "bm25")} < systems


@pytest.mark.parametrize(("option", "source"), [("--realtalk", "danny911kr/REALTALK"), ("--beam", "BEAM")])
def test_a_missing_dataset_says_where_it_is_published(option: str, source: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=rf"{source}"):
        main([option, str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit, match=rf"has no questions with evidence; .*{source}"):
        main([option, str(tmp_path)])
