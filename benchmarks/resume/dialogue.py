"""Writes the conversation of a customer and an agent about a task, with the real results of the shop's tools.

It ends before the calls that would fulfil the task, or after some of them, or continues to its end. Nothing here knows
how a memory works: what is said varies as in a shop, and an agent names some identifiers, all, or none but the order.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .phrases import DEEDS, SLOTS, Half, templates, with_typos
from .shop import FAILURE, Call, Desk, Shop, Task

MOST_VARIANTS = 4  # that an agent reads out
MOST_THINGS = 3  # by which a customer names an order
#: What an agent names when it reads out: all identifiers; those of order and payment; that of the order.
DETAILS = ("all", "order and payment", "order")
_DETAIL_WEIGHTS = (0.35, 0.3, 0.35)
_TYPO_RATES = (0.0, 0.0, 0.03, 0.08)
_ITEM_TOOLS = frozenset({"exchange_delivered_order_items", "modify_pending_order_items"})
_ADDRESS = ("address1", "address2", "city", "state", "zip", "country")


@dataclass(frozen=True)
class Turn:
    """A message without its time."""

    role: Literal["user", "assistant", "tool"]
    #: A text, or one part: a call or its result.
    content: str | Mapping[str, Any]


@dataclass(frozen=True)
class Dialogue:
    """A conversation about a task."""

    task: Task
    turns: Sequence[Turn]
    #: Writing calls that were read out and not made; empty if the conversation came to its end.
    pending: Sequence[Call]
    #: What a customer may say of the pending calls, for templates of the return.
    facts: Mapping[str, str]


def write_dialogue(shop: Shop, task: Task, half: Half, rng: random.Random, *, interrupted: bool) -> Dialogue:
    """Writes the conversation of a task with the templates of a half."""
    return _Writer(shop.desk(task.user_id), task, half, rng).write(interrupted)


class _Writer:
    def __init__(self, desk: Desk, task: Task, half: Half, rng: random.Random) -> None:
        self._desk, self._task, self._half, self._rng = desk, task, half, rng
        self._turns: list[Turn] = []
        self._typos = rng.choice(_TYPO_RATES)
        self._detail = rng.choices(DETAILS, _DETAIL_WEIGHTS)[0]
        self._form = rng.randrange(3)
        self._orders = list(dict.fromkeys(str(call.arguments["order_id"]) for call in task.calls))
        self._knows_numbers = rng.random() < 0.6
        self._calls_made = 0
        #: Items of the orders before any change: (order, item id) → item.
        self._items = {(order, item["item_id"]): item for order in self._orders for item in desk.orders[order]["items"]}

    def write(self, interrupted: bool) -> Dialogue:
        facts = self._facts(self._task.calls)
        self._open()
        self._identify()
        for order in self._orders:
            self._look_up(order)
        for call in self._task.calls:
            self._settle(call)
        self._digress()
        self._read_out()
        pending = self._stop() if interrupted else self._finish()
        return Dialogue(self._task, self._turns, pending, self._facts(pending) if pending else facts)

    # what is said and done

    def _said(self, slot: str, values: Mapping[str, str], typos: float = 0.0) -> str:
        template = self._rng.choice(templates(slot, self._half))
        return with_typos(template, typos, self._rng).format_map(values)

    def _agent(self, slot: str, **values: str) -> None:
        self._turns.append(Turn("assistant", self._said(slot, self._name | values)))

    def _customer(self, slot: str, **values: str) -> None:
        self._turns.append(Turn("user", self._said(slot, self._name | values, self._typos)))

    def _tool(self, tool: str, **arguments: Any) -> str:
        self._calls_made += 1
        key = f"call_{self._calls_made}"
        result = self._desk.call(Call(tool, arguments))
        self._turns.append(Turn("assistant", {"type": "tool_call", "id": key, "name": tool, "arguments": arguments}))
        self._turns.append(Turn("tool", {"type": "tool_result", "id": key, "content": result}))
        return result

    @property
    def _name(self) -> dict[str, str]:
        user = self._desk.user
        return {
            "first": user["name"]["first_name"],
            "last": user["name"]["last_name"],
            "zip": user["address"]["zip"],
            "email": user["email"],
        }

    # the steps of a conversation

    def _open(self) -> None:
        if self._rng.random() < 0.4:
            self._agent("greeting")
        requests = [self._request(call) for call in self._task.calls]
        first, *others = requests
        slot = "opening_named" if self._rng.random() < 0.25 else "opening"
        self._customer(slot, request=first, request_lower=first[0].lower() + first[1:])
        self._later = others if self._rng.random() < 0.5 else []
        if not self._later and others:
            said = self._turns.pop()
            more = (
                self._said("want_more", {"request": other, "request_lower": other[0].lower() + other[1:]})
                for other in others
            )
            self._turns.append(Turn("user", " ".join((str(said.content), *more))))

    def _identify(self) -> None:
        self._agent("ask_identity")
        name = self._name
        if self._task.by_email:
            self._customer("identity_email")
            result = self._tool("find_user_id_by_email", email=name["email"])
        else:
            self._customer("identity_zip")
            if self._rng.random() < 0.1:
                wrong = name["zip"][:-2] + name["zip"][-1] + name["zip"][-2]
                missed = self._tool(
                    "find_user_id_by_name_zip", first_name=name["first"], last_name=name["last"], zip=wrong
                )
                if missed.startswith(FAILURE):
                    self._agent("identity_slip")
                    self._customer("identity_zip")
            result = self._tool(
                "find_user_id_by_name_zip", first_name=name["first"], last_name=name["last"], zip=name["zip"]
            )
        if result == self._task.user_id and self._rng.random() < 0.6:
            self._agent("identified")
        self._tool("get_user_details", user_id=self._task.user_id)

    def _look_up(self, order: str) -> None:
        """Finds an order: by its number, or among those of the customer."""
        if not self._knows_numbers:
            for other in self._desk.user["orders"]:
                if other == order:
                    break
                if self._rng.random() < 0.8 and other in self._desk.orders:
                    self._tool("get_order_details", order_id=other)
        self._tool("get_order_details", order_id=order)
        if not self._knows_numbers or self._rng.random() < 0.35:
            held = self._desk.orders[order]
            items = ", ".join(self._described(item) for item in held["items"])
            self._agent("order_seen", order=order, status=str(held["status"]), items=items)
            self._customer("order_right")

    def _settle(self, call: Call) -> None:
        """Settles what the call needs: variants, payment, reason."""
        if self._later and call is not self._task.calls[0]:
            request = self._later.pop(0)
            self._customer("want_more", request=request, request_lower=request[0].lower() + request[1:])
        if call.tool in _ITEM_TOOLS:
            self._choose_variants(call)
        if call.tool == "cancel_pending_order":
            self._agent("ask_reason")
            self._customer(f"reason_{call.arguments['reason']}")
        elif "payment_method_id" in call.arguments and call.tool != "modify_pending_order_payment":
            methods = ", ".join(self._payment(key) for key in self._desk.user["payment_methods"])
            if self._rng.random() < 0.7:
                self._agent("ask_payment", methods=methods)
            self._customer("payment_choice", payment=self._payment(call.arguments["payment_method_id"]))

    def _choose_variants(self, call: Call) -> None:
        if self._rng.random() < 0.08 and self._desk.offers("list_all_product_types"):
            self._tool("list_all_product_types")
        products = dict.fromkeys(old["product_id"] for old, _ in self._pairs(call))
        for product in self._rng.sample(list(products), len(products)):
            self._tool("get_product_details", product_id=product)
        for old, new in self._pairs(call):
            if self._rng.random() < 0.4:
                self._offer(old, new)

    def _offer(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Reads out variants in stock and has the customer choose; sometimes another one first."""
        variants = self._desk.products[old["product_id"]]["variants"].values()
        stock = [variant for variant in variants if variant["available"] and variant["item_id"] != new["item_id"]]
        shown = [new, *self._rng.sample(stock, min(len(stock), MOST_VARIANTS - 1))]
        self._rng.shuffle(shown)
        name = _plain(old["name"])
        self._agent("variants", name=name, variants="; ".join(_options(each["options"]) for each in shown))
        if stock and self._rng.random() < 0.4:
            self._customer("variant_choice", new=_options(self._rng.choice(stock)["options"]))
            self._customer("changed_mind", name=name, new=_options(new["options"]))
            self._agent("mind_noted", new=_options(new["options"]))
        else:
            self._customer("variant_choice", new=_options(new["options"]))

    def _digress(self) -> None:
        """Says or asks something beside the point, sometimes."""
        if self._rng.random() < 0.2:
            self._customer("aside")
            self._agent("aside_answer")
        if self._rng.random() < 0.25:
            item = self._rng.choice(self._desk.orders[self._orders[0]]["items"])
            self._customer("ask_price", name=_plain(item["name"]))
            if self._rng.random() < 0.5:
                self._tool("get_order_details", order_id=self._orders[0])
            self._agent("price", price=str(item["price"]))
        others = [
            order for order in self._desk.user["orders"] if order not in self._orders and order in self._desk.orders
        ]
        if others and self._rng.random() < 0.35:
            other = self._rng.choice(others)
            self._customer("ask_other", order=other)
            self._tool("get_order_details", order_id=other)
            self._agent("other", order=other, status=str(self._desk.orders[other]["status"]))

    def _read_out(self) -> None:
        """Reads out all calls, at once or one after another, each confirmed but the last."""
        lines = [self._line(call) for call in self._task.calls]
        groups = [lines] if self._rng.random() < 0.6 else [[line] for line in lines]
        for place, group in enumerate(groups):
            if place:
                self._customer("confirm")
            listed = (
                "\n".join(f"{number}. {line}" for number, line in enumerate(group, 1)) if len(group) > 1 else group[0]
            )
            self._agent("read_out", lines=listed, joined=" ".join(group))

    def _stop(self) -> Sequence[Call]:
        """Ends before all calls are made. Returns those that were not."""
        made = self._rng.randrange(len(self._task.calls)) if self._rng.random() < 0.4 else 0
        ending = self._rng.choice(("confirm", "wait", "outage", "away"))
        if made or ending != "away":
            self._customer("confirm")
        else:
            self._customer("away")
        for call in self._task.calls[:made]:
            self._tool(call.tool, **call.arguments)
        if ending in ("wait", "outage"):
            self._agent(ending)
        return self._task.calls[made:]

    def _finish(self) -> Sequence[Call]:
        self._customer("confirm")
        for call in self._task.calls:
            self._tool(call.tool, **call.arguments)
        self._agent("done")
        self._customer("thanks")
        return ()

    # what calls are called

    def _request(self, call: Call) -> str:
        """First words of the customer about a call."""
        order = f"order {call.arguments['order_id']}" if self._knows_numbers else self._said("unknown_order", {})
        values = {"order": order, "order_start": order[0].upper() + order[1:]}
        if "item_ids" in call.arguments:
            values["things"] = _listed([_plain(item["name"]) for item in self._old_items(call)])
        if call.tool in _ITEM_TOOLS:
            values["swaps"] = _listed([self._swap(old, new) for old, new in self._pairs(call)])
        if call.tool == "modify_pending_order_address":
            values["address"] = _address(call.arguments)
        if call.tool == "modify_pending_order_payment":
            values["payment"] = self._payment(call.arguments["payment_method_id"])
        return self._said(f"want_{SLOTS[call.tool]}", values, self._typos)

    def _swap(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
        changed = {key: value for key, value in new["options"].items() if old["options"].get(key) != value}
        described = self._described(old) if self._rng.random() < 0.5 else _plain(old["name"])
        slot = "swap" if changed else "swap_same"
        return self._said(slot, {"old": described, "new": _options(changed)}, self._typos)

    def _line(self, call: Call) -> str:
        """Line that the agent reads out of a call, with as many identifiers as it names."""
        given = call.arguments
        values = {"order": str(given["order_id"]), "reason": str(given.get("reason", ""))}
        if "payment_method_id" in given:
            payment = self._payment(given["payment_method_id"])
            values["payment"] = (
                f"your {payment}" if self._detail == "order" else f"{payment} ({given['payment_method_id']})"
            )
        if "item_ids" in given:
            values["olds"] = _listed([self._identified(item) for item in self._old_items(call)])
        if call.tool in _ITEM_TOOLS:
            pairs = self._pairs(call)
            values["pairs"] = _listed([f"{self._identified(old)} → {self._identified(new, old)}" for old, new in pairs])
            values["difference"] = f"${abs(sum(new['price'] - old['price'] for old, new in pairs)):.2f}"
        if call.tool == "modify_pending_order_address":
            values["address"] = _address(given)
        return self._said(f"line_{SLOTS[call.tool]}", values)

    def _identified(self, item: Mapping[str, Any], of: Mapping[str, Any] | None = None) -> str:
        """A thing as an agent reads it out. `of`: the thing that it replaces."""
        described = self._described({**item, "name": (of or item)["name"]})
        return f"{described}, item {item['item_id']}" if self._detail == "all" else described

    def _described(self, item: Mapping[str, Any]) -> str:
        """A thing with its options, in the words of this conversation."""
        name = _plain(item["name"])
        if self._form == 0:
            return f"{name} ({_options(item['options'])})"
        if self._form == 1:
            return f"{name}, " + ", ".join(f"{key} {value}" for key, value in item["options"].items())
        return f"{_options(item['options'], ' ')} {name}"

    def _payment(self, key: str) -> str:
        method = self._desk.user["payment_methods"][key]
        if method["source"] == "credit_card":
            return f"{method['brand']} ending in {method['last_four']}"
        return "PayPal account" if method["source"] == "paypal" else "gift card"

    def _old_items(self, call: Call) -> list[Mapping[str, Any]]:
        return [self._items[call.arguments["order_id"], item] for item in call.arguments["item_ids"]]

    def _pairs(self, call: Call) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Old and new things of an exchange."""
        return [
            (old, self._desk.products[old["product_id"]]["variants"][new])
            for old, new in zip(self._old_items(call), call.arguments["new_item_ids"], strict=True)
        ]

    def _facts(self, calls: Sequence[Call]) -> dict[str, str]:
        """Values for templates of the return."""
        items = [item for call in calls for item in self._things(call)]
        payments = [call.arguments["payment_method_id"] for call in calls if "payment_method_id" in call.arguments]
        paid = self._desk.orders[calls[0].arguments["order_id"]]["payment_history"][0]["payment_method_id"]
        numbers = dict.fromkeys(str(call.arguments["order_id"]) for call in calls)
        return self._name | {
            "deed": _listed(list(dict.fromkeys(DEEDS[call.tool] for call in calls))),
            "things": _listed(list(dict.fromkeys(_plain(item["name"]) for item in items))),
            "things_detailed": _listed(list(dict.fromkeys(self._described(item) for item in items))),
            "orders": _listed([f"order {number}" for number in numbers]),
            "payment": self._payment((payments or [paid])[0]),
        }

    def _things(self, call: Call) -> list[Mapping[str, Any]]:
        """Things that a customer thinks of at a call: those it names, or else those of the order."""
        if "item_ids" in call.arguments:
            return self._old_items(call)
        order = call.arguments["order_id"]
        return [item for (number, _), item in self._items.items() if number == order][:MOST_THINGS]


def _plain(name: str) -> str:
    return name if any(part.isupper() and len(part) > 1 for part in name.split()) else name.lower()


def _options(options: Mapping[str, str], separator: str = ", ") -> str:
    """Values of options, with their names where the value alone says nothing."""
    return separator.join(
        f"{key}: {value}" if value in ("yes", "no", "none") else str(value) for key, value in options.items()
    )


def _address(given: Mapping[str, Any]) -> str:
    street, suite, city, state, postcode, country = (str(given[key]) for key in _ADDRESS)
    return f"{street}, {suite}, {city}, {state} {postcode}, {country}"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
