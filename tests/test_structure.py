"""The layout of the code: who may know what, and no import cycles between packages."""

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath

import pytest

ROOMS = ("renderer", "encoder", "memory", "api", "migrations", "integrations")
SCRIPTS = ("training", "benchmarks")
#: Folders whose docstrings are checked.
DOCUMENTED = (*ROOMS, *SCRIPTS, "examples")
#: First words of clauses. A docstring begins with a verb (“Returns …”) or a noun (“Store of …”).
CLAUSES = frozenset({"What", "Whether", "How", "Who", "Where", "That"})


@pytest.fixture(scope="module")
def sources() -> Iterator[dict[str, str]]:
    """Python files of the checkout, by path."""
    root = Path(__file__).resolve().parents[1]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("needs a git checkout")
    paths = [path for path in listed.stdout.split() if (root / path).is_file()]
    yield {path: (root / path).read_text(encoding="utf-8") for path in paths}
    nodes.cache_clear()


@cache
def nodes(source: str) -> tuple[ast.AST, ...]:
    """The syntax of a file, which several tests look at."""
    return tuple(ast.walk(ast.parse(source)))


def test_only_the_api_knows_the_names_of_settings_in_the_environment(sources: dict[str, str]) -> None:
    rooms = ("renderer/", "encoder/", "memory/", "integrations/")
    assert [path for path, text in sources.items() if path.startswith(rooms) and "FOXING_" in text] == []


def test_no_room_above_the_encoder_asks_for_the_type_of_a_codec(sources: dict[str, str]) -> None:
    asked = re.compile(r"isinstance\([^)]*Codec\b")
    assert [path for path, text in sources.items() if path.startswith(("memory/", "api/")) and asked.search(text)] == []


def module_of(path: str) -> str:
    parts = PurePosixPath(path).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(("foxing", *parts) if parts[0] in ROOMS else parts)


def imports(path: str, source: str, modules: set[str]) -> Iterator[str]:
    """Modules of the project that a file imports, function-level imports included."""
    package = module_of(path).split(".")
    if not path.endswith("__init__.py"):
        package = package[:-1]
    for node in nodes(source):
        if not isinstance(node, ast.ImportFrom):
            continue
        base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
        name = ".".join(filter(None, (base, node.module)))
        for alias in node.names:
            found = next((m for m in (f"{name}.{alias.name}", name) if m in modules), None)
            if found is not None:
                yield found


def test_packages_import_each_other_one_way(sources: dict[str, str]) -> None:
    paths = {module_of(path): path for path in sources if path.split("/")[0] in (*ROOMS, *SCRIPTS)}

    folders = {PurePosixPath(path).parent for path in paths.values()}
    with_subfolders = {parent for folder in folders for parent in folder.parents}

    def unit(module: str) -> str:
        """A folder counts as one package, and so does a file beside subfolders."""
        path = PurePosixPath(paths[module])
        return str(path if path.parent in with_subfolders else path.parent)

    graph: dict[str, set[str]] = {}
    for module, path in paths.items():
        if unit(module).endswith("/__init__.py"):
            continue  # re-exports from everywhere below it
        targets = graph.setdefault(unit(module), set())
        targets |= {unit(found) for found in imports(path, sources[path], set(paths))}
        targets -= {unit(module)} | {target for target in targets if target.endswith("/__init__.py")}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' → '.join(error.args[1])}")


#: Public classes of one name, each with the reason.
SAME_NAME: dict[str, str] = {}


