"""The types of the integrations: no public signature has `Any`. That users' programs (program.py of each) pass mypy in
strict mode is checked by `make lint`."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

NAMES = ("langgraph", "openai_agents", "anthropic", "langchain", "llamaindex", "pydantic_ai", "google_adk")
#: Methods whose names begin with an underscore because a framework calls them.
HOOKS = ("_aget", "_aput", "_get_relevant_documents", "_aget_relevant_documents")


def public_annotations(path: Path) -> Iterator[tuple[str, str]]:
    """(where, annotation) of the classes and functions of a module that users or frameworks call."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        inner = [node, *node.body] if isinstance(node, ast.ClassDef) else [node]
        for each in inner:
            if isinstance(each, ast.AnnAssign):
                yield ast.unparse(each.target), ast.unparse(each.annotation)
            if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if each.name.startswith("_") and not each.name.startswith("__") and each.name not in HOOKS:
                continue
            arguments = each.args
            listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            listed += [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
            for argument in listed:
                if argument.arg not in ("self", "cls"):
                    assert argument.annotation is not None, f"{path.name}: {each.name}, {argument.arg}"
                    yield f"{each.name}, {argument.arg}", ast.unparse(argument.annotation)
            assert each.returns is not None, f"{path.name}: {each.name}"
            yield each.name, ast.unparse(each.returns)


@pytest.mark.parametrize("name", NAMES)
def test_no_public_signature_has_any(repository: Path, name: str) -> None:
    folder = repository / "integrations" / name
    found = [
        f"{path.name}: {where}: {annotation}"
        for path in sorted(folder.glob("*.py"))
        for where, annotation in public_annotations(path)
        if re.search(r"\bAny\b", annotation)
    ]
    assert found == []


def test_the_package_says_that_it_is_typed() -> None:
    spec = importlib.util.find_spec("foxing.integrations")
    assert spec is not None
    assert spec.origin is not None
    assert (Path(spec.origin).parent / "py.typed").is_file()
