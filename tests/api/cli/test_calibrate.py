"""`foxing calibrate` against real HTTP servers whose readers have curves that are known."""

import base64
import contextlib
import json
import threading
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.command_line import Foxing
from support.glyph_reader import GlyphReader
from support.tesseract import Tesseract

from foxing.api.settings import load_settings
from foxing.encoder.reader_curve.sample_pages import CELLS as DEFAULT_CELLS
from foxing.encoder.reader_curve.sample_pages import sample_pages
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


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret")
    return tmp_path / "data/foxing/readers"


def arguments(endpoint: Endpoint, *more: str, base: str = "small") -> list[str]:
    return ["calibrate", "--url", endpoint.url, "--model", "ocr-1", "--base", base, *more]


@pytest.fixture(scope="module")
def tesseract() -> Read:
    return Tesseract().read


@pytest.mark.slow
def test_an_anthropic_endpoint_with_other_fields(
    foxing: Foxing, settings: Reader, serve: Serve, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = serve(GlyphReader(settings, DEFAULT_CELLS, blur_px=1.5, noise=6.0).read)
    endpoint.key = "correct-horse"
    monkeypatch.setenv("FOXING_READER_API_KEY", "correct-horse")
    more = ("--api", "anthropic", "--extra", '{"temperature": null, "top_k": 1}')
    text = foxing.text(*arguments(endpoint, *more))
    assert "smallest cell size that ocr-1 reads without silent errors: " in text
    assert all("temperature" not in body and body["top_k"] == 1 for body in endpoint.bodies)
    profile = tomllib.loads((home / "ocr-1.toml").read_text(encoding="utf-8"))["readers"]["ocr-1"]
    assert profile["title"] == "ocr-1"
    assert Readers({"ocr-1": profile})["ocr-1"].billing == settings.billing


@pytest.mark.slow
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
    assert f"if the endpoint has the {names[other]} API, choose '{other}' with the option 'api'" in detail


@pytest.mark.slow
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
    result = foxing.run(*arguments(endpoint))
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_what_cannot_be_calibrated_is_refused(
    foxing: Foxing, settings: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foxing.encoder.remote.retries.FIRST_PAUSE_S", 0.001)
    down = Endpoint(lambda image: "", "http://127.0.0.1:9/v1")
    cases = [
        (arguments(down), "cannot connect to"),
        (arguments(down, base="smal"), "'small'"),
        (["calibrate", "--url", down.url, "--model", "unheard-of"], "with the option 'base'"),
        (arguments(down, base="text"), "does not accept images"),
        (arguments(down, "--model", ""), "the option 'model' is invalid"),
        (arguments(down, "--extra", "[]"), "must be a JSON object"),
        (arguments(down, "--extra", "{"), "is not JSON"),
        (arguments(Endpoint(lambda image: "", "ftp://x")), "is not a valid address"),
        (arguments(Endpoint(lambda image: "", "http://[x")), "the option 'url' is invalid"),
    ]
    for given, message in cases:
        result = foxing.run(*given)
        assert result.exit_code == 1, given
        assert message in result.stderr.replace("\n", " "), (given, result.stderr)


def test_what_is_read_wrong_is_told_from_what_is_said_to_be_unread(settings: Reader) -> None:
    page = sample_pages(settings, [(8, 16)], 1)[0]
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


@pytest.mark.slow
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


def test_an_endpoint_is_required(foxing: Foxing) -> None:
    result = foxing.run("calibrate", "--model", "m")
    assert (result.exit_code, "--url" in result.stderr) == (2, True)
