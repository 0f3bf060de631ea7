"""The choice between text and page images: never over the room, and never less than text or images alone show."""

from hypothesis import given
from hypothesis import strategies as st

from foxing.memory.context.plan import Match, Offer, Plan, Planner

OFFERS = st.lists(st.builds(Offer, st.integers(1, 400), st.integers(1, 800)), max_size=6)
ROOM = st.integers(0, 1500)


@st.composite
def planners(draw: st.DrawFn) -> Planner:
    offers = draw(OFFERS)
    places = st.frozensets(st.integers(0, len(offers) - 1), max_size=2) if offers else st.just(frozenset())
    matches = draw(st.lists(st.builds(Match, st.integers(1, 200), places), max_size=12))
    return Planner(matches, offers, draw(ROOM), draw(st.integers(0, 6)))


def cost(planner: Planner, plan: Plan) -> int:
    return sum(planner.matches[n].tokens for n in plan.texts) + sum(planner.offers[n].tokens for n in plan.sheets)


@given(planners())
def test_a_plan_keeps_within_the_room_and_shows_no_less_than_text_or_images_alone(planner: Planner) -> None:
    best = planner.best()
    for plan in (best, planner.text(), planner.images()):
        assert plan.tokens == cost(planner, plan) <= planner.room
        assert len(plan.sheets) <= planner.most_sheets
        assert all(planner.offers[place].tokens <= planner.offers[place].text_tokens for place in plan.sheets)
        assert planner.shown(best) >= planner.shown(plan) - 1e-6
    assert not planner.text().sheets
    assert not planner.images().texts


def test_a_sheet_takes_the_place_of_the_texts_that_cost_more() -> None:
    matches = [Match(100, frozenset({0})), Match(90, frozenset({0})), Match(80), Match(500)]
    planner = Planner(matches, [Offer(150, 400)], 240, 5)
    assert planner.best() == Plan(frozenset({2}), frozenset({0}), 230)
    assert Planner(matches, [Offer(150, 400)], 240, 0).best() == Plan(frozenset({0, 1}), frozenset(), 190)


def test_a_sheet_that_costs_more_than_its_text_is_not_shown() -> None:
    matches = [Match(100, frozenset({0})), Match(90, frozenset({0}))]
    assert not Planner(matches, [Offer(150, 149)], 1000, 5).best().sheets


def test_a_message_on_two_sheets_is_shown_by_both_together() -> None:
    matches = [Match(300, frozenset({0, 1}))]
    planner = Planner(matches, [Offer(50, 400), Offer(60, 400)], 290, 5)
    assert planner.best() == Plan(frozenset(), frozenset({0, 1}), 110)
    assert planner.shown(Plan(frozenset(), frozenset({0}), 50)) == 0


def test_nothing_is_planned_without_matches_or_room() -> None:
    nothing = Plan(frozenset(), frozenset(), 0)
    assert Planner([], [Offer(1, 10)], 100, 5).best() == nothing
    assert Planner([Match(10)], [], 9, 5).best() == nothing
