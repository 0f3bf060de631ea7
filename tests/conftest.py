"""Fixtures that every test may use."""

import gc
import math
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings
from platformdirs import user_cache_path
from support import schema
from support.databases import PostgresServer, running_server
from support.plugins import Installer, InstallPlugin
from support.transactions import DecodingWatch

from foxing.memory import Policy
from foxing.memory.index import embedder
from foxing.memory.index.embedder import NONE
from foxing.memory.storage.database import Database

REPOSITORY = Path(__file__).resolve().parents[1]
#: Tests that run on PostgreSQL in every run.
STORAGE = tuple(
    REPOSITORY / "tests" / folder for folder in ("memory/storage/conformance", "memory/storage/failures", "migrations")
)

#: Its tests migrate each of their databases.
MIGRATIONS = REPOSITORY / "tests" / "migrations"

#: Folders and files whose tests are all slow, apart from `QUICK`. `make test` does not import them.
SLOW = tuple(
    REPOSITORY / "tests" / path
    for path in ("benchmarks", "training", "encoder/vision/models", "security/test_schema.py")
)
QUICK = REPOSITORY / "tests" / "benchmarks" / "decay"
#: Runs the code blocks of the documentation, for minutes in `make test-all`.
EXAMPLES = REPOSITORY / "tests" / "test_doc_examples.py"

CACHE = user_cache_path()

# The same examples in every run, and no clock: a slow machine is not a failure.
settings.register_profile("foxing", derandomize=True, deadline=None, database=None, max_examples=100)
settings.load_profile("foxing")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=("sqlite", "postgresql"),
        default="sqlite",
        help="What tests that need a database run on; those marked both_databases run on both by default.",
    )


@cache
def is_slow(path: Path) -> bool:
    """True if all tests of a file are slow."""
    return any(path.is_relative_to(slow) for slow in SLOW) and not path.is_relative_to(QUICK)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves files of slow tests out of a run without them: each process would import them and what they import."""
    left_out = config.getoption("markexpr") == "not slow" and collection_path.suffix == ".py"
    return True if left_out and is_slow(collection_path) else None


def pytest_collection() -> None:
    """Collects tests without collecting garbage, which takes a fifth of the time and finds nothing."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Has garbage collection leave out what was imported, of which a full one would take half a second."""
    gc.freeze()
    gc.set_threshold(5000)
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of `SLOW`, and has long files come first: a process that began one last would be the only one at
    work for a minute."""
    for item in items:
        if is_slow(item.path):
            item.add_marker("slow")
    items.sort(key=lambda item: not (is_slow(item.path) or item.path == EXAMPLES))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test marked `both_databases` on both, unless the command line chooses PostgreSQL. Outside the folders
    of `STORAGE`, PostgreSQL is left to the slow tests."""
    marked = metafunc.definition.get_closest_marker("both_databases") is not None
    if marked and "database_url" in metafunc.fixturenames and metafunc.config.getoption("database") == "sqlite":
        storage = any(metafunc.definition.path.is_relative_to(folder) for folder in STORAGE)
        marks = () if storage else (pytest.mark.slow,)
        metafunc.parametrize("database_url", ["sqlite", pytest.param("postgresql", marks=marks)], indirect=True)


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings or the data folder of the user who runs it, nor do the processes it starts."""
    for name in list(os.environ):
        if name.startswith("FOXING_") and name != "FOXING_DATA":
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data-home")))
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE))  # also where a test has another home


@pytest.fixture(autouse=True)
def _schema_of_new_databases(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """New databases get a copy of a schema that was migrated once, and only their first read looks at its version, lest
    the number of statements depend on the time."""
    if not request.path.is_relative_to(MIGRATIONS):
        monkeypatch.setattr(Database, "migrate", schema.migrate)
        monkeypatch.setattr("foxing.memory.storage.database.CHECK_S", math.inf)


@pytest.fixture
def words_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No embedder unless a test names one, for tests that are exact about what words find."""
    monkeypatch.setattr(embedder, "DEFAULT_EMBEDDER", NONE)
    monkeypatch.setenv("FOXING_EMBEDDER", NONE)


@pytest.fixture
def message_ages() -> Iterator[None]:
    """Has new banks of this process count ages from when messages were said, as if the memory had been there, for tests
    that date messages years back and age them. Their policy says so otherwise: `{"age_from": "message"}`."""
    field = Policy.model_fields["age_from"]
    default = field.default
    try:
        field.default = "message"
        Policy.model_rebuild(force=True)
        yield
    finally:
        field.default = default
        Policy.model_rebuild(force=True)


@pytest.fixture
def no_decoding_in_transactions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test in which a page is decoded on a thread that has a database transaction open."""
    watch = DecodingWatch(monkeypatch)
    yield
    assert not watch.violations, f"decoded in a transaction, in {', '.join(watch.violations)}"


@pytest.fixture
def install_plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InstallPlugin]:
    """Installs plug-ins for the length of the test."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        installer = Installer(tmp_path_factory.mktemp("plugins"), monkeypatch)
        yield installer
        installer.remove()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture
def database_path(tmp_path: Path) -> Path:
    """Where a test of SQLite may put its database; there is none yet."""
    return tmp_path / "foxing.db"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server, started by the first test that needs it."""
    with running_server() as server:
        yield server


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database_path: Path) -> Iterator[str]:
    """URL of an empty database, of the kind that `--database` or the marker `both_databases` asks for."""
    if getattr(request, "param", request.config.getoption("database")) == "sqlite":
        yield f"sqlite:///{database_path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.new_database()
    yield url
    server.give_back(url)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of conversations and texts that are not in the repository; the test is skipped where it is absent."""
    folder = Path(os.environ.get("FOXING_DATA") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("needs the evaluation data; name its folder in FOXING_DATA")
    return folder
