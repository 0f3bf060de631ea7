"""`foxing calibrate` against real HTTP servers whose readers have curves that are known."""

import base64
import contextlib
import json
import random
import re
import threading
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.command_line import Foxing, start
from support.glyph_reader import GlyphReader
from support.tesseract import Tesseract

from foxing.api.settings import load_settings
from foxing.encoder.reader_curve.sample_pages import CELLS as DEFAULT_CELLS
from foxing.encoder.reader_curve.sample_pages import SamplePage, sample_pages
from foxing.encoder.reader_curve.scores import Score, score
from foxing.encoder.text_tokens import count_text_tokens
from foxing.renderer.readers import Reader, Readers

#: Bills little, so that pages are small.
PROFILE: dict[str, Any] = {
    "title": "Small",
    "provider": "openai",
    "limits": {"max_side_px": 700, "max_images": 3, "max_image_bytes": 1 << 20, "max_request_bytes": 1 << 22},
    "billing": {"formula": "patches", "side": 28, "max_side_px": 700, "max_patches": 625},
}
TESTS = Path(__file__).resolve().parents[2]
CELLS = [(6, 12), (7, 14), (8, 16), (10, 20), (12, 24), (16, 32)]
Read = Callable[[Image.Image], str]


@dataclass
class Endpoint:
    """An endpoint of either API. What it reads the images with, and what it was asked."""

    read: Read
    url: str = ""
    #: (number of the request) → status and content in place of an answer; None for an answer.
    fault: Callable[[int], tuple[int, bytes] | None] = lambda number: None
    key: str | None = None
    asked: list[bytes] = field(default_factory=list)
    #: Tokens of each image with its prompt, and of its text.
    billed: list[tuple[int, int]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        with self.lock:
            number = len(self.bodies)
            self.bodies.append(body)
        fault = self.fault(number)
        if fault is not None:
            return fault
        (message,) = body["messages"]
        part = message["content"][0]
        data = part["source"]["data"] if "source" in part else part["image_url"]["url"].partition(",")[2]
        png = base64.b64decode(data, validate=True)
        with self.lock:
            self.asked.append(png)
            image = Image.open(BytesIO(png)).convert("L")
            text = self.read(image)
            patches = -(-image.width // 28) * -(-image.height // 28)
            used = patches + count_text_tokens(message["content"][1]["text"]), count_text_tokens(text)
            self.billed.append(used)
        if path == "/v1/messages":
            usage = dict(zip(("input_tokens", "output_tokens"), used, strict=True))
            document = {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "usage": usage}
        elif path == "/v1/chat/completions":
            usage = dict(zip(("prompt_tokens", "completion_tokens"), used, strict=True))
            document = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": usage}
        else:
            return 404, b"{}"
        return 200, json.dumps(document).encode()


class Handler(BaseHTTPRequestHandler):
    server: Any

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        endpoint: Endpoint = self.server.endpoint
        given = self.headers.get("x-api-key") or (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        status, content = endpoint.answer(self.path, body)
        if endpoint.key is not None and given != endpoint.key:
            status, content = 401, b'{"error": {"message": "invalid x-api-key"}}'
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # of a client that was killed
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


Serve = Callable[[Read], Endpoint]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[ThreadingHTTPServer] = []

    def start(read: Read) -> Endpoint:
        server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        endpoint = server.endpoint = Endpoint(read, f"http://127.0.0.1:{server.server_address[1]}/v1")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return endpoint

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def settings(foxing: Foxing, tmp_path: Path) -> Reader:
    """The reader of `PROFILE`, which the settings of the command name as well."""
    reader = Readers({"small": PROFILE})["small"]
    limits = ", ".join(f"{name} = {value}" for name, value in PROFILE["limits"].items())
    billing = 'formula = "patches", side = 28, max_side_px = 700, max_patches = 625'
    table = (
        f'[readers.small]\ntitle = "Small"\nprovider = "openai"\nlimits = {{ {limits} }}\nbilling = {{ {billing} }}\n'
    )
    (tmp_path / "foxing.toml").write_text(table, encoding="utf-8")
    return reader


def arguments(endpoint: Endpoint, *more: str, cells: list[tuple[int, int]] = CELLS, name: str = "small") -> list[str]:
    grid = [part for width, height in cells for part in ("--cell", f"{width}x{height}")]
    return ["calibrate", "--reader", name, "--url", endpoint.url, "--model", "ocr-1", "--pages", "1", *grid, *more]


def truths(reader: Reader, cells: list[tuple[int, int]], pages: int = 1) -> dict[bytes, SamplePage]:
    """PNG → the page."""
    return {page.image.png: page for page in sample_pages(reader, cells, pages, None)}


def perfect(reader: Reader, cells: list[tuple[int, int]], pages: int = 1) -> Read:
    """Reads the sample pages exactly."""
    texts = {
        Image.open(BytesIO(png)).convert("L").tobytes(): page.text for png, page in truths(reader, cells, pages).items()
    }
    return lambda image: texts[image.tobytes()]


@pytest.fixture(scope="module")
def tesseract() -> Read:
    return Tesseract().read


@pytest.mark.slow
def test_the_curve_of_an_ocr_engine_is_found(foxing: Foxing, settings: Reader, serve: Serve, tesseract: Read) -> None:
    found = foxing.json(*arguments(serve(tesseract), "--rows", "12"))
    measured = [row["exact"] for row in found["curve"]]
    others = [page for page in sample_pages(settings, CELLS, 2, 12) if page.number == 1]
    own = [score(page, tesseract(Image.open(BytesIO(page.image.png)).convert("L"))).exact for page in others]
    assert np.abs(np.array(measured) - np.array(own)).max() < 0.35
    assert measured[0] < measured[-1] > 0.8


def failing_below(reader: Reader, height_px: int) -> Read:
    """Reads rows of at least this height exactly; of lower ones, the same words in some other order."""
    pages = {Image.open(BytesIO(png)).convert("L").tobytes(): page for png, page in truths(reader, CELLS).items()}

    def read(image: Image.Image) -> str:
        page = pages[image.tobytes()]
        words = page.text.split()
        return page.text if page.cell.height_px >= height_px else " ".join(random.Random(7).sample(words, len(words)))

    return read


@pytest.mark.slow
@pytest.mark.parametrize(("fails_below", "smallest"), [(12, 0), (13, 1), (20, 3), (21, 4), (32, 5)])
def test_the_size_below_which_a_reader_fails_is_found_at_the_price_that_was_announced(
    foxing: Foxing, settings: Reader, serve: Serve, tmp_path: Path, fails_below: int, smallest: int
) -> None:
    endpoint = serve(failing_below(settings, fails_below))
    prices = ("--prompt-price", "3", "--completion-price", "15")
    announced = foxing.json(*arguments(endpoint, *prices, "--dry-run"))
    found = foxing.json(*arguments(endpoint, *prices))
    assert found["legible"] == list(CELLS[smallest])
    assert [row["exact"] for row in found["curve"]] == [float(n >= smallest) for n in range(len(CELLS))]
    assert found["estimate"] == announced
    spent, expected = found["spent"], announced["expected"]
    assert spent["requests"] == expected["requests"] == len(CELLS) == len(endpoint.asked)
    assert spent["prompt_tokens"] == expected["prompt_tokens"]
    billed = [sum(tokens) for tokens in zip(*endpoint.billed, strict=True)]
    assert spent["price"] == pytest.approx((3 * billed[0] + 15 * billed[1]) / 1e6)
    assert spent["price"] == pytest.approx(expected["price"], rel=0 if smallest == 0 else 0.02)
    assert spent["price"] <= announced["maximum"]["price"]
    assert all(row["reported_tokens"] == row["formula_tokens"] for row in found["curve"])
    profile = tomllib.loads((tmp_path / "small.toml").read_text(encoding="utf-8"))["readers"]["small"]
    reader = Readers({"small": profile})["small"]
    assert reader.legible is not None
    assert [reader.legible.width_px, reader.legible.height_px] == found["legible"]
    assert reader.type_date is not None
    assert "ocr-1 at http://127.0.0.1" in str(reader.type_source)
    assert reader.billing == settings.billing


@pytest.mark.slow
def test_a_run_that_was_killed_resumes_and_asks_for_nothing_that_was_answered(
    foxing: Foxing, settings: Reader, serve: Serve, tmp_path: Path
) -> None:
    endpoint = serve(perfect(settings, CELLS))
    reached, killed = threading.Event(), threading.Event()

    def fault(number: int) -> tuple[int, bytes] | None:
        if number != 3:
            return None
        reached.set()
        killed.wait(60)
        return 503, b"{}"

    endpoint.fault = fault
    process = start(*arguments(endpoint))
    try:
        assert reached.wait(60)
        process.kill()  # while the fourth answer is awaited
    finally:
        process.kill()
        process.communicate()
        killed.set()
    assert not (tmp_path / "small.toml").exists()
    assert len((tmp_path / "small.journal").read_bytes().splitlines()) == 1 + 3
    found = foxing.json(*arguments(endpoint))
    assert (found["estimate"]["answered"], found["spent"]["requests"]) == (3, len(CELLS) - 3)
    assert len(endpoint.asked) == len(set(endpoint.asked)) == len(CELLS)
    assert found["legible"] == list(CELLS[0])


def test_nothing_is_asked_in_a_dry_run(foxing: Foxing, settings: Reader, serve: Serve, tmp_path: Path) -> None:
    endpoint = serve(lambda image: "")
    answer = foxing.json(*arguments(endpoint, "--dry-run", "--prompt-price", "2"))
    assert answer["pages"] == len(CELLS)
    assert 0 < answer["expected"]["price"] <= answer["maximum"]["price"]
    assert f"at most {answer['maximum']['prompt_tokens']:,}" in foxing.text(*arguments(endpoint, "--dry-run"))
    assert not endpoint.bodies
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix in (".journal", ".toml")) == ["foxing.toml"]


def test_an_interrupted_run_resumes_and_pays_for_nothing_twice(
    foxing: Foxing, settings: Reader, serve: Serve, tmp_path: Path
) -> None:
    endpoint = serve(perfect(settings, CELLS))
    endpoint.fault = lambda number: (401, b'{"error": {"message": "no"}}') if number == 3 else None
    assert "check the option 'api_key'" in foxing.run(*arguments(endpoint)).stderr
    journal = tmp_path / "small.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"page": "cut off in the mid')  # killed while it wrote
    found = foxing.json(*arguments(endpoint))
    assert found["estimate"]["answered"] == 3
    assert found["spent"]["requests"] == len(CELLS) - 3
    assert len(endpoint.asked) == len(set(endpoint.asked)) == len(CELLS)
    assert [row["exact"] for row in found["curve"]] == [1.0] * len(CELLS)
    assert found["legible"] == list(CELLS[0])


def test_an_anthropic_endpoint(
    foxing: Foxing, settings: Reader, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cells = CELLS[2:4]
    endpoint = serve(perfect(settings, cells))
    endpoint.key = "correct-horse"
    monkeypatch.setenv("FOXING_READER_API_KEY", "correct-horse")
    more = ("--base", "small", "--api", "anthropic", "--extra", '{"temperature": null, "top_k": 1}')
    text = foxing.text(*arguments(endpoint, *more, cells=cells, name="ours.2"))
    assert "smallest cell size that ours.2 reads: 8 × 16 px" in text
    assert all("temperature" not in body and body["top_k"] == 1 for body in endpoint.bodies)
    assert (
        tomllib.loads((tmp_path / "ours.2.toml").read_text(encoding="utf-8"))["readers"]["ours.2"]["title"] == "ours.2"
    )


@pytest.mark.parametrize("api", ["openai", "anthropic"])
@pytest.mark.parametrize("status", [200, 404])
def test_an_endpoint_of_the_other_api_is_told_from_a_broken_one(
    foxing: Foxing, settings: Reader, serve: Serve, monkeypatch: pytest.MonkeyPatch, api: str, status: int
) -> None:
    """The API follows from the provider of `--base`, which need not be that of the endpoint."""
    monkeypatch.setattr("foxing.encoder.remote.retries.FIRST_PAUSE_S", 0.001)
    other = "anthropic" if api == "openai" else "openai"
    endpoint = serve(lambda image: "")
    of_other: dict[str, Any] = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}
    if other == "anthropic":
        of_other = {"content": [{"type": "text", "text": "x"}], "stop_reason": "end_turn"}
    content = json.dumps(of_other if status == 200 else {"error": {"message": "no such path"}}).encode()
    endpoint.fault = lambda number: (status, content)
    result = foxing.run(*arguments(endpoint), "--api", api)
    assert result.exit_code == 1
    detail = " ".join(result.stderr.split())
    names = {"openai": "OpenAI", "anthropic": "Anthropic"}
    assert f"The request used the {names[api]} API" in detail
    assert f"if the endpoint has the {names[other]} API, give --api {other}" in detail


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda image: "I cannot see any images in this conversation.", "read no sentence exactly.*I cannot see"),
        (lambda image: "", "read none of 2 pages"),
    ],
)
def test_an_endpoint_that_reads_nothing_gives_no_profile(
    foxing: Foxing, settings: Reader, serve: Serve, tmp_path: Path, read: Read, message: str
) -> None:
    result = foxing.run(*arguments(serve(read), cells=CELLS[:2]))
    assert result.exit_code == 1
    assert re.search(message, result.stderr)
    assert not (tmp_path / "small.toml").exists()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ((200, b"<html>hello</html>"), "HTML page"),
        ((200, b'{"colour": "red"}'), "no chat completion"),
        ((400, b'{"error": {"message": "images are not supported"}}'), "images are not supported"),
        ((404, b'{"error": {"message": "no such model"}}'), "check the options 'model' and 'url'"),
    ],
)
def test_an_endpoint_that_answers_nonsense_or_refuses(
    foxing: Foxing, settings: Reader, serve: Serve, fault: tuple[int, bytes], message: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr("foxing.encoder.remote.retries.FIRST_PAUSE_S", 0.001)
    endpoint = serve(lambda image: "")
    endpoint.fault = lambda number: fault
    result = foxing.run(*arguments(endpoint, cells=CELLS[:1]))
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_what_cannot_be_calibrated_is_refused(
    foxing: Foxing, settings: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foxing.encoder.remote.retries.FIRST_PAUSE_S", 0.001)
    (tmp_path / "other.toml").touch()
    (tmp_path / "torn.journal").write_text("hello\n", encoding="utf-8")
    (tmp_path / "other.journal").write_text('{"asked": {"model": "another"}}\n', encoding="utf-8")
    down = Endpoint(lambda image: "", "http://127.0.0.1:9/v1")
    one = CELLS[:1]
    cases = [
        (arguments(down, cells=one), "cannot connect to"),
        (arguments(down, cells=one, name="smal"), "'small'"),
        (arguments(down, cells=one, name="smal"), "--base"),
        (arguments(down, "--base", "text", cells=one), "does not accept images"),
        (arguments(down, "--cell", "big", cells=[]), "is not a cell size"),
        (arguments(down, "--cell", "3x9", cells=[]), "is not a cell size"),
        (arguments(down, "--cell", "200x400", cells=[]), "scales down every image"),
        (arguments(down, "--output", "other.toml", cells=one), "already exists"),
        (arguments(down, "--output", "none/ours.toml", cells=one), "the folder none does not exist"),
        (arguments(down, "--model", "", cells=one), "the option 'model' is invalid"),
        (arguments(down, "--journal", "torn.journal", cells=one), "is not the journal"),
        (arguments(down, "--journal", "other.journal", cells=one), "belongs to another calibration (model another)"),
        (arguments(down, "--extra", "[]", cells=one), "must be a JSON object"),
        (arguments(down, "--base", "small", cells=one, name="../x"), "the name of a reader"),
        (arguments(Endpoint(lambda image: "", "ftp://x"), cells=one), "is not a valid address"),
    ]
    for given, message in cases:
        result = foxing.run(*given)
        assert result.exit_code == 1, given
        assert message in result.stderr.replace("\n", " "), (given, result.stderr)
    assert (tmp_path / "torn.journal").read_text(encoding="utf-8") == "hello\n"


def test_what_is_read_wrong_is_told_from_what_is_said_to_be_unread(settings: Reader) -> None:
    page = sample_pages(settings, [(8, 16)], 1, None)[0]
    first = page.text[slice(*page.sentences[0])]
    assert page.identifiers
    whole = score(page, page.text.replace(" ", "\n"))
    assert (whole.exact, whole.identifiers_exact, whole.silent_errors) == (1.0, 1.0, 0)
    wrong = score(page, page.text.replace(first[3], "#", 1))
    assert wrong.silent_errors == 1
    assert wrong.exact_sentences == whole.sentences - 1
    unread = score(page, page.text.replace(first[3], "▒", 1))
    assert (unread.silent_errors, unread.unread) == (0, 1)
    assert score(page, page.text[:-30]).left_out > 0
    assert score(page, "").exact == 0
    assert (Score() + whole).exact == 1.0


SEARCHED = ["calibrate", "--model", "claude-made-7", "--base", "claude", "--api", "anthropic"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret")
    return tmp_path / "data/foxing/readers"


def test_the_smallest_type_is_found_and_kept(
    foxing: Foxing, serve: Serve, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = Readers()["claude"]
    endpoint = serve(GlyphReader(base, DEFAULT_CELLS, blur_px=1.5, noise=6.0).read)
    endpoint.key = "sk-ant-secret"
    found = foxing.json(*SEARCHED, "--upstream", endpoint.url.removesuffix("/v1"))
    assert found["legible"] is not None
    assert found["tokens"] == sum(map(sum, endpoint.billed)) <= 60_000
    place = DEFAULT_CELLS.index(tuple(found["legible"]))

    def errors(cell: tuple[int, int]) -> int:
        """Silent errors on other pages than those asked for."""
        pages = sample_pages(base, [cell], 2, first=50, characters=1_600)
        images = (Image.open(BytesIO(page.image.png)).convert("L") for page in pages)
        return sum(score(page, endpoint.read(image)).silent_errors for page, image in zip(pages, images, strict=True))

    assert errors(DEFAULT_CELLS[place]) == 0
    assert place > 1  # a size between may have had its only error on a page that was asked for
    assert errors(DEFAULT_CELLS[place - 2]) > 0
    monkeypatch.chdir(tmp_path)
    profile = Readers(load_settings().readers)["claude-made-7-20261201"]
    assert profile.legible is not None
    assert [profile.legible.width_px, profile.legible.height_px] == found["legible"]
    assert profile.type_date is not None
    assert profile.accepts_images


@pytest.mark.slow
def test_a_model_that_misreads_every_type_gets_text(
    foxing: Foxing, serve: Serve, home: Path, tesseract: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = foxing.json(*SEARCHED, "--url", serve(tesseract).url)
    assert found["legible"] is None
    assert found["tokens"] <= 60_000
    assert not Readers(load_settings().readers)["claude-made-7"].accepts_images


def test_a_model_without_eyes_is_not_kept(foxing: Foxing, serve: Serve, home: Path) -> None:
    failed = foxing.run(*SEARCHED, "--url", serve(lambda image: "I cannot see images.").url)
    assert failed.exit_code == 1
    assert "accepts images" in failed.stderr
    assert not home.exists()


def test_a_broken_profile_is_left_out(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    home.mkdir(parents=True)
    (home / "broken.toml").write_text("[readers.x]\ntitle = 3\n", encoding="utf-8")
    assert load_settings().readers == {}
    assert "run foxing calibrate again, or remove it" in caplog.text


def test_a_profile_of_the_settings_goes_before_a_measured_one(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir(parents=True)
    (home / "made.toml").write_text("[readers.made-7]\nassume = 'claude'\n", encoding="utf-8")
    assert Readers(load_settings().readers)["made-7"].accepts_images
    table = "[readers.ours]\ntitle = 'Ours'\nprovider = 'openai'\nmodels = ['made-7']\n"
    (tmp_path / "foxing.toml").write_text(table, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert Readers(load_settings().readers)["made-7"].title == "Ours"


def test_options_of_a_whole_curve_need_a_name(foxing: Foxing) -> None:
    refused = foxing.run(*SEARCHED, "--url", "http://127.0.0.1:9/v1", "--cell", "8x16")
    assert refused.exit_code == 2
    assert "--reader" in refused.output


def test_an_endpoint_is_required(foxing: Foxing) -> None:
    result = foxing.run("calibrate", "-r", "x", "--model", "m")
    assert (result.exit_code, "--url" in result.stderr) == (2, True)
