"""The benchmark of interrupted tasks, on a small shop of our own."""

import gzip
import json
import random
from pathlib import Path

import pytest

from benchmarks.resume.__main__ import main
from benchmarks.resume.conversations import half_of, make_banks
from benchmarks.resume.dialogue import write_dialogue
from benchmarks.resume.measurement import BUDGETS, PACKAGES, RIGHT_THREAD, missing_arguments, possible
from benchmarks.resume.phrases import HALVES, SLOTS, WORDINGS, templates, with_typos
from benchmarks.resume.shop import Call, Shop, read_shop
from foxing.memory.errors import InvalidInput

CUSTOMERS = ("Ada Birk", "Ben Cole", "Cleo Dahl", "Dan Eke", "Eva Fox", "Finn Gall", "Gus Hale", "Ida Jahn")
TOOLS = """
import json
from tau_bench.envs.tool import Tool


def tool(name, invoke):
    info = {"type": "function", "function": {"name": name}}
    return type(name, (Tool,), {"invoke": staticmethod(invoke), "get_info": staticmethod(lambda: info)})


def by_name(data, first_name, last_name, zip):
    for key, user in data["users"].items():
        if (*user["name"].values(), user["address"]["zip"]) == (first_name, last_name, zip):
            return key
    return "Error: user not found"


def by_email(data, email):
    return next((key for key, user in data["users"].items() if user["email"] == email), "Error: user not found")


def cancel(data, order_id, reason):
    order = data["orders"][order_id]
    if order["status"] != "pending":
        return "Error: non-pending order cannot be cancelled"
    order["status"] = "cancelled"
    return json.dumps(order)


def exchange(data, order_id, item_ids, new_item_ids, payment_method_id):
    return json.dumps({**data["orders"][order_id], "exchange_new_items": new_item_ids})


ALL_TOOLS = [
    tool("find_user_id_by_name_zip", by_name),
    tool("find_user_id_by_email", by_email),
    tool("get_user_details", lambda data, user_id: json.dumps(data["users"][user_id])),
    tool("get_order_details", lambda data, order_id: json.dumps(data["orders"][order_id])),
    tool("get_product_details", lambda data, product_id: json.dumps(data["products"][product_id])),
    tool("cancel_pending_order", cancel),
    tool("exchange_delivered_order_items", exchange),
]
"""
TASK = """    Task(
        annotator="synthetic",
        user_id="{user}",
        instruction="Your name is {name} and your {known}.",
        actions=[
            Action(name="exchange_delivered_order_items", kwargs={{
                "order_id": "{order}", "item_ids": ["{old}"], "new_item_ids": ["{new}"],
                "payment_method_id": "paypal_{number}",
            }}),
            Action(name="cancel_pending_order", kwargs={{"order_id": "{other}", "reason": "{reason}"}}),
        ],
        outputs=[],
    ),
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the parts of tau-bench that are read: eight customers, and two orders and a task of each."""
    variants = {
        str(number): {"item_id": str(number), "options": {"color": color}, "available": True, "price": 20.5 + number}
        for number, color in ((70_001, "green"), (70_002, "blue"), (70_003, "red"))
    }
    products = {"9001": {"name": "Tea Pot", "product_id": "9001", "variants": variants}}
    users, orders, tasks = {}, {}, []
    for number, name in enumerate(CUSTOMERS, start=101):
        first, last = name.split()
        numbers = (f"#W{number}1", f"#W{number}2")
        key = f"{first}_{last}_{number}".lower()
        users[key] = {
            "name": {"first_name": first, "last_name": last},
            "address": {"address1": f"{number} Elm Street", "zip": f"11{number}"},
            "email": f"{first}@example.com",
            "payment_methods": {f"paypal_{number}": {"source": "paypal", "id": f"paypal_{number}"}},
            "orders": list(numbers),
        }
        for order, status in zip(numbers, ("delivered", "pending"), strict=True):
            item = {"name": "Tea Pot", "product_id": "9001", **variants["70001"]}
            paid = [{"payment_method_id": f"paypal_{number}"}]
            orders[order] = {"order_id": order, "items": [item], "status": status, "payment_history": paid}
        task = TASK.format(
            user=key,
            name=name,
            known="email is known" if number % 2 else "zip code is known",
            order=numbers[0],
            other=numbers[1],
            old="70001",
            new="70003",
            number=number,
            reason="no longer needed",
        )
        tasks.append(task)
    fails = tasks[0].replace("#W1012", "#W1011")  # cancels an order that is not pending
    retail = tmp_path / "tau_bench" / "envs" / "retail"
    (retail / "data").mkdir(parents=True)
    (retail / "tools").mkdir()
    for name, value in (("users", users), ("orders", orders), ("products", products)):
        (retail / "data" / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    (tmp_path / "tau_bench" / "__init__.py").write_text("import a_package_for_language_models\n", encoding="utf-8")
    (tmp_path / "tau_bench" / "envs" / "tool.py").write_text("class Tool:\n    pass\n", encoding="utf-8")
    (retail / "tools" / "__init__.py").write_text(TOOLS, encoding="utf-8")
    (retail / "tasks_train.py").write_text(f"TASKS_TRAIN = [\n{''.join(tasks)}{fails}]\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def shop(checkout: Path) -> Shop:
    return read_shop(checkout)


def test_tasks_whose_calls_fail_are_left_out(shop: Shop) -> None:
    assert len(shop.tasks) == len(CUSTOMERS)
    assert {task.by_email for task in shop.tasks} == {True, False}
    desk = shop.desk(shop.tasks[0].user_id)
    cancel = shop.tasks[0].calls[1]
    assert json.loads(desk.call(cancel))["status"] == "cancelled"
    assert desk.call(cancel).startswith("Error")
    assert not shop.desk(shop.tasks[0].user_id).call(cancel).startswith("Error")


def test_a_dialogue_holds_what_the_calls_need(shop: Shop) -> None:
    rng = random.Random(5)
    lengths = set()
    for half in HALVES:
        for task in shop.tasks:
            dialogue = write_dialogue(shop, task, half, rng, interrupted=True)
            made = [
                turn.content["name"]
                for turn in dialogue.turns
                if isinstance(turn.content, dict) and "name" in turn.content
            ]
            assert dialogue.pending
            assert [call.tool for call in dialogue.pending] == [call.tool for call in task.calls][
                -len(dialogue.pending) :
            ]
            assert sum(name in SLOTS for name in made) == len(task.calls) - len(dialogue.pending)
            text = "\n".join(str(turn.content) for turn in dialogue.turns)
            assert missing_arguments(dialogue.pending, text) == []
            lengths.add(len(dialogue.turns))
    assert len(lengths) > 3
    assert write_dialogue(shop, shop.tasks[0], "dev", rng, interrupted=False).pending == ()


def test_banks_are_the_same_on_every_run(shop: Shop) -> None:
    half = half_of(shop.tasks[0].user_id)
    (bank,) = make_banks(shop, half, 1, 3, 0, WORDINGS)
    assert make_banks(shop, half, 1, 3, 0, WORDINGS) == [bank]
    assert make_banks(shop, half, 1, 3, 1, WORDINGS) != [bank]
    assert len(bank.others) == 3
    (task,) = bank.tasks
    assert len({each.text for each in task.returns}) == 2 * WORDINGS
    assert possible(bank.tasks) == 1


def test_halves_share_no_customers_and_no_words(shop: Shop) -> None:
    assert {half_of(task.user_id) for task in shop.tasks} == set(HALVES)
    for slot in ("opening", "return_named", "return_plain"):
        dev, held_out = (set(templates(slot, half)) for half in HALVES)
        assert not dev & held_out


def test_typos_spare_names_and_numbers() -> None:
    template = "please return the {things} of {order}, Ada"
    mistyped = with_typos(template, 1.0, random.Random(1))
    assert mistyped != template
    assert [word for word in template.split() if "{" in word] == [word for word in mistyped.split() if "{" in word]
    assert with_typos(template, 0.0, random.Random(1)) == template


def test_an_argument_is_a_whole_word() -> None:
    calls = [Call("cancel_pending_order", {"order_id": "#W12", "item_ids": ["34", "56"]})]
    assert missing_arguments(calls, "order #W12: 34, 56") == []
    assert missing_arguments(calls, "order #W123: 34, 56") == ["order_id"]
    assert missing_arguments(calls, '{"order_id": "#W12", "items": ["34", "567"]}') == ["item_ids"]


def test_the_command_measures_alone_and_padded(shop: Shop, checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(checkout), "--tasks", "2", "--pad", "1", "--wordings", "2", "--embedder", "none", "--age", "365"]
    main([*given, "--json"])
    result = json.loads(capsys.readouterr().out)
    rows = {(row["system"], row["pad"], row["age_days"]): row for row in result["rows"]}
    assert {pad for _, pad, _ in rows} == {0, 1}
    assert rows[RIGHT_THREAD, 0, None]["done"][str(BUDGETS[-1])] == 1
    assert rows["foxing", 1, 365]["returns"] == 2 * 2 * 2
    assert set(PACKAGES) <= set(result["left_out"])
    for row in result["rows"]:
        assert all(row["tokens"][str(budget)] <= budget for budget in BUDGETS)
    (alone, padded) = result["bytes"]
    assert alone["tiers"] == {"micro": 1}
    assert alone["zstd"] < padded["zstd"] < padded["text"]
    main([*given, "--foxing-only"])
    assert "done 2048" in capsys.readouterr().out


def test_other_text_pads_a_bank(shop: Shop, tmp_path: Path) -> None:
    half = half_of(shop.tasks[0].user_id)
    with pytest.raises(InvalidInput, match=r"has no files \*\.jsonl\.gz"):
        make_banks(shop, half, 1, 2, 0, 1, tmp_path)
    document = {"id": "d", "messages": [{"role": "user", "content": "Which train goes to Bremen?"}]}
    with gzip.open(tmp_path / "en_trains.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.write(json.dumps(document) + "\n")
    (bank,) = make_banks(shop, half, 1, 2, 0, 1, tmp_path)
    assert [message.content for message in bank.others[-1].messages] == ["Which train goes to Bremen?"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--tasks", "50"], r"customers; ask for at most so many"),
        (["--tasks", "1", "--pad", "50"], r"name a folder of other texts with --data"),
    ],
)
def test_more_than_the_shop_has(checkout: Path, arguments: list[str], reason: str) -> None:
    with pytest.raises(SystemExit, match=reason):
        main([str(checkout), *arguments])


def test_a_folder_that_is_no_checkout(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="is not a checkout of tau-bench"):
        main([str(tmp_path)])
