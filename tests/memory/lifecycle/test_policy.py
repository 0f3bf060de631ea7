"""The ageing policy: its default, the tier at each age, and invalid policies."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from foxing.memory import InvalidPolicy, Policy, PolicyStep
from foxing.renderer import all_tiers

EVERY_TIER = all_tiers()


@pytest.mark.parametrize(
    ("age", "tier"),
    [
        (timedelta(days=-1), "base"),  # a clock that was set back
        (timedelta(0), "base"),
        (timedelta(days=7, microseconds=-1), "base"),
        (timedelta(days=7), "small"),
        (timedelta(days=29), "small"),
        (timedelta(days=30), "tiny"),
        (timedelta(days=364), "tiny"),
        (timedelta(days=365), "micro"),
        (timedelta(days=40_000), "micro"),
    ],
)
def test_tier_at_each_age_by_default(age: timedelta, tier: str) -> None:
    assert Policy().tier_at(age, EVERY_TIER) == tier


def test_steps_to_tiers_that_the_codec_lacks_are_skipped() -> None:
    without_small = {"base": 1, "tiny": 1}
    assert Policy().tier_at(timedelta(days=8), without_small) == "base"
    assert Policy().tier_at(timedelta(days=31), without_small) == "tiny"
    assert Policy().tier_at(timedelta(days=1000), without_small) == "tiny"


@pytest.mark.parametrize(
    ("keep_text", "kept_at"),
    [
        ("fresh", {"base"}),
        ("always", set(all_tiers())),
        ("until:large", set()),
        ("until:small", {"large", "base"}),
        ("until:micro", {"large", "base", "small", "tiny"}),
    ],
)
def test_tiers_that_keep_exact_text(keep_text: str, kept_at: set[str]) -> None:
    policy = Policy(keep_text=keep_text)
    assert {tier for tier in all_tiers() if policy.keeps_text(tier)} == kept_at


def test_policy_round_trips_with_iso_8601_durations() -> None:
    fields = {
        "fresh": "large",
        "steps": [{"after": "PT10S", "tier": "base"}, {"after": "P1DT12H", "tier": "micro"}],
        "keep_text": "until:micro",
        "seal_after": "PT0S",
        "undo_window": "P14D",
    }
    policy = Policy.parse(fields)
    assert policy.steps == (
        PolicyStep(after=timedelta(seconds=10), tier="base"),
        PolicyStep(after=timedelta(days=1, hours=12), tier="micro"),
    )
    assert (policy.seal_after, policy.undo_window) == (timedelta(0), timedelta(days=14))
    assert json.loads(policy.model_dump_json())["steps"][0] == {"after": "PT10S", "tier": "base"}
    assert Policy.parse(json.loads(policy.model_dump_json())) == policy


def test_default_policy_round_trips() -> None:
    assert Policy.parse(json.loads(Policy().model_dump_json())) == Policy() == Policy.parse({})


def test_policy_without_steps() -> None:
    assert Policy.parse({"steps": []}).tier_at(timedelta(days=9999), EVERY_TIER) == "base"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"steps": [{"after": "P7D", "tier": "large"}]}, "'large' is not below 'base'"),
        ({"steps": [{"after": "P7D", "tier": "base"}]}, "lower tiers only"),
        ({"steps": [{"after": "P7D", "tier": "tiny"}, {"after": "P8D", "tier": "small"}]}, "lower tiers only"),
        ({"steps": [{"after": "P7D", "tier": "small"}, {"after": "P7D", "tier": "tiny"}]}, "ascending"),
        ({"steps": [{"after": "P9D", "tier": "small"}, {"after": "P7D", "tier": "tiny"}]}, "ascend"),
        ({"steps": [{"after": "PT0S", "tier": "small"}]}, "above zero"),
        ({"steps": [{"after": "-P1D", "tier": "small"}]}, "greater than or equal to 0"),
        ({"steps": [{"after": "a week", "tier": "small"}]}, "steps.0.after"),
        ({"steps": [{"after": "P7D", "tier": "blurry"}]}, "steps.0.tier"),
        ({"steps": [{"after": "P7D"}]}, "steps.0.tier"),
        ({"steps": [{"after": "P7D", "tier": "small", "why": "?"}]}, "steps.0.why"),
        ({"steps": "P7D"}, "steps"),
        ({"fresh": "gigantic"}, "fresh"),
        ({"keep_text": "sometimes"}, "keep_text must be 'fresh', 'always' or 'until:<tier>', not 'sometimes'"),
        ({"keep_text": "until:"}, "keep_text"),
        ({"keep_text": "until:blurry"}, "keep_text"),
        ({"keep_text": "always "}, "keep_text"),
        ({"keep_text": None}, "keep_text"),
        ({"seal_after": "-P1D"}, "greater than or equal to 0"),
        ({"undo_window": "-PT1S"}, "greater than or equal to 0"),
        ({"seal_after": "P9999999999999D"}, "seal_after"),
        ({"sealafter": "P1D"}, "sealafter"),
    ],
)
def test_invalid_policy_is_rejected_with_its_reason(fields: Mapping[str, Any], reason: str) -> None:
    with pytest.raises(InvalidPolicy) as refused:
        Policy.parse(fields)
    assert str(refused.value).startswith("this policy is invalid: ")
    assert reason in str(refused.value)


def test_every_error_is_listed() -> None:
    with pytest.raises(InvalidPolicy) as refused:
        Policy.parse({"fresh": "gigantic", "keep_text": "sometimes", "seal_after": "soon"})
    assert all(name in str(refused.value) for name in ("fresh", "keep_text", "seal_after"))


def test_policy_is_immutable() -> None:
    with pytest.raises(ValidationError):
        Policy().keep_text = "always"  # type: ignore[misc]
