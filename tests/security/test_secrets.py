"""Keys and passwords, which nothing shows: no repr, no error, no log, no problem document."""

import dataclasses
import importlib
import inspect
import io
import logging
import re
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, SecretStr, ValidationError
from sqlalchemy.exc import DBAPIError
from support.service import serve

from foxing.api.logs import configure_logs
from foxing.api.settings import InvalidSettings, Settings, load_settings
from foxing.encoder import CodecOptions
from foxing.integrations.client import Client, ServiceOptions
from foxing.memory import DatabaseOptions, EmbedderError, Memory, MemoryOptions, StorageError
from foxing.memory.index.model_endpoint import EndpointOptions
from foxing.renderer import FoxingError

#: Folders of the package.
ROOMS = ("renderer", "encoder", "memory", "api", "integrations")
#: A field with such a name holds a secret, or may: an address may hold a password.
SECRET_NAME = re.compile(
    r"\w+_key|(?:\w+_)?(?:token|password|secret|dsn|auth|authorization|credentials|url|database|headers)"
)
#: Fields with such a name that hold none, and why.
HARMLESS = {
    "Address.base_url": "without user, password and query",
    "CheckReport.database": "a URL without the password",
    "HttpResponse.headers": "what a server answers",
    "ImageMarks.token": "a token of a model's vocabulary",
    "ImagePart.url": "part of a message",
    "Request.idempotency_key": "chosen by the caller, to be said in errors",
    "StoreCall.idempotency_key": "chosen by the caller, to be said in errors",
    "AcceptedCall.idempotency_key": "chosen by the caller, to be said in errors",
}
SECRET = "hunter2-sesame"
URL = f"http://ana:{SECRET}@127.0.0.1:1/v1?sig={SECRET}"


def secret_fields(cls: type) -> list[str]:
    """Names of the fields of a dataclass, a model or a named tuple that hold secrets."""
    if dataclasses.is_dataclass(cls):
        types = {field.name: field.type for field in dataclasses.fields(cls)}
    elif issubclass(cls, BaseModel):
        types = {name: field.annotation for name, field in cls.model_fields.items()}
    elif issubclass(cls, tuple) and hasattr(cls, "_fields"):
        types = inspect.get_annotations(cls)
    else:
        return []
    return [
        name
        for name, kind in types.items()
        if SECRET_NAME.fullmatch(name)
        and kind not in (int, float, bool, "int", "float", "bool")
        and f"{cls.__name__}.{name}" not in HARMLESS
    ]


def classes_with_secrets() -> Iterator[type]:
    """Every class of the package that has such fields."""
    repository = Path(__file__).resolve().parents[2]
    for room in ROOMS:
        for path in sorted((repository / room).rglob("*.py")):
            names = re.findall(r"^    (\w+):", path.read_text(), re.MULTILINE)
            if path.stem in ("__main__", "__init__") or not any(map(SECRET_NAME.fullmatch, names)):
                continue
            name = ".".join(("foxing", *path.relative_to(repository).with_suffix("").parts))
            module = importlib.import_module(name)
            for value in vars(module).values():
                if inspect.isclass(value) and value.__module__ == name and secret_fields(value):
                    yield value


CLASSES = list(classes_with_secrets())


def test_the_classes_are_found() -> None:
    assert {Settings, ServiceOptions, DatabaseOptions, EndpointOptions} <= set(CLASSES)
    assert any(issubclass(cls, CodecOptions) for cls in CLASSES)


def holding_secrets(cls: Any) -> object:
    """An instance of which every field that may hold a secret holds one, and the others nothing."""
    secrets = secret_fields(cls)
    if issubclass(cls, BaseModel):
        values = {
            name: SecretStr(SECRET) if "SecretStr" in str(cls.model_fields[name].annotation) else URL
            for name in secrets
        }
        return cls.model_construct(**values)
    if issubclass(cls, tuple):
        return cls(**{name: URL if name in secrets else None for name in cls._fields})
    instance = object.__new__(cls)
    for field in dataclasses.fields(cls):
        object.__setattr__(instance, field.name, URL if field.name in secrets else None)
    return instance


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_no_repr_shows_a_secret(cls: type) -> None:
    instance = holding_secrets(cls)
    for shown in (repr(instance), str(instance), f"{instance}", repr([instance])):
        assert SECRET not in shown


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if issubclass(cls, BaseModel)], ids=lambda cls: cls.__name__)
def test_no_error_of_validation_shows_a_secret(cls: type[BaseModel]) -> None:
    for name in secret_fields(cls):
        with pytest.raises(ValidationError) as caught:
            cls.model_validate({name: [SECRET]})
        assert SECRET not in str(caught.value)
        assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("name", secret_fields(Settings))
