"""The choice between text and page images: never over the room, and never less than text or images alone show."""

from hypothesis import given
from hypothesis import strategies as st

from foxing.memory.context.plan import MARGIN, Match, Offer, Plan, Planner, match_values

OFFERS = st.lists(st.builds(Offer, st.integers(1, 400), st.integers(1, 800), st.floats(0, 30)), max_size=6)
ROOM = st.integers(0, 1500)


@st.composite
def planners(draw: st.DrawFn) -> Planner:
    offers = draw(OFFERS)
    places = st.frozensets(st.integers(0, len(offers) - 1), max_size=2) if offers else st.just(frozenset())
    scores = sorted(draw(st.lists(st.floats(0, 20), max_size=12)), reverse=True)
    matches = [Match(draw(st.integers(1, 200)), value, draw(places)) for value in match_values(scores)]
    return Planner(matches, offers, draw(ROOM), draw(st.integers(0, 6)))


def cost(planner: Planner, plan: Plan) -> int:
    return sum(planner.matches[n].tokens for n in plan.texts) + sum(planner.offers[n].tokens for n in plan.images)


@given(planners())
def test_a_plan_keeps_within_the_room_and_shows_no_less_than_text_or_images_alone(planner: Planner) -> None:
    best = planner.best()
    for plan in (best, planner.text(), planner.images()):
        assert plan.tokens == cost(planner, plan) <= planner.room
        assert len(plan.images) <= planner.most_images
        assert all(planner.offers[place].tokens <= planner.offers[place].text_tokens for place in plan.images)
        assert planner.value(best) >= planner.value(plan) - 1e-6
    assert not planner.text().images
    assert not planner.images().texts


def shown(planner: Planner, plan: Plan) -> set[int]:
    """The matches that a plan shows."""
    return {n for n, m in enumerate(planner.matches) if n in plan.texts or (m.images and m.images <= plan.images)}


@given(planners())
def test_nothing_is_lost_of_the_better_of_text_and_images_unless_clearly_more_is_shown(planner: Planner) -> None:
    best, text, images = planner.best(), planner.text(), planner.images()
    surest = text if planner.value(text) >= planner.value(images) else images
    kept = shown(planner, surest) <= shown(planner, best) and surest.images <= best.images
    assert kept or planner.value(best) > (1 + MARGIN) * planner.value(surest)


def test_a_mixture_that_is_hardly_worth_more_than_text_is_not_taken() -> None:
    def best(beside: float) -> Plan:
        matches = [Match(60, 1.0), Match(90, beside), *(Match(50, 0.02, frozenset({0})) for _ in range(6))]
        return Planner(matches, [Offer(100, 500)], 160, 5).best()

    assert best(0.119) == Plan(frozenset({0, 1}), frozenset(), 150)
    assert best(0.1) == Plan(frozenset({0}), frozenset({0}), 160)


def test_a_image_takes_the_place_of_the_texts_that_cost_more() -> None:
    matches = [Match(100, 1.0, frozenset({0})), Match(90, 0.5, frozenset({0})), Match(80, 0.2), Match(500, 0.1)]
    planner = Planner(matches, [Offer(150, 400)], 240, 5)
    assert planner.best() == Plan(frozenset({2}), frozenset({0}), 230)
    assert Planner(matches, [Offer(150, 400)], 240, 0).best() == Plan(frozenset({0, 1}), frozenset(), 190)


def test_the_first_match_stands_as_text_beside_a_image_of_others() -> None:
    matches = [Match(60, 1.0), *(Match(50, 0.1, frozenset({0})) for _ in range(8))]
    assert Planner(matches, [Offer(100, 500)], 160, 5).best() == Plan(frozenset({0}), frozenset({0}), 160)


def test_what_images_share_is_billed_once() -> None:
    matches = [Match(300, 1.0, frozenset({n})) for n in range(3)]
    offers = [Offer(100, 400) for _ in matches]
    assert len(Planner(matches, offers, 340, 5).best().images) == 3
    planner = Planner(matches, offers, 340, 5, shared=lambda images: 40 if list(images) else 0)
    assert planner.best() == Plan(frozenset(), frozenset({0, 1, 2}), 340)
    assert len(Planner(matches, offers, 339, 5, shared=lambda images: 40 if list(images) else 0).best().images) == 2
    dear = Planner(matches, offers, 1000, 5, shared=lambda images: 301 if list(images) else 0)
    assert not dear.best().images, "an image that costs more than its text with what it shares is not shown"


def test_what_stands_beside_matches_decides_between_images_that_show_as_much_of_them() -> None:
    matches = [Match(300, 1.0, frozenset({0})), Match(300, 1.0, frozenset({1}))]
    offers = [Offer(100, 400, beside=2), Offer(100, 400, beside=30)]
    assert Planner(matches, offers, 100, 5).best().images == {1}


def test_value_falls_with_the_score_and_the_rank() -> None:
    values = match_values([8.0, 8.0, 4.0, 0.0])
    assert values[0] == 1.0
    assert sorted(values, reverse=True) == values
    assert values[2] < values[1] / 8
    assert match_values([None, None])[1] < 1.0
    assert match_values([]) == []


def test_a_image_that_costs_more_than_its_text_is_not_shown() -> None:
    matches = [Match(100, 1.0, frozenset({0})), Match(90, 0.5, frozenset({0}))]
    assert not Planner(matches, [Offer(150, 149)], 1000, 5).best().images


def test_a_message_on_two_images_is_shown_by_both_together() -> None:
    matches = [Match(300, 1.0, frozenset({0, 1}))]
    planner = Planner(matches, [Offer(50, 400), Offer(60, 400)], 290, 5)
    assert planner.best() == Plan(frozenset(), frozenset({0, 1}), 110)
    assert planner.value(Plan(frozenset(), frozenset({0}), 50)) == 0


def test_nothing_is_planned_without_matches_or_room() -> None:
    nothing = Plan(frozenset(), frozenset(), 0)
    assert Planner([], [Offer(1, 10)], 100, 5).best() == nothing
    assert Planner([Match(10, 1.0)], [], 9, 5).best() == nothing