def test_a_concept_has_one_class(sources: dict[str, str]) -> None:
    defined = Counter(
        node.name
        for path, text in sources.items()
        if path.split("/")[0] in ROOMS
        for node in nodes(text)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert {name for name, number in defined.items() if number > 1} == SAME_NAME.keys()


#: Participles, adverbs and the like, which say nothing about a value: a name is the noun of what it is.
NO_NAMES = frozenset(
    {
        *("about", "alike", "apart", "around", "asked", "beside", "came", "each", "every", "found", "given"),
        *("held", "here", "kept", "known", "least", "made", "meant", "more", "most", "near", "rest"),
        *("said", "shown", "still", "taken", "there", "told", "wanted", "within", "already", "left"),
    }
)
#: `left` beside one of these is a side.
SIDES = frozenset({"right", "above", "top"})
#: Room → number of values that have such a name. Fields of public classes are among them. It only falls.
NAMES_TO_MEND = {"renderer": 1, "encoder": 3, "memory": 273, "api": 2, "migrations": 0, "integrations": 55}


def bound_names(node: ast.AST) -> Iterator[str]:
    """Names that values get in a function, a class or a module, functions within it not counted."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield child.id
        elif isinstance(child, ast.arg):
            yield child.arg
        yield from bound_names(child)


def names_to_mend(source: str) -> Iterator[str]:
    scopes = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
    for scope in (node for node in nodes(source) if isinstance(node, scopes)):
        names = list(bound_names(scope))
        sides = not SIDES.isdisjoint(names)
        yield from (name for name in names if name.strip("_") in NO_NAMES and not (sides and name == "left"))


def test_names_of_values_are_nouns(sources: dict[str, str]) -> None:
    found = {room: 0 for room in ROOMS}
    for path, text in sources.items():
        room = path.split("/")[0]
        if room in found:
            found[room] += sum(1 for _ in names_to_mend(text))
    assert {room: number for room, number in found.items() if number > NAMES_TO_MEND[room]} == {}


def test_a_participle_is_found_where_it_names_a_value() -> None:
    source = "def f(given, left, right):\n    found = [each for each in given]\n    return lambda kept: kept"
    assert sorted(names_to_mend(source)) == ["each", "found", "given", "kept"]
    assert list(names_to_mend("left = 1")) == ["left"]


#: Room → number of assignments of several values to several names, such as `a, b = x, y`. It only falls.
PACKED = {"renderer": 0, "encoder": 0, "memory": 120, "api": 11, "migrations": 0, "integrations": 44}


def packed_assignments(source: str) -> list[ast.Assign]:
    return [
        node
        for node in nodes(source)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple)
    ]


def test_an_assignment_gives_one_name_a_value(sources: dict[str, str]) -> None:
    packed = {room: 0 for room in ROOMS}
    for path, text in sources.items():
        room = path.split("/")[0]
        if room in packed:
            packed[room] += len(packed_assignments(text))
    assert {room: number for room, number in packed.items() if number > PACKED[room]} == {}


def test_packed_assignments_are_counted() -> None:
    assert len(packed_assignments("a, b = 1, 2\na, b = b, a\na, b = pair\n(c,) = one")) == 2


#: Words of the formats of providers: types of blocks and items, and members of messages. `thinking` is a member of
#: requests as well, so that `redacted_thinking` stands for both types.
PROVIDER_WORDS = frozenset(
    {
        *("tool_use", "tool_use_id", "server_tool_use", "mcp_tool_use", "redacted_thinking", "cache_control"),
        *("tool_calls", "tool_call_id", "function_call", "function_call_output", "custom_tool_call"),
        *("input_text", "output_text", "summary_text", "input_image", "input_file", "image_url", "input_audio"),
        *("functionCall", "functionResponse", "function_response", "inlineData", "inline_data", "fileData"),
        *("thoughtSignature", "thought_signature", "prompt_cache_breakpoint", "_tool_result", "systemInstruction"),
    }
)
#: Rooms that read messages of providers. The encoder, which stands below, writes requests of its own.
READING_ROOMS = ("memory/", "api/", "integrations/")
#: Modules, and a folder, that have such words nevertheless.
WITH_PROVIDER_WORDS = {
    "api/openapi/examples.py": "requests as clients write them",
    "integrations/langchain/entries.py": "turns blocks of LangChain, some of which are a provider's, into items",
    "integrations/llamaindex/entries.py": "a member of LlamaIndex's own messages",
    "integrations/pydantic_ai/entries.py": "turns parts of Pydantic AI into items",
    "integrations/proxy/accounting.py": "members of a request that counts tokens",
    "memory/ingest/importers/content.py": "members of logs, which are mixed with those of other formats",
    "memory/ingest/importers/jsonl.py": "members of LangChain's messages, and of our own exports",
    "memory/values/messages.py": "members of our own messages that are named as in chat completions",
}


def words_in(source: str) -> set[str]:
    return {
        node.value
        for node in nodes(source)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in PROVIDER_WORDS
    }


def test_only_the_conversation_knows_the_words_of_providers(sources: dict[str, str]) -> None:
    found = {
        path: words
        for path, text in sources.items()
        if path.startswith(READING_ROOMS) and not path.startswith("memory/conversation/") and (words := words_in(text))
    }
    allowed = tuple(WITH_PROVIDER_WORDS)
    assert {path: words for path, words in found.items() if not path.startswith(allowed)} == {}
    assert [each for each in allowed if not any(path.startswith(each) for path in found)] == []


def docstrings(path: str, source: str) -> Iterator[tuple[str, str]]:
    """Place and text of the docstrings of a file: of its module, classes and functions, private and nested ones too."""
    for node in nodes(source):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text is not None:
                yield f"{path}:{getattr(node, 'lineno', 1)}", text


def test_docstrings_begin_with_a_verb_or_a_noun(sources: dict[str, str]) -> None:
    assert [
        f"{place}: {text.splitlines()[0]}"
        for path, source in sources.items()
        if path.split("/")[0] in DOCUMENTED
        for place, text in docstrings(path, source)
        if re.split(r"\W", text, maxsplit=1)[0] in CLAUSES
    ] == []
