"""`foxing render`: any text as page images for a reader, with a manifest."""

import json
from pathlib import Path

import pytest
from PIL import Image
from support.command_line import Foxing

TEXT = "Titan ships on 14 March.\n\tThe pump failed twice.\n" * 200


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "notes.md"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.mark.parametrize("newline", ["break", "mark"])
def test_images_and_their_manifest(foxing: Foxing, file: Path, tmp_path: Path, newline: str) -> None:
    folder = tmp_path / "out" / newline
    manifest = foxing.json("render", str(file), "--reader", "gpt-6", "--output", str(folder), "--newline", newline)
    assert manifest == json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["reader"] == "gpt-6"
    assert manifest["billed_tokens"] == sum(image["tokens"] for image in manifest["images"])
    position = 0
    for image in manifest["images"]:
        assert image["source"] == "notes.md"
        assert image["characters"][0] == position
        position = image["characters"][1]
        with Image.open(folder / image["file"]) as shown:
            assert shown.size == (image["width"], image["height"])
    assert position == len(TEXT)


def test_what_is_not_shown_safely_is_listed(foxing: Foxing, tmp_path: Path) -> None:
    path = tmp_path / "orders.txt"
    path.write_text("Orders W4923227 and 14, shelf 8.", encoding="utf-8")
    dense, legible = (
        foxing.json("render", str(path), "-r", reader, "-o", str(tmp_path / reader))["images"]
        for reader in ("claude-fable-5", "claude-opus-5")
    )
    assert [image["doubtful"] for image in (*dense, *legible)] == [["W4923227", "8"], []]
    shown = foxing.text("render", str(path), "-r", "claude-fable-5", "-o", str(tmp_path / "again"))
    assert "2 identifiers and numbers are not shown safely; manifest.json lists them" in shown


def test_standard_input_is_drawn_as_the_same_text_of_a_file(foxing: Foxing, file: Path, tmp_path: Path) -> None:
    named = foxing.json("render", str(file), "-r", "claude", "-o", str(tmp_path / "named"))
    piped = foxing.json("render", "-", "-r", "claude", "-o", str(tmp_path / "piped"), stdin=TEXT)
    assert [image["file"] for image in piped["images"]] == [
        f"stdin.{n}.png" for n in range(1, 1 + len(named["images"]))
    ]
    for one, other in zip(named["images"], piped["images"], strict=True):
        assert (tmp_path / "named" / one["file"]).read_bytes() == (tmp_path / "piped" / other["file"]).read_bytes()
    assert "standard input is empty" in foxing.run("render", "-", "-r", "claude", stdin="").stderr


def test_rows_that_end_at_marks_take_less(foxing: Foxing, file: Path, tmp_path: Path) -> None:
    billed = [
        foxing.json("render", str(file), "-r", "claude", "-o", str(tmp_path / name), "--newline", name)["billed_tokens"]
        for name in ("mark", "break")
    ]
    assert billed[0] < billed[1]


def test_what_cannot_be_rendered_is_refused(foxing: Foxing, file: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "other").mkdir()
    same = tmp_path / "other" / "notes.md"
    same.write_text("x", encoding="utf-8")
    cases = [
        ([str(file), "-r", "cluade"], "did you mean 'claude'"),
        ([str(file), "-r", "text"], "accepts no images"),
        ([str(tmp_path / "empty"), "-r", "claude"], "is empty"),
        ([str(tmp_path / "binary"), "-r", "claude"], "is not UTF-8 text"),
        ([str(tmp_path / "none"), "-r", "claude"], "cannot be read: No such file"),
        ([str(file), str(same), "-r", "claude"], "the same name"),
        ([str(file), "-r", "claude", "-o", str(file)], "cannot be written"),
    ]
    for arguments, message in cases:
        done = foxing.run("render", *arguments)
        assert done.exit_code == 1
        assert message in done.stderr.replace("\n", " ")


def test_a_reader_of_the_settings_file(foxing: Foxing, file: Path, tmp_path: Path) -> None:
    Path("foxing.toml").write_text(
        '[readers.ours]\ntitle = "Ours"\nprovider = "openai"\ntype = [{ width_px = 8, height_px = 16 }]\n'
        "limits = { max_side_px = 640, max_images = 4, max_image_bytes = 1000000, max_request_bytes = 4000000 }\n"
        'billing = { formula = "flat", per_image = 100 }\n',
        encoding="utf-8",
    )
    manifest = foxing.json("render", str(file), "-r", "ours", "-o", str(tmp_path / "out"))
    assert {image["tokens"] for image in manifest["images"]} == {100}
    Path("foxing.toml").write_text('[readers.ours]\ntitle = "Ours"\n', encoding="utf-8")
    done = foxing.run("render", str(file), "-r", "ours")
    assert "reader 'ours': provider" in done.stderr


@pytest.mark.slow
def test_context(foxing: Foxing, tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": f"Note {n}: the harbour of Naxos, pier {n}", "created_at": "2026-01-05T09:00:00Z"}
        for n in range(300)
    ]
    (tmp_path / "talk.jsonl").write_text(json.dumps({"id": "t", "messages": messages}) + "\n", encoding="utf-8")
    foxing.json("import", str(tmp_path / "talk.jsonl"), "--bank", "b")
    foxing.json("seal", "--bank", "b")
    ask = ("context", "the harbour of Naxos", "--bank", "b", "--reader", "gemini-2", "--budget", "3000")
    answer = foxing.json(*ask, "--as", "openai", "--images", str(tmp_path / "images"))
    assert answer["billed_tokens"] <= 3000 < answer["text_tokens_instead"]
    assert "image_url" in {block["type"] for block in answer["content"]}
    assert list((tmp_path / "images").glob("*.png"))
    shown = foxing.text(*ask)
    assert "[page image, " in shown
    assert "Note 299" in shown
    small = ("--budget", "20", "--thread", "a new thread")
    assert "the budget leaves" in foxing.text(*ask[:-2], *small)
    assert "did you mean 'gemini-" in foxing.failure(*ask[:-3], "gemini-9", "--budget", "3000")["detail"]
