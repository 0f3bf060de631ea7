"""A memory does what a simple model of it does, whatever order it is used in."""

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from foxing.encoder import Codec, load_codec
from foxing.memory import Conflict, Memory, NewMessage, Policy, PolicyStep

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("message_ages")]

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
DAY = timedelta(days=1)
BANKS = ("ana", "bo")
#: The tiers that hold a short page whole, so that the model knows what is left: everything.
POLICY = Policy(steps=(PolicyStep(after=7 * DAY, tier="small"),), seal_after=20 * DAY, undo_window=2 * DAY)
EXAMPLES, STEPS = 6, 40

texts = st.sampled_from(
    [
        "We ship Titan on 14 March.",
        "Mina prefers tea.",
        "내일 회의는 세 시입니다.",
        "a\0b\x10",
        "",
        "https://x.example/7?a=b",
    ]
)


@cache
def codec() -> Codec:
    return load_codec("native", "cpu")


class Model(RuleBasedStateMachine):
    """The memory beside dictionaries."""

    url: str
    #: Each example has banks of its own in one database.
    examples = count()

    def __init__(self) -> None:
        super().__init__()
        self.prefix = f"{next(self.examples)}-"
        self.now = START
        #: bank → message id → message as it was given
        self.stored: dict[str, dict[str, NewMessage]] = {}
        #: bank → ids that are on pages
        self.sealed: dict[str, set[str]] = {}
        self.memory = Memory(self.url, codec=codec(), clock=lambda: self.now)
        for bank in BANKS:
            self.memory.set_policy(self.prefix + bank, POLICY)
            self.stored[bank], self.sealed[bank] = {}, set()

    def teardown(self) -> None:
        try:
            self.check()
        finally:
            self.memory.close()

    @rule(
        bank=st.sampled_from(BANKS),
        keys=st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3, unique=True),
        text=texts,
        thread=st.sampled_from(["main", "side"]),
    )
    def store(self, bank: str, keys: list[str], text: str, thread: str) -> None:
        self._store(bank, keys, text, thread)

    @rule(bank=st.sampled_from(BANKS), number=st.integers(0, 400), text=texts)
    def store_another(self, bank: str, number: int, text: str) -> None:
        self._store(bank, [f"{number}-{len(self.stored[bank])}"], text, "main")

    def _store(self, bank: str, keys: list[str], text: str, thread: str) -> None:
        held = self.stored[bank]
        given = [
            NewMessage(id=key, role="user", content=text, thread=thread, metadata={"turn": n})
            for n, key in enumerate(keys)
        ]
        clash = any(m.id in held and not _same(held[m.id], m) for m in given if m.id)
        try:
            result = self.memory.store(self.prefix + bank, given)
        except Conflict:
            assert clash
            return
        assert not clash
        new = [message for message in given if message.id not in held]
        assert (result.stored, result.duplicates) == (len(new), len(given) - len(new))
        held |= {str(m.id): m.model_copy(update={"created_at": self.now}) for m in new}

    @rule(days=st.sampled_from([0.1, 3, 8, 21]))
    def wait(self, days: float) -> None:
        self.now += days * DAY

    @rule(bank=st.sampled_from(BANKS))
    def seal(self, bank: str) -> None:
        report = self.memory.seal(self.prefix + bank)
        assert report.messages == len(self.stored[bank]) - len(self.sealed[bank])
        self.sealed[bank] = set(self.stored[bank])

    @rule()
    def tick(self) -> None:
        report = self.memory.tick()
        assert not report.failed_banks
        for bank, held in self.stored.items():
            waiting = [message.created_at for key, message in held.items() if key not in self.sealed[bank]]
            if waiting and self.now - min(time for time in waiting if time) >= POLICY.seal_after:
                self.sealed[bank] = set(held)

    @rule(bank=st.sampled_from(BANKS))
    def age(self, bank: str) -> None:
        self.memory.age(self.prefix + bank)
        assert self.memory.age(self.prefix + bank).moved == []
        for page in self.memory.pages(self.prefix + bank, limit=500).pages:
            old = self.now - page.last_at >= 7 * DAY
            assert (page.tier, page.text_kept) == (("small", False) if old else ("base", True))

    @precondition(lambda self: any(self.stored.values()))
    @rule(bank=st.sampled_from(BANKS), first=st.integers(0, 30), days=st.integers(1, 30))
    def recall_window(self, bank: str, first: int, days: int) -> None:
        since, until = START + first * DAY, START + (first + days) * DAY
        expected = [(k, m) for k, m in self.stored[bank].items() if m.created_at and since <= m.created_at < until]
        spans = self.memory.recall(self.prefix + bank, since=since, until=until, now=self.now, limit=500).spans
        assert sorted(span.message_id for span in spans) == sorted(key for key, _ in expected)
        assert [span.created_at for span in spans] == sorted(span.created_at for span in spans)

    @rule()
    def check(self) -> None:
        for bank, held in self.stored.items():
            spans = {span.message_id: span for span in self.memory.export(self.prefix + bank)}
            assert spans.keys() == held.keys()
            for key, message in held.items():
                span = spans[key]
                assert (span.text, span.thread, span.created_at) == (message.text, message.thread, message.created_at)
                assert span.metadata == message.metadata
                assert (span.source == "open") == (key not in self.sealed[bank])

            info = self.memory.bank(self.prefix + bank)
            assert (info.messages, info.open_messages) == (len(held), len(held) - len(self.sealed[bank]))


def _same(held: NewMessage, given: NewMessage) -> bool:
    return (held.text, held.thread, held.metadata) == (given.text, given.thread, given.metadata)


@pytest.mark.slow
def test_a_memory_behaves_like_its_model(database_url: str) -> None:
    class Run(Model):
        url = database_url

    budget = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Run, settings=budget)
