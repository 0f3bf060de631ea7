"""Settings: where they come from, which wins, and what a bad one is told."""

from pathlib import Path

import pytest

from foxing.api.settings import InvalidSettings, Settings, load_settings
from foxing.encoder import RemoteOptions


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_environment_wins_over_file_and_overrides_over_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "foxing.toml").write_text('port = 1111\nhost = "127.0.0.2"\nageing_enabled = false\n')
    monkeypatch.setenv("FOXING_PORT", "2222")
    monkeypatch.setenv("FOXING_HOST", "127.0.0.3")
    settings = load_settings({"host": "127.0.0.4", "port": None})
    assert settings.host == "127.0.0.4"
    assert settings.port == 2222
    assert not settings.ageing_enabled


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXING_API_KEY", "")
    monkeypatch.setenv("FOXING_PORT", "")
    settings = load_settings()
    assert settings.key is None
    assert settings.port == 8765


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "seven", "FOXING_PORT"),
        ("PORT", "70000", "less than or equal to 65535"),
        ("AGEING_INTERVAL_S", "0", "greater than 0"),
        ("AGEING_ENABLED", "perhaps", "FOXING_AGEING_ENABLED"),
        ("LOG_FORMAT", "xml", "'json' or 'text', not 'xml'"),
        ("MAX_BODY_BYTES", "-1", "FOXING_MAX_BODY_BYTES"),
        ("REMOTE_COLUMNS", "100", "FOXING_REMOTE_COLUMNS (in foxing.toml: remote_columns) must be 80 or 160"),
        ("REMOTE_SERVER", "ollama", "FOXING_REMOTE_SERVER"),
        ("REMOTE_EXTRA", "[1]", "FOXING_REMOTE_EXTRA"),
    ],
)
def test_a_bad_value_is_named_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"FOXING_{name}", value)
    with pytest.raises(InvalidSettings) as caught:
        load_settings()
    assert said in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["FOXING_API_KEY", "FOXING_REMOTE_API_KEY"])
def test_a_bad_key_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "two words")
    with pytest.raises(InvalidSettings, match=name) as caught:
        load_settings()
    assert "two words" not in str(caught.value)


def test_the_remote_codec_gets_its_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"URL": "http://bob:hunter2@h/v1", "MODEL": "m", "API_KEY": "sesame", "SERVER": "vllm", "PROMPT": "free-ocr"}
    said |= {
        "COLUMNS": "160",
        "TIMEOUT_S": "9.5",
        "PAGE_TIMEOUT_S": "99",
        "CONCURRENCY": "3",
        "RETRIES": "2",
        "MAX_TOKENS": "700",
    }
    said |= {"DEFAULT_CONFIDENCE": "0.5", "EXTRA": '{"top_k": 1}', "PROMPT_PRICE": "1", "COMPLETION_PRICE": "2"}
    for name, value in said.items():
        monkeypatch.setenv(f"FOXING_REMOTE_{name}", value)
    remote = load_settings().codec_options.remote
    assert remote == RemoteOptions(
        *(
            "http://bob:hunter2@h/v1",
            "m",
            "sesame",
            "vllm",
            "free-ocr",
            160,
            9.5,
            99.0,
            3,
            2,
            700,
            0.5,
            {"top_k": 1},
            1.0,
            2.0,
        )
    )
    for words in (repr(load_settings()), repr(remote)):
        assert "sesame" not in words
        assert "hunter2" not in words


def test_the_key_does_not_show_in_a_log() -> None:
    settings = load_settings({"api_key": "correct-horse-battery"})
    assert settings.key == "correct-horse-battery"
    assert "correct-horse" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "said"),
    [("prot = 1", "no setting 'prot'"), ("port = ", "foxing.toml cannot be read"), ("\xff", "cannot be read")],
)
def test_a_bad_file_is_explained(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "foxing.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidSettings, match=said):
        load_settings()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "memory.example.org"])
def test_other_machines_are_served_only_with_a_key(host: str) -> None:
    with pytest.raises(InvalidSettings, match="FOXING_API_KEY"):
        load_settings({"host": host}).check_host()
    assert load_settings({"host": host, "api_key": "correct-horse-battery"}).check_host().host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    assert load_settings({"host": host}).check_host().loopback


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
