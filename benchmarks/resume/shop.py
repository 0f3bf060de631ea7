"""The shop of tau-bench retail: its data, its tools and its train tasks, read from a checkout.

The tools are pure functions over the data. They are imported without the rest of tau-bench, which needs packages for
language models; nothing of the checkout is written or copied.
"""

import ast
import copy
import importlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from foxing.memory.errors import InvalidInput

PACKAGE = "tau_bench"
RETAIL = Path(PACKAGE, "envs", "retail")
DATA = ("orders", "products", "users")
#: Beginning of the result of a call that failed.
FAILURE = "Error"


@dataclass(frozen=True)
class Call:
    """A call of a tool."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """Wish of a customer: the writing calls that fulfil it, in order."""

    user_id: str
    calls: Sequence[Call]
    #: True if the customer identifies by e-mail, False if by name and postcode.
    by_email: bool


class Desk:
    """The shop as one conversation finds it: what its calls change is seen by no other."""

    def __init__(self, data: Mapping[str, Any], tools: Mapping[str, Any], user_id: str) -> None:
        user = copy.deepcopy(data["users"][user_id])
        orders = {key: copy.deepcopy(data["orders"][key]) for key in user["orders"] if key in data["orders"]}
        self._tools = tools
        self._data = {
            **data,
            "users": {**data["users"], user_id: user},
            "orders": {**data["orders"], **orders},
        }
        self.user: dict[str, Any] = user
        self.user_id = user_id

    @property
    def products(self) -> Mapping[str, Any]:
        """Products by id."""
        products: Mapping[str, Any] = self._data["products"]
        return products

    @property
    def orders(self) -> Mapping[str, Any]:
        """Orders by number."""
        orders: Mapping[str, Any] = self._data["orders"]
        return orders

    def offers(self, tool: str) -> bool:
        """Returns whether the shop has a tool."""
        return tool in self._tools

    def call(self, call: Call) -> str:
        """Returns the real result of a call."""
        return str(self._tools[call.tool].invoke(data=self._data, **call.arguments))


@dataclass(frozen=True)
class Shop:
    """Data, tools by name, and the train tasks whose calls succeed."""

    data: Mapping[str, Any]
    tools: Mapping[str, Any]
    tasks: Sequence[Task]

    def desk(self, user_id: str) -> Desk:
        """Returns the shop as a conversation with this customer finds it."""
        return Desk(self.data, self.tools, user_id)


def read_shop(checkout: Path) -> Shop:
    """Reads the shop from a checkout of tau-bench, running the code of its tools. Raises `InvalidInput`."""
    folder = checkout / RETAIL
    try:
        data = {name: json.loads((folder / "data" / f"{name}.json").read_text(encoding="utf-8")) for name in DATA}
        written = _read_tasks(folder / "tasks_train.py")
        tools = _import_tools(checkout)
    except (OSError, ValueError, SyntaxError, ImportError) as error:
        raise InvalidInput(
            f"{checkout} is not a checkout of tau-bench: {error}; name the folder that git made"
        ) from error
    shop = Shop(data, tools, ())
    return Shop(data, tools, [task for task in written if _succeeds(shop, task)])


def _read_tasks(file: Path) -> list[Task]:
    """Tasks of a module, whose values are literals; it is not run."""
    return [
        _task({keyword.arg: keyword.value for keyword in node.keywords if keyword.arg})
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Task"
    ]


def _task(fields: Mapping[str, ast.expr]) -> Task:
    actions = fields["actions"]
    if not isinstance(actions, ast.List):
        raise ValueError("the actions of a task are not a list")
    calls = []
    for action in actions.elts:
        if not isinstance(action, ast.Call):
            raise ValueError("an action of a task is not an Action")
        parts = {keyword.arg: ast.literal_eval(keyword.value) for keyword in action.keywords}
        calls.append(Call(parts["name"], parts["kwargs"]))
    return Task(
        user_id=ast.literal_eval(fields["user_id"]),
        calls=calls,
        by_email="your email is" in ast.literal_eval(fields["instruction"]),
    )


def _import_tools(checkout: Path) -> dict[str, Any]:
    with _bare_packages(checkout):
        module = importlib.import_module(f"{PACKAGE}.envs.retail.tools")
    return {tool.get_info()["function"]["name"]: tool for tool in module.ALL_TOOLS}


@contextmanager
def _bare_packages(checkout: Path) -> Iterator[None]:
    """Makes the modules of tau-bench importable without running the `__init__` of its packages."""

    def ours() -> list[str]:
        return [name for name in sys.modules if name.split(".")[0] == PACKAGE]

    before = {name: sys.modules.pop(name) for name in ours()}
    for name in (PACKAGE, f"{PACKAGE}.envs", f"{PACKAGE}.envs.retail"):
        package = ModuleType(name)
        package.__path__ = [str(checkout.joinpath(*name.split(".")))]
        sys.modules[name] = package
    try:
        yield
    finally:
        for name in ours():
            del sys.modules[name]
        sys.modules.update(before)


def _succeeds(shop: Shop, task: Task) -> bool:
    """True if the task has calls and each of them succeeds, one after another."""
    if (
        not task.calls
        or task.user_id not in shop.data["users"]
        or any(each.tool not in shop.tools for each in task.calls)
    ):
        return False
    desk = shop.desk(task.user_id)
    return not any(desk.call(call).startswith(FAILURE) for call in task.calls)
