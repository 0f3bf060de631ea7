"""The Python reference: signatures, docstrings and documented fields of what the packages export.

Griffe reads the source without importing it, so the page does not depend on what is installed.
"""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from griffe import Attribute, Class, Function, GriffeLoader, Module, Object, Parameter, ParameterKind

from .markdown import escaped, paragraphs, table

SOURCES = Path(__file__).resolve().parents[2] / ".src"
PACKAGES = ("foxing.memory", "foxing.encoder", "foxing.renderer")
BASE_ERROR = "FoxingError"
SIGNATURE_COLUMNS = 100
CONSTANT_COLUMNS = 60  # longer values are left out

HEAD = """\
<!-- Written by docs/generate.py; do not edit. -->
# The Python packages

What `foxing.memory`, `foxing.encoder` and `foxing.renderer` export. Import names from these packages, not from their
modules: those may change without notice.
"""


@dataclass(frozen=True)
class Value:
    """The value assigned to a field, taken apart."""

    #: As source code; empty if the field is required.
    default: str = ""
    #: The description passed to `Field`.
    description: str = ""


def python_page() -> str:
    """Markdown: every exported name of each package."""
    loader = GriffeLoader(search_paths=[SOURCES], allow_inspection=False)
    loaded = [loader.load(name, try_relative_path=False) for name in PACKAGES]
    packages = [(package, list(_exports(package))) for package in loaded if isinstance(package, Module)]
    known = {item.name for _, items in packages for item in items}
    parts = [HEAD]
    for package, items in packages:
        parts += _package(package, items, known)
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def _package(package: Module, items: Sequence[Object], known: set[str]) -> list[str]:
    """The classes, functions, errors and constants of a package, each kind in the order of `__all__`."""
    errors = [item for item in items if _is_error(item)]
    classes = [item for item in items if isinstance(item, Class) and item not in errors]
    functions = [item for item in items if isinstance(item, Function)]
    constants = [item for item in items if isinstance(item, Attribute)]
    parts = [f"## {package.path}", _text(package), _contents([*classes, *functions])]
    for item in classes:
        parts += _class(item, known)
    for function in functions:
        parts += [f"### {function.name}", _signature(function), _text(function)]
    if errors:
        parts += [f"### Errors of {package.path}", _errors(errors)]
    if constants:
        parts += [f"### Constants of {package.path}", _constants(constants)]
    return parts


def _exports(package: Module) -> Iterator[Object]:
    """The definitions that `__all__` exports."""
    exporting = package.members.get("exports", package)
    for name in exporting.exports or ():
        member = exporting[str(name)]
        yield member.final_target if member.is_alias else member


def _is_error(item: Object) -> bool:
    return isinstance(item, Class) and BASE_ERROR in (item.name, *(base.name for base in item.mro()))


def _contents(items: Iterable[Object]) -> str:
    rows = [(f"[{item.name}](#{item.name.lower()})", _first_sentence(_documentation(item))) for item in items]
    return table(("name", "description"), rows)


def _errors(errors: Iterable[Object]) -> str:
    return table(("error", "description"), [(f"`{item.name}`", escaped(_documentation(item))) for item in errors])


def _constants(constants: Iterable[Attribute]) -> str:
    rows = []
    for constant in constants:
        value = str(constant.value)
        shown = f"`{value}`" if len(value) <= CONSTANT_COLUMNS else ""
        rows.append((f"`{constant.name}`", shown, escaped(_documentation(constant))))
    return table(("name", "value", "description"), rows)


def _class(item: Class, known: set[str]) -> list[str]:
    """A class with its fields, properties and public methods."""
    extended = [f"[{name}](#{name.lower()})" for name in (str(base) for base in item.bases) if name in known]
    # The constructor of a dataclass takes its fields, which are listed below.
    constructor = None if "dataclass" in item.labels else item.members.get("__init__")
    parts = [
        f"### {item.name}",
        _signature(constructor, item.name) if isinstance(constructor, Function) else "",
        f"Extends {', '.join(extended)}." if extended else "",
        _text(item),
    ]
    found: dict[str, Object] = {}
    for owner in (item, *(base for base in item.mro() if base.name not in known and base.path.startswith(PACKAGES))):
        own = {name: member for name, member in owner.members.items() if not member.is_alias}
        found |= {name: member for name, member in own.items() if name not in found and not name.startswith("_")}
    members = list(found.values())
    parts += _attributes([member for member in members if isinstance(member, Attribute)])
    for member in members:
        if isinstance(member, Function):
            parts += [f"#### {item.name}.{member.name}", _signature(member), _text(member)]
    return parts


