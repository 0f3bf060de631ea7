"""Sources of settings, their precedence, and errors."""

from pathlib import Path

import pytest

from foxing.api.memory_factory import open_memory
from foxing.api.settings import InvalidSettings, Settings, load_settings
from foxing.api.settings.names import explained
from foxing.encoder import CODECS, CodecError, load_codec
from foxing.encoder.remote.options import RemoteOptions
from foxing.memory import EmbedderError
from foxing.memory.index.model_endpoint import EndpointOptions


@pytest.fixture(autouse=True)
def _empty_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_defaults() -> None:
    settings = load_settings()
    assert settings.database_url is None
    assert (settings.host, settings.port) == ("127.0.0.1", 8765)
    assert (settings.codec, settings.device) == ("native", "auto")
    assert settings.ageing_enabled
    assert settings.ageing_interval_s == 60
    assert not settings.time_travel
    assert settings.key is None


def use_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names the file of settings in the folder, so that it is trusted."""
    monkeypatch.setenv("FOXING_SETTINGS_FILE", str(folder / "foxing.toml"))


@pytest.mark.parametrize(
    "text",
    [
        'database_url = "postgresql://attacker.example/db"',
        '[codecs.remote]\nurl = "http://attacker.example"',
        'codec = "remote"',
        'api_key = "known"',
        'host = "0.0.0.0"',
        'search_index = "theirs"',
        'embedder = "openai"',
        'embedder_url = "http://attacker.example/v1"',
        'blobs_url = "s3://attacker"',
    ],
)
def test_a_file_that_merely_lies_in_the_working_directory_does_not_say_where_texts_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "foxing.toml").write_text(f"port = 1111\n{text}\n")
    with pytest.raises(InvalidSettings, match=r"FOXING_SETTINGS_FILE=foxing\.toml"):
        load_settings()
    (tmp_path / "foxing.toml").write_text("port = 1111\n")
    assert load_settings().port == 1111


def test_a_file_that_is_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXING_SETTINGS_FILE", str(tmp_path / "other.toml"))
    with pytest.raises(InvalidSettings, match="does not exist"):
        load_settings()
    (tmp_path / "other.toml").write_text('port = 1111\ndatabase_url = "x.db"\n')
    assert load_settings().database_url == "x.db"


def test_arguments_override_the_environment_which_overrides_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_file(tmp_path, monkeypatch)
    (tmp_path / "foxing.toml").write_text('port = 1111\nhost = "127.0.0.2"\nageing_enabled = false\n')
    monkeypatch.setenv("FOXING_PORT", "2222")
    monkeypatch.setenv("FOXING_HOST", "127.0.0.3")
    settings = load_settings({"host": "127.0.0.4", "port": None})
    assert settings.host == "127.0.0.4"
    assert settings.port == 2222
    assert not settings.ageing_enabled


def test_an_empty_variable_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXING_API_KEY", "")
    monkeypatch.setenv("FOXING_PORT", "")
    settings = load_settings()
    assert settings.key is None
    assert settings.port == 8765


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PORT", "seven", "FOXING_PORT"),
        ("PORT", "70000", "less than or equal to 65535"),
        ("AGEING_INTERVAL_S", "0", "greater than 0"),
        ("AGEING_ENABLED", "perhaps", "FOXING_AGEING_ENABLED"),
        ("LOG_FORMAT", "xml", "'json' or 'text', not 'xml'"),
        ("MAX_BODY_BYTES", "-1", "FOXING_MAX_BODY_BYTES"),
        ("CODECS__REMOTE__COLUMNS", "100", "'columns' of the codec 'remote' must be 80 or 160, not '100'"),
        ("CODECS__REMOTE__SERVER", "ollama", "FOXING_CODECS__REMOTE__SERVER"),
        ("CODECS__REMOTE__EXTRA", "[1]", "FOXING_CODECS__REMOTE__EXTRA"),
        ("CODECS__REMOTE__ULR", "x", "did you mean 'url'?"),
        ("CODECS__NATVE__OPTION", "x", "did you mean 'native'?"),
        ("CODECS__DEEPSEEK_OCR__REMOTE", "x", "FOXING_CODECS__DEEPSEEK_OCR__REMOTE"),
        ("CODECS__REMOTE__RETRIES", "-1", "'retries' of the codec 'remote'"),
        ("PROT", "1", "did you mean FOXING_PORT?"),
        ("XYZZY", "1", "the settings are FOXING_DATABASE_URL"),
    ],
)
def test_the_error_names_the_invalid_setting_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(f"FOXING_{name}", value)
    with pytest.raises(InvalidSettings) as caught:
        load_settings()
    assert expected in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["FOXING_API_KEY", "FOXING_CODECS__REMOTE__API_KEY"])
def test_the_error_for_an_invalid_key_does_not_show_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "two words")
    with pytest.raises(InvalidSettings, match=name) as caught:
        load_settings()
    assert "two words" not in str(caught.value)


def test_the_environment_sets_the_options_of_the_remote_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "URL": "http://bob:hunter2@h/v1",
        "MODEL": "m",
        "API_KEY": "sesame",
        "SERVER": "vllm",
        "PROMPT": "free-ocr",
        "COLUMNS": "160",
        "TIMEOUT_S": "9.5",
        "PAGE_TIMEOUT_S": "99",
        "CONCURRENCY": "3",
        "RETRIES": "2",
        "MAX_TOKENS": "700",
        "DEFAULT_CONFIDENCE": "0.5",
        "EXTRA": '{"top_k": 1}',
        "PROMPT_PRICE": "1",
        "COMPLETION_PRICE": "2",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"FOXING_CODECS__REMOTE__{name}", value)
    remote = CODECS.get("remote").value.parse(load_settings().codecs["remote"])
    assert remote == RemoteOptions(
        url="http://bob:hunter2@h/v1",
        model="m",
        api_key="sesame",
        server="vllm",
        prompt="free-ocr",
        columns=160,
        timeout_s=9.5,
        page_timeout_s=99.0,
        concurrency=3,
        retries=2,
        max_tokens=700,
        default_confidence=0.5,
        extra={"top_k": 1},
        prompt_price=1.0,
        completion_price=2.0,
    )
    for shown in (repr(load_settings()), repr(remote)):
        assert "sesame" not in shown
        assert "hunter2" not in shown


def test_the_environment_overrides_single_options_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_file(tmp_path, monkeypatch)
    (tmp_path / "foxing.toml").write_text('[codecs.deepseek-ocr]\nmodel = "a"\nrevision = "0"\n[codecs.native]\n')
    monkeypatch.setenv("FOXING_CODECS__DEEPSEEK_OCR__REVISION", "1234567")
    codecs = load_settings().codecs
    options = CODECS.get("deepseek-ocr").value.parse(codecs["deepseek-ocr"])
    assert (options.model, options.revision) == ("a", "1234567")
    assert CODECS.get("native").value.parse(codecs["native"]).model_dump() == {}


def test_the_native_codec_has_no_options() -> None:
    with pytest.raises(CodecError, match="token_bytes"):
        CODECS.get("native").value.parse({"token_bytes": {"tiny": 200}})


def test_a_required_option_is_missed_only_by_the_codec_that_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXING_CODECS__REMOTE__URL", "http://127.0.0.1:9/v1")
    codecs = load_settings().codecs
    with pytest.raises(CodecError, match="the codec 'remote' needs the option 'model'") as caught:
        load_codec("remote", options=codecs["remote"])
    assert explained(caught.value).endswith("(setting FOXING_CODECS__REMOTE__MODEL)")


def test_the_key_does_not_appear_in_the_repr() -> None:
    settings = load_settings({"api_key": "correct-horse-battery"})
    assert settings.key == "correct-horse-battery"
    assert "correct-horse" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prot = 1", r"no setting 'prot' \(foxing.toml\); did you mean port\?"),
        ("[codecs.remot]\nurl = 'x'", "did you mean 'remote'"),
        ("[codecs.remote]\nulr = 'x'", "did you mean 'url'"),
        ("codecs = 3", "FOXING_CODECS"),
        ("[codecs]\nremote = 3", "FOXING_CODECS"),
        ("port = ", "foxing.toml cannot be read"),
        ("\xff", "cannot be read"),
    ],
)
def test_an_invalid_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: str) -> None:
    use_file(tmp_path, monkeypatch)
    (tmp_path / "foxing.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidSettings, match=expected):
        load_settings()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "memory.example.org"])
def test_a_host_other_than_loopback_requires_a_key(host: str) -> None:
    with pytest.raises(InvalidSettings, match="FOXING_API_KEY"):
        load_settings({"host": host}).check_host()
    assert load_settings({"host": host, "api_key": "correct-horse-battery"}).check_host().host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    assert load_settings({"host": host}).check_host().loopback


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_settings_of_the_embedder_and_of_recall_weights_reach_the_memory(tmp_path: Path) -> None:
    chosen = {
        "database_url": str(tmp_path / "foxing.db"),
        "embedder": "openai",
        "embedder_url": "http://127.0.0.1:9/v1",
        "embedder_model": "bge",
        "embedder_api_key": "correct-horse",
        "recall_weights": False,
    }
    settings = load_settings(chosen)
    assert settings.embedder_endpoint == EndpointOptions("http://127.0.0.1:9/v1", "bge", "correct-horse")
    assert "correct-horse" not in repr(settings)
    with open_memory(settings) as memory:
        memory.store("ana", [{"id": "tea", "role": "user", "content": "Mina prefers tea."}])
        assert "the embedder 'openai:bge'" in memory.recall("ana", "tea").notes[0]
        assert memory.message("ana", "tea").recall_weight == 0
    with pytest.raises(EmbedderError, match="address") as caught:
        open_memory(load_settings({**chosen, "embedder_url": None}))
    assert explained(caught.value).endswith("(setting FOXING_EMBEDDER_URL)")
