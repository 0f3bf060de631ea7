"""The model: a plain dictionary of what each bank must hold, and the comparison with what it answers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from foxing.memory import Policy, RecalledMessage

GAP = " … "
LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
NEVER = datetime(9999, 12, 31, tzinfo=UTC)


#: Names of the tiers, the sharpest first.
TIERS = ("large", "base", "small", "tiny", "micro")


class Finding(AssertionError):
    """Something that must not be."""


# what a policy says, without the code that the product has for it


def age_start(policy: Policy, created_at: datetime, arrived_at: datetime) -> datetime:
    """Returns the time from which the age of a message counts."""
    return max(created_at, arrived_at) if policy.age_from == "arrival" else created_at


def tier_of_age(policy: Policy, age: timedelta) -> str:
    """Returns the tier that a policy sets for an age."""
    return next((step.tier for step in reversed(policy.steps) if age >= step.after), policy.fresh)


def exact_until(policy: Policy, start: datetime) -> datetime:
    """Returns the time before which the text of messages whose age counts from `start` must not fade."""
    if policy.keep_text == "always":
        return NEVER
    last = TIERS.index(policy.keep_text.removeprefix("until:")) if ":" in policy.keep_text else None

    def keeps(tier: str) -> bool:
        return tier == policy.fresh if last is None else TIERS.index(tier) < last

    if not keeps(policy.fresh):
        return start
    return next((start + step.after for step in policy.steps if not keeps(step.tier)), NEVER)


@dataclass
class Original:
    """A message as it was stored."""

    id: str | None
    #: A word that only messages with the same words contain.
    word: str
    #: Its text; None until it is read for the first time, where the product adds to it, as to images.
    text: str | None
    thread: str
    role: str
    name: str | None
    created_at: datetime
    arrived_at: datetime
    expires_at: datetime | None
    metadata: Mapping[str, Any]
    #: The fields of its call.
    fields: Mapping[str, Any]
    #: Whether an interrupted erasure or an expiry may have erased it.
    doubtful: bool = False
    #: Policies in force since it was stored.
    policies: list[Policy] = field(default_factory=list)
    #: Latest time of the clock since then.
    latest: datetime = LONG_AGO
    #: What was read last, None after what may sharpen it.
    last: RecalledMessage | None = None
    #: Whether its time is that of the clock when it was stored.
    dated_by_clock: bool = False
    #: Earliest and latest time of the clock while it was stored, if the clock moved then.
    window: tuple[datetime, datetime] | None = None

    def exact_at_least_until(self) -> datetime:
        """Returns the time before which no policy lets its text fade."""
        starts = [(policy, age_start(policy, self.created_at, self.arrived_at)) for policy in self.policies]
        return min((exact_until(policy, start) for policy, start in starts), default=NEVER)

    def adopt(self, message: RecalledMessage) -> None:
        """Takes the times of a message that was stored while the clock moved, if they are between both times."""
        if self.window is None:
            return
        earliest, latest = self.window
        if self.dated_by_clock:
            check(earliest <= message.created_at <= latest, f"message {self.id}: time {message.created_at}")
            self.created_at = message.created_at
        check(earliest <= message.arrived_at <= latest, f"message {self.id}: arrived at {message.arrived_at}")
        self.arrived_at = message.arrived_at
        self.expires_at = message.expires_at
        self.window = None


#: Namespace and key → value.
RecordsModel = dict[tuple[tuple[str, ...], str], Any]


@dataclass
class BankModel:
    """What a bank must hold."""

    policy: Policy
    #: Policies that it has had.
    history: list[Policy] = field(default_factory=list)
    #: Id → message.
    originals: dict[str, Original] = field(default_factory=dict)
    #: Messages of calls whose outcome is not known: each is stored as a whole or not at all.
    candidates: list[list[Original]] = field(default_factory=list)
    #: Whether it may not exist, after a call that was interrupted.
    doubtful: bool = False
    records: RecordsModel = field(default_factory=dict)
    #: What the records are if a call that was interrupted has written them; None if it is known.
    other_records: RecordsModel | None = None
    #: Whether a legal hold keeps it.
    held: bool = False


def check(condition: object, message: str) -> None:
    """Raises `Finding` unless the condition is true."""
    if not condition:
        raise Finding(message)


def short(text: str | None, place: int = 0) -> str:
    """Returns part of a text for a message."""
    return repr((text or "")[max(0, place - 30) : place + 60])


def pieces(message: RecalledMessage) -> list[str]:
    """Returns the text between the gap marks. Characters that may be misread are left out with those beside them."""
    text = message.text
    cuts = [(offset, offset + len(GAP)) for offset in message.gaps]
    cuts += [(start, stop) for start, stop, _ in message.uncertain]
    result = []
    begin = 0
    for start, stop in sorted(cuts):
        if start >= begin:
            result.append(text[begin:start])
        begin = max(begin, stop)
    result.append(text[begin:])
    return [piece for piece in result if piece]


def check_part_of(original: str, message: RecalledMessage) -> None:
    """Checks that a text is made of parts of what was said, in order."""
    place = 0
    for piece in pieces(message):
        core = piece.strip()
        at = original.find(core, place)
        if at < 0:
            check(_is_subsequence(core, original[place:]), f"{message.message_id}: not said there: {short(core)}")
            continue
        place = at + len(core)


def _is_subsequence(text: str, whole: str) -> bool:
    characters = iter(whole)
    return all(character in characters for character in text if not character.isspace())


def check_message(original: Original, message: RecalledMessage) -> None:
    """Checks a message as it is read against what was said."""
    name = f"message {original.id}"
    original.adopt(message)
    check(message.thread == original.thread, f"{name}: thread {message.thread!r}, not {original.thread!r}")
    check(message.role == original.role, f"{name}: role {message.role!r}, not {original.role!r}")
    check(message.name == original.name, f"{name}: name {message.name!r}, not {original.name!r}")
    check(message.created_at == original.created_at, f"{name}: time {message.created_at}, not {original.created_at}")
    check(message.metadata == original.metadata, f"{name}: metadata {message.metadata}, not {original.metadata}")
    if original.text is None:
        check(original.word in message.text, f"{name}: not its words {short(message.text)}")
        original.text = message.text
    for offset in message.gaps:
        check(message.text[offset:].startswith(GAP), f"{name}: no gap mark at {offset}: {short(message.text, offset)}")
    check(0 <= message.kept <= 1, f"{name}: kept {message.kept}")
    if message.source in ("open", "text"):
        _check_same(f"{name} ({message.source})", message.text, original.text)
        check(message.kept == 1 and not message.gaps and not message.uncertain, f"{name}: exact, and has marks")
    else:
        check_part_of(original.text, message)
        if not message.gaps and message.kept == 1 and not message.uncertain:
            _check_same(f"{name}, without a mark", message.text, original.text)
        exact = original.exact_at_least_until()
        check(original.latest >= exact, f"{name}: faded at {original.latest}, is to be exact until {exact}")
    if original.last is not None:
        check(
            message.kept <= original.last.kept + 1e-6, f"{name}: kept {original.last.kept} before, {message.kept} now"
        )
    original.last = message


def _check_same(name: str, text: str, original: str) -> None:
    place = _difference(text, original)
    check(text == original, f"{name}: {short(text, place)} is not what was said, {short(original, place)}")


def _difference(text: str, other: str) -> int:
    """Returns the offset of the first difference."""
    pairs = enumerate(zip(text, other, strict=False))
    return next((n for n, (one, two) in pairs if one != two), min(len(text), len(other)))


def resolve(model: BankModel, messages: Sequence[RecalledMessage], now: datetime) -> None:
    """Compares the messages of a bank with the model, and settles what was not known."""
    by_id = {message.message_id: message for message in messages}
    check(len(by_id) == len(messages), "a message is listed twice")
    for key, original in list(model.originals.items()):
        expired = original.expires_at is not None and original.expires_at <= now
        if key in by_id:
            check(not expired, f"message {key} is there, and expired at {original.expires_at}; it is {now}")
            original.doubtful = False
        elif original.doubtful and not expired:
            del model.originals[key]
        else:
            check(expired, f"message {key} was acknowledged and is not there: {short(original.text)}")
    others = [message for message in messages if message.message_id not in model.originals]
    for group in model.candidates:
        _settle(model, group, others)
    model.candidates.clear()
    check(not others, f"nobody has stored {[message.message_id for message in others]}")


def _settle(model: BankModel, group: Iterable[Original], others: list[RecalledMessage]) -> None:
    """Settles whether the messages of a call were stored."""
    hits = misses = 0
    for original in group:
        if original.id is not None and original.id in model.originals:
            continue
        match = next((message for message in others if _fits(original, message)), None)
        if match is None:
            misses += original.expires_at is None
            continue
        hits += 1
        others.remove(match)
        original.id = match.message_id
        model.originals[match.message_id] = original
    check(not (hits and misses), f"{hits} messages of an interrupted call are stored, {misses} are not")


def _fits(original: Original, message: RecalledMessage) -> bool:
    if original.id is not None:
        return original.id == message.message_id
    dated = original.created_at == message.created_at or (original.window is not None and original.dated_by_clock)
    return (
        original.thread == message.thread
        and dated
        and original.role == message.role
        and original.word in message.text
        and original.text in (None, message.text)
    )