def _attributes(attributes: Sequence[Attribute]) -> list[str]:
    """A table of the fields and one of the properties, as far as there are any."""
    properties = [attribute for attribute in attributes if "property" in attribute.labels]
    fields = [attribute for attribute in attributes if attribute not in properties and _is_field(attribute)]
    parts = []
    if fields:
        parts.append(table(("field", "type", "default", "description"), [_field_row(field) for field in fields]))
    if properties:
        rows = [(f"`{p.name}`", f"`{p.annotation}`", escaped(_documentation(p))) for p in properties]
        parts.append(table(("property", "type", "description"), rows))
    return parts


def _is_field(member: Attribute) -> bool:
    return member.annotation is not None and not str(member.annotation).startswith("ClassVar")


def _field_row(member: Attribute) -> tuple[str, str, str, str]:
    value = _value(member)
    default = f"`{value.default}`" if value.default else ""
    return f"`{member.name}`", f"`{member.annotation}`", default, escaped(_documentation(member))


def _value(member: Attribute) -> Value:
    if member.value is None:
        return Value()
    source = str(member.value)
    call = ast.parse(source, mode="eval").body
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ("Field", "field")):
        return Value(source)
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    description = given.get("description")
    default = ast.unparse(call.args[0]) if call.args else ""
    if "default" in given:
        default = ast.unparse(given["default"])
    elif "default_factory" in given:
        default = f"{ast.unparse(given['default_factory'])}()"
    return Value(
        "" if default == "..." else default,
        str(description.value) if isinstance(description, ast.Constant) else "",
    )


def _documentation(item: Object) -> str:
    """The docstring; for an attribute, else its `Field` description, else the `#:` comment above or beside it."""
    if item.docstring:
        return item.docstring.value
    if not isinstance(item, Attribute):
        return ""
    return _value(item).description or _comment(item)


def _comment(item: Attribute) -> str:
    if item.lineno is None or item.endlineno is None or not isinstance(item.filepath, Path):
        return ""
    lines = item.lines_collection[item.filepath]
    first = item.lineno - 1
    above = first
    while above and lines[above - 1].strip().startswith("#:"):
        above -= 1
    comment = [line.strip().removeprefix("#:").strip() for line in lines[above:first]]
    _, _, beside = lines[item.endlineno - 1].partition("  #: ")
    return " ".join(comment) or beside.strip()


def _signature(function: Function, name: str = "") -> str:
    """A code block with the parameters, without `self` and `cls`, and the type of the result."""
    parameters = list(function.parameters)
    if isinstance(function.parent, Class) and "staticmethod" not in function.labels:
        parameters = parameters[1:]
    returns = "" if name or function.returns is None else f" -> {function.returns}"
    shown = list(_parameters(parameters))
    head = f"{'class ' if name else ''}{name or function.name}"
    line = f"{head}({', '.join(shown)}){returns}"
    if len(line) > SIGNATURE_COLUMNS:
        line = "\n".join([f"{head}(", *(f"    {parameter}," for parameter in shown), f"){returns}"])
    return f"```python\n{line}\n```"


def _parameters(parameters: Sequence[Parameter]) -> Iterator[str]:
    """Each parameter as in source code, with `/` and `*` between the kinds."""
    previous: ParameterKind | None = None
    for parameter in parameters:
        kind = parameter.kind
        if previous is ParameterKind.positional_only and kind is not ParameterKind.positional_only:
            yield "/"
        after_star = previous in (ParameterKind.keyword_only, ParameterKind.var_positional)
        if kind is ParameterKind.keyword_only and not after_star:
            yield "*"
        previous = kind
        stars = "*" if kind is ParameterKind.var_positional else "**" if kind is ParameterKind.var_keyword else ""
        annotation = "" if parameter.annotation is None else f": {parameter.annotation}"
        equals = " = " if annotation else "="
        has_default = parameter.default is not None and not stars
        yield f"{stars}{parameter.name}{annotation}{equals + str(parameter.default) if has_default else ''}"
    if previous is ParameterKind.positional_only:
        yield "/"


def _text(item: Object) -> str:
    return paragraphs(_documentation(item))


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.split("\n\n", 1)[0].split())
    sentence, dot, _ = paragraph.partition(". ")
    return escaped(sentence + dot.strip())
