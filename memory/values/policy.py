"""The ageing policy of a bank: the tiers of its pages by age, and when text is dropped and messages are sealed.

By default, open messages are sealed after 30 days, at `base` and with their exact text. A page moves to `small` after 7
days, to `tiny` after 30 and to `micro` after 365; its exact text is dropped with the first move. The age counts from
the last message or from its arrival in the bank, whichever is later. Dropped data can be restored for 7 days.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple, Protocol, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from foxing.memory.errors import InvalidPolicy
from foxing.memory.images.limits import MAX_SIDE_PX
from foxing.renderer.clock import later
from foxing.renderer.tiers import OWN_TIERS, all_tiers, is_tier, tier_rank

from .base import INTEGRAL, OPEN, Input, KnownTier, Moment, Name, Role, Tier, Value, reason_of
from .trust import Trust

#: Start of a page's age: the later of the last message's time and arrival, or its time only.
AgeFrom = Annotated[Literal["arrival", "message"], OPEN]
#: What the search index keeps of words that have faded.
IndexRule = Annotated[Literal["recognise", "faded"], OPEN]
#: A faded word stays in the index if at most this many messages of the bank contain it, counted when a page fades.
RARE_MESSAGES = 20
#: What is replaced in messages before they are written.
RedactionRule = Annotated[Literal["secrets", "email", "phone", "card", "iban", "private"], OPEN]
MOST_PATTERNS = 50
MOST_RULES = 50
LONGEST = timedelta(days=36_525)  # 100 years
#: Pattern in the JSON schema; years, months and weeks are accepted as well.
_ISO_PATTERN = r"^P(?=[0-9T])([0-9]{1,4}D)?(T(?=[0-9])([0-9]{1,4}H)?([0-9]{1,4}M)?([0-9]{1,6}(\.[0-9]{1,6})?S)?)?$"
_ISO_DURATION = re.compile(r"[+-]?P")


def iso_duration(duration: timedelta) -> str:
    """Returns a duration in ISO 8601, in days and seconds, since years and months vary in length."""
    seconds = duration.seconds + duration.microseconds / 1e6
    time = f"T{seconds:g}S" if seconds else ""
    return f"P{duration.days}D{time}" if duration.days or not time else f"P{time}"


def _check_duration(value: Any) -> Any:
    if isinstance(value, timedelta) or (isinstance(value, str) and _ISO_DURATION.match(value)):
        return value
    raise PydanticCustomError("time_delta_type", "a duration must be an ISO 8601 string, such as P7D or PT30S")


#: A duration from 0 to 100 years; in JSON an ISO 8601 string: “P7D”, “PT30S”. Numbers are rejected.
Duration = Annotated[
    timedelta,
    Field(ge=timedelta(0), le=LONGEST, strict=False, json_schema_extra={"pattern": _ISO_PATTERN}),
    BeforeValidator(_check_duration),
    PlainSerializer(iso_duration, when_used="json"),
]


_DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration, config=ConfigDict(defer_build=True))


#: Default tier of a new page.
_FRESH = next(tier.name for tier in OWN_TIERS if tier.from_age == timedelta(0))


#: Values of rules, beside "until:<tier>".
_RULES = {"keep_text": ("fresh", "always"), "images": ("fade", "keep", "never")}


def _schema_of(rule: str) -> Callable[[dict[str, Any]], None]:
    def extend(schema: dict[str, Any]) -> None:
        schema["enum"] = [*_RULES[rule], *(f"until:{tier}" for tier in all_tiers())]

    return extend


class Age(NamedTuple):
    """Age of a page or message. `foxing.memory.storage.ages` compares ages in SQL."""

    #: Time from which it counts.
    start: datetime

    def at(self, now: datetime) -> timedelta:
        """Returns the age at `now`."""
        return now - self.start

    def when(self, age: timedelta) -> datetime:
        """Returns when it has this age."""
        return later(self.start, age)


class Aged(Protocol):
    """Inputs of the age of a page, stored with it."""

    @property
    def last_at(self) -> datetime:
        """Time of its last message."""

    @property
    def arrived_at(self) -> datetime:
        """Time at which the last of its messages was stored."""


class PolicyStep(Input):
    """A step of a policy: pages move to `tier` at age `after`."""

    after: Duration = Field(description="Age of the page, in ISO 8601; see `age_from`.", examples=["P7D"])
    tier: KnownTier = Field(description="Tier from that age on.", examples=["small"])


class ErasureRule(Input):
    """A rule of a policy: messages that meet all its conditions are erased at age `after`. Without a condition, all
    messages of the bank."""

    after: Annotated[Duration, Field(gt=timedelta(0))] = Field(
        description="Age of a message, counted from its `created_at`, in ISO 8601. It is erased for good when the "
        "scheduler next works on the bank, at most a thirtieth of this time and at most a day later.",
        examples=["P365D"],
    )
    role: Role | None = Field(None, description="Role of the messages.", examples=["tool"])
    thread: Name | None = Field(None, min_length=1, description="Thread of the messages.", examples=["standup"])

    @property
    def slack(self) -> timedelta:
        """Time for which an erasure waits for others, so that a page is not encoded for each of its messages."""
        return min(self.after / 30, timedelta(days=1))


class AgeingStep(Value):
    """A scheduled step to a lower tier."""

    tier: Tier = Field(description="The lower tier.")
    at: datetime = Field(description="Earliest time of the step.")


class AgeingForecast(Value):
    """Forecast of how a policy will age messages or a page."""

    exact: bool = Field(description="Whether their exact text is kept.")
    exact_until: datetime | None = Field(
        description="Earliest time at which exact text is dropped; null if it is not kept, or is always kept by the "
        "current policy."
    )
    steps: list[AgeingStep] = Field(description="Scheduled steps to lower tiers, in order.")


class Policy(Input):
    """An ageing policy: steps to lower tiers, and how long text, open messages and dropped data are kept."""

    fresh: KnownTier = Field(_FRESH, description="Tier of a page when it is sealed.")
    steps: Annotated[tuple[PolicyStep, ...], Strict(False)] = Field(
        # not validated: a command that a running service answers would build validators for it
        tuple(PolicyStep.model_construct(after=tier.from_age, tier=tier.name) for tier in OWN_TIERS if tier.from_age),
        description="Steps to lower tiers, in ascending order of age.",
    )
    keep_text: str = Field(
        "fresh",
        description="How long exact text is kept: 'fresh': until the page first ages; 'always'; 'until:<tier>': until "
        "the page reaches that tier.",
        examples=["fresh", "always", "until:tiny"],
        json_schema_extra=_schema_of("keep_text"),
    )
    seal_after: Duration = Field(timedelta(days=30), description="Age at which an open message is sealed.")
    undo_window: Duration = Field(timedelta(days=7), description="How long dropped data can be restored.")
    age_from: AgeFrom = Field(
        "arrival",
        description="Start of the age of a page: 'arrival': the time of its last message, or the time at which the "
        "last of its messages was stored if that is later, so that imported history is sharp at first; 'message': the "
        "time of its last message, so that imported history has aged already.",
    )
    index: IndexRule = Field(
        "recognise",
        description="What the search index keeps of words that have faded: 'recognise': embeddings as they were made, "
        f"and keyed hashes of the words that at most {RARE_MESSAGES} messages of the bank contain, so that a message "
        "is found by them although its text shows a gap; 'faded': nothing; they leave the index, and embeddings are "
        "made again from what is left. A change applies to pages as they age; `reindex` with `words` applies 'faded' "
        "to all.",
    )
    images: str = Field(
        "fade",
        description="What is kept of images in messages: 'fade': they get smaller with their pages; 'keep': they stay "
        "as they are; 'until:<tier>': they fade, and are dropped when the page reaches that tier; 'never': of messages "
        "stored from now on, their labels in the text alone.",
        examples=["fade", "keep", "until:micro", "never"],
        json_schema_extra=_schema_of("images"),
    )
    image_side_px: Annotated[int, Field(ge=1, le=MAX_SIDE_PX), INTEGRAL] = Field(
        1_568, description="Maximum side of an image, in pixels, on pages at `large` and `base`."
    )
    redact: Annotated[tuple[RedactionRule, ...], Strict(False)] = Field(
        (),
        description="What is replaced in messages before anything of them is written: 'secrets': keys, tokens and "
        "passwords in about 80 forms, and passwords, keys and codes that words of five languages announce; 'email', "
        "'phone': addresses and numbers; 'card', 'iban': numbers of cards and bank accounts with a valid checksum; "
        "'private': what stands between `<private>` and `</private>`. It cannot be restored. A change applies to "
        "messages stored from then on.",
    )
    redact_patterns: dict[Annotated[str, Field(min_length=1, max_length=60)], str] = Field(
        {},
        max_length=MOST_PATTERNS,
        description="Regular expressions of your own, by name, whose matches are replaced as well, or of each match "
        "the group `secret` if there is one.",
        examples=[{"customer number": "CN-\\d{6}"}],
    )
    erase: Annotated[tuple[ErasureRule, ...], Strict(False), Field(max_length=MOST_RULES)] = Field(
        (),
        description="What is erased for good with time: each rule erases the messages that meet its conditions at its "
        "age, whatever the tier of their pages. A legal hold suspends it, a pause of ageing does not.",
        examples=[[{"after": "P730D"}, {"role": "tool", "after": "P30D"}]],
    )
    refuse_trust: Annotated[tuple[Trust, ...], Strict(False)] = Field(
        (),
        description="Trust classes of which no message is stored: a call with one is refused as a whole.",
        examples=[["unknown"]],
    )
    quarantine_trust: Annotated[tuple[Trust, ...], Strict(False)] = Field(
        (),
        description="Trust classes whose messages are quarantined if rules recognise instructions to a model in them: "
        "nothing reads them until they are released. A change applies to messages stored from then on.",
        examples=[["tool", "web"]],
    )
    paused_until: Moment | None = Field(
        None,
        description="Ageing is paused until this time; null: not paused. Meanwhile ages continue to count, messages "
        "are sealed, and expired trash is purged.",
    )

    @field_validator(*_RULES)
    @classmethod
    def _check_rule(cls, value: str, info: ValidationInfo) -> str:
        rule = info.field_name or ""
        kind, _, tier = value.partition(":")
        if value not in _RULES[rule] and not (kind == "until" and is_tier(tier)):
            values = ", ".join(map(repr, _RULES[rule]))
            raise ValueError(f"{rule} must be {values} or 'until:<tier>', not '{value}'")
        return value

    @field_validator("redact_patterns")
    @classmethod
    def _valid_patterns(cls, value: dict[str, str]) -> dict[str, str]:
        try:
            import regex
        except ImportError:  # foxing-client alone: the service checks them
            return value
        for name, pattern in value.items():
            try:
                compiled = regex.compile(pattern)
            except regex.error as error:
                raise ValueError(f"the pattern '{name}' is not a regular expression: {error}") from error
            if compiled.fullmatch(""):
                raise ValueError(f"the pattern '{name}' matches nothing at all; it would match everywhere")
        return value

    @model_validator(mode="after")
    def _descending(self) -> Self:
        age = timedelta(0)
        tier = self.fresh
        for step in self.steps:
            if step.after <= age:
                raise ValueError("the ages of the steps must be above zero and in ascending order")
            if tier_rank(step.tier) <= tier_rank(tier):
                raise ValueError(f"steps must go to lower tiers only, and '{step.tier}' is not below '{tier}'")
            age = step.after
            tier = step.tier
        return self

    def age_of(self, page: Aged) -> Age:
        """Returns the age of a page."""
        return self.age_of_message(page.last_at, page.arrived_at)

    def age_of_message(self, created_at: datetime, arrived_at: datetime) -> Age:
        """Returns the age of a message. Both times are aware."""
        return Age(max(created_at, arrived_at) if self.age_from == "arrival" else created_at)

    def unpaused(self, at: datetime) -> datetime:
        """Returns `at`, or the end of the pause of ageing if that is later."""
        return at if self.paused_until is None else max(at, self.paused_until)

    def paused(self, duration: str, now: datetime) -> Self:
        """Returns the policy with ageing paused from `now` for `duration`, in ISO 8601; a zero duration ends the pause.
        Raises `InvalidPolicy`."""
        try:
            pause = _DURATION.validate_python(duration)
        except ValidationError as error:
            raise InvalidPolicy(
                f"'{duration}' is not a duration; write 0 to 100 years in ISO 8601, such as P1D"
            ) from error
        return self.model_copy(update={"paused_until": later(now, pause) if pause else None})

    def forecast(
        self, age: Age, available: Mapping[str, object], *, tier: str | None = None, exact: bool = True
    ) -> AgeingForecast:
        """Returns the forecast for messages or a page of this age. `available`: the tiers of the codec; `tier`: the
        current tier, None if not sealed yet; `exact`: whether the exact text is kept."""
        policy = self.served_by(available) if available else self
        steps = [step for step in policy.steps if tier is None or tier_rank(step.tier) > tier_rank(tier)]
        ahead = [AgeingStep(tier=step.tier, at=self.unpaused(age.when(step.after))) for step in steps]
        drops = (step.at for step in ahead if not policy.keeps_text(step.tier))
        first_drop = next(drops, None) if policy.keeps_text(policy.fresh) else self.unpaused(age.start)
        return AgeingForecast(exact=exact, exact_until=first_drop if exact else None, steps=ahead)

    def tier_at(self, age: timedelta, available: Mapping[str, object]) -> str:
        """Returns the tier for a page of this age. Steps to tiers that are not `available` from the codec are
        skipped."""
        tier: str = self.fresh
        for step in self.steps:
            if age >= step.after and step.tier in available:
                tier = step.tier
        return tier

    def served_by(self, available: Mapping[str, object]) -> Self:
        """Returns the policy reduced to the tiers `available` from a codec.

        Steps to other tiers are removed. A fresh tier that is not available is replaced by the next sharper one, or by
        the sharpest available if there is none.
        """
        if not available:
            return self
        if {self.fresh, *(step.tier for step in self.steps)} <= available.keys():
            return self
        tiers = sorted(available, key=tier_rank)
        fresh = max((t for t in tiers if tier_rank(t) <= tier_rank(self.fresh)), key=tier_rank, default=tiers[0])
        steps = tuple(s for s in self.steps if s.tier in available and tier_rank(s.tier) > tier_rank(fresh))
        return self.model_copy(update={"fresh": fresh, "steps": steps})

    def keeps_text(self, tier: str) -> bool:
        """Returns True if a page at `tier` keeps its exact text."""
        if self.keep_text == "always":
            return True
        if self.keep_text == "fresh":
            return tier == self.fresh
        return tier_rank(tier) < tier_rank(self.keep_text.removeprefix("until:"))

    def image_side(self, tier: str) -> int | None:
        """Returns the maximum side in px of images on a page at `tier`; None if they stay as they are."""
        if self.images == "keep":
            return None
        rank = tier_rank(tier)
        sides = (spec.image_side_px for spec in all_tiers().values() if tier_rank(spec.name) <= rank)
        return min(side for side in (*sides, self.image_side_px) if side is not None)

    def encodes_images(self, tier: str) -> bool:
        """Returns True if images on a page at `tier` are encoded again even where they have no more pixels."""
        rank = tier_rank(tier)
        return any(spec.image_side_px for spec in all_tiers().values() if tier_rank(spec.name) <= rank)

    def keeps_images(self, tier: str) -> bool:
        """Returns True if a page at `tier` keeps its images, at whatever size."""
        kind, _, until = self.images.partition(":")
        return kind != "until" or tier_rank(tier) < tier_rank(until)

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> Self:
        """Returns the policy with these fields. Raises `InvalidPolicy`, which lists every error."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            reasons = "; ".join(
                f"{'.'.join(map(str, entry['loc'])) or 'policy'}: {reason_of(entry)}" for entry in error.errors()
            )
            raise InvalidPolicy(f"this policy is invalid: {reasons}") from error
        except UnicodeEncodeError as error:
            raise InvalidPolicy("this policy contains half of a surrogate pair; send valid UTF-8") from error


def default_fields() -> dict[str, Any]:
    """Returns the fields of the default policy, as a new bank has them."""
    return Policy().model_dump(mode="json")


def stored_policy(fields: Mapping[str, Any]) -> Policy:
    """Returns the policy of a bank, parsed once for all banks with the same. `fields`: as stored. Raises
    `InvalidPolicy`."""
    return _parsed(json.dumps(fields))


@lru_cache(maxsize=1 << 8)
def _parsed(fields: str) -> Policy:
    return Policy.parse(json.loads(fields))