def test_no_error_of_a_setting_shows_a_secret(name: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_settings({name: [SECRET]})
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "database",
    [
        f"postgresql://ana:{SECRET}@127.0.0.1:1/foxing",
        f"postgresql://ana@127.0.0.1:1/foxing?password={SECRET}&sslpassword={SECRET}",
        f"postgresql://ana:{SECRET}@127.0.0.1:port/foxing",
        f"postgresql://ana:{SECRET}@127.0.0.1:1/foxing?no_such_option=1",
        f"oracle://ana:{SECRET}@127.0.0.1/foxing",
        f"postgresql:/ana:{SECRET}@[::1/://foxing",
    ],
)
def test_no_error_of_a_database_shows_its_password(database: str) -> None:
    with (
        pytest.raises((StorageError, DBAPIError)) as caught,
        Memory(DatabaseOptions(database, connect_timeout_s=2)) as memory,
    ):
        memory.banks()
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("url", [URL, f"ftp://ana:{SECRET}@127.0.0.1", f"http://ana:{SECRET}@[::1"])
def test_no_error_of_the_client_shows_a_secret(url: str) -> None:
    with pytest.raises(FoxingError) as caught, Client(ServiceOptions(url, api_key=SECRET, retry_for_s=0.01)) as client:
        client.banks()
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.fixture
def refusing() -> Iterator[str]:
    """The address of a server that refuses everything, with a user and a password in it."""

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_error(401, f"wrong key {SECRET}")

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://ana:{SECRET}@127.0.0.1:{server.server_address[1]}/v1?sig={SECRET}"
        server.shutdown()
        thread.join()


def test_no_log_and_no_answer_of_the_service_shows_a_secret(
    tmp_path: Path, refusing: str, root_logger: logging.Logger
) -> None:
    stream = io.StringIO()
    settings = {
        "database_url": str(tmp_path / "foxing.db"),
        "embedder": "openai",
        "embedder_url": refusing,
        "embedder_model": "m",
        "embedder_api_key": SECRET,
        "api_key": SECRET,
        "log_level": "debug",
    }
    configure_logs(load_settings(settings), stream)
    headers = {"Authorization": f"Bearer {SECRET}"}
    answers: list[httpx.Response] = []
    with serve(None, **settings) as client:
        for method, path, body in (
            ("POST", "/v1/banks/ana/messages", {"messages": [{"role": "user", "content": f"Titan {n}"} for n in "ab"]}),
            ("POST", "/v1/banks/ana/recall", {"query": "Titan"}),
            ("POST", "/v1/banks/ana/seal", None),
            ("GET", "/readyz", None),
            ("GET", "/metrics", None),
            ("GET", "/v1/banks", None),
        ):
            answers.append(client.request(method, path, json=body, headers=headers))
        answers.append(client.get("/v1/banks", headers={"Authorization": "Bearer wrong"}))
    assert any("401" in answer.text or answer.status_code == 401 for answer in answers)
    for shown in (stream.getvalue(), *(answer.text + str(answer.headers) for answer in answers)):
        assert SECRET not in shown


def test_no_error_of_an_embedder_shows_a_secret(refusing: str, database_url: str) -> None:
    options = MemoryOptions(embedder="openai", embedder_endpoint=EndpointOptions(refusing, "m", SECRET))
    with Memory(database_url, options=options) as memory:
        memory.store("ana", [{"role": "user", "content": "We ship Titan."}])
        with pytest.raises(EmbedderError, match="401") as caught:
            memory.operations.embed_new("ana")
    assert SECRET not in "".join(traceback.format_exception(caught.value))
