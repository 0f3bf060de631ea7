"""Page of a recall: the answer as a model sees it, why each message is in it, and what is not."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast, get_args

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from foxing.api.dependencies import Service
from foxing.api.settings.names import explained
from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory import Access, InvalidInput, MatchScore, NotFound, RecalledMessage, RecallResult
from foxing.memory.text.terms import query_terms
from foxing.memory.values.labels import VERDICTS, Verdict
from foxing.memory.values.recall import Fidelity, Shape
from foxing.memory.values.trust import RANKS

from .answer_settings import AnswerSetting, AnswerSettings
from .forms import form_fields, leads_back
from .plots import Share, share_bar
from .questions import newest_question
from .rendering import ConsolePage, inside, text_of, url
from .words import GAP_MARK, marked_words

#: Matches of an answer, unless another number is asked for.
LIMIT = 10
#: Characters of a message in the list; a link leads to the rest.
LISTED_CHARS = 700
#: Characters of the answer that are shown.
ANSWER_CHARS = 20_000
#: Messages in the ranking, but not in the answer, that are shown with their words.
LISTED_OTHERS = 5

SETTINGS = (
    AnswerSetting("max_tokens", "number"),
    AnswerSetting("shape", "choice", get_args(Shape), default="auto"),
    AnswerSetting("fidelity", "choice", get_args(Fidelity), default="remembered"),
    AnswerSetting("trust", "choice", tuple(RANKS)),
    AnswerSetting("thread", "text"),
    AnswerSetting("since", "date"),
    AnswerSetting("until", "date"),
    AnswerSetting("limit", "number", default=str(LIMIT)),
    AnswerSetting("neighbours", "number", lowest=0, default="1"),
    AnswerSetting("min_relevance", "choice", ("0",)),
)
#: Allowed where the settings of the service allow requests to set the time.
NOW = AnswerSetting("now", "date")


@dataclass(frozen=True)
class ScorePart:
    """A named part of a score, as a bar."""

    label: str
    value: float
    #: Length of the bar, 0 to 1.
    share: float


@dataclass
class RecallHit:
    """A message of an answer, and why it is in it."""

    message: RecalledMessage
    words: Markup
    is_cut: bool
    parts: list[ScorePart] = field(default_factory=list)
    #: Factor for the time and the speakers that the question mentions.
    preference: float = 1.0
    #: Messages around it.
    neighbours: "list[RecallHit]" = field(default_factory=list)
    #: True if the answer beside it does not have it.
    is_alone: bool = False


@dataclass(frozen=True)
class Other:
    """A message that is not in an answer, and why."""

    message_id: str
    reason: str
    score: float | None
    #: Its words; None if they are not shown.
    words: Markup | None


@dataclass(frozen=True)
class RecallAnswer:
    """An answer to a question."""

    result: RecallResult
    hits: list[RecallHit]
    others: list[Other]
    #: Bar of its tokens, by part.
    tokens: Markup
    #: Body of the call that gives it.
    body: str
    differences: list[tuple[str, str]]

    @property
    def ids(self) -> set[str]:
        """Ids of the matches."""
        return {hit.message.message_id for hit in self.hits}


class RecallPages:
    """Recalls without an effect on recall weights: what a person looks at is not what agents need."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.memory = service.memory

    async def page(self, request: Request) -> ConsolePage:
        """The answer to a question under one setting, or under two side by side; without a question, how to begin."""
        bank = request.path_params["bank"]
        chosen = AnswerSettings(self._settings(), request.query_params, "recall", bank)
        values: dict[str, Any] = {
            "bank": bank,
            "q": chosen.question,
            "chosen": chosen,
            "answers": [],
            "terms": sorted(query_terms(chosen.question)) if chosen.question else [],
            "example": await self.service.run_codec(newest_question, self.memory, bank),
            "problem": None,
            "labels": self.memory.operations.labels.path is not None and Access.current().permits("write"),
            "noted": noted if (noted := request.query_params.get("noted", "")) in VERDICTS else None,
            "answer_chars": ANSWER_CHARS,
        }
        if not chosen.question:
            return ConsolePage("recall.html", values)
        try:
            answers = [await self._answer(chosen, second=second) for second in (False, True)[: 1 + chosen.are_two]]
        except InvalidInput as error:
            problem = {"status": error.kind.status, "title": error.kind.title, "detail": explained(error, chosen.label)}
            return ConsolePage("recall.html", values | {"problem": problem["detail"]}, problem, error.kind.status)
        if len(answers) == 2:
            for answer, other in (answers, reversed(answers)):
                for hit in answer.hits:
                    hit.is_alone = hit.message.message_id not in other.ids
        results = [answer.result for answer in answers]
        data = results[0] if len(results) == 1 else {"answers": [item.model_dump(mode="json") for item in results]}
        return ConsolePage("recall.html", values | {"answers": answers}, data)

    async def label(self, request: Request) -> Response:
        """Notes whether a message belongs to the answer to a question."""
        bank = request.path_params["bank"]
        form = await form_fields(request)
        label = await self.service.run(
            self.memory.operations.labels.add,
            *(bank, form.get("q", ""), cast("Verdict", form.get("verdict", "")), form.get("id", "")),
        )
        page = inside(form.get("back", "")) or url("/banks/{}/recall", bank, q=label.query)
        return leads_back({"back": f"{page}&noted={label.verdict}"}, page)

    def _settings(self) -> Sequence[AnswerSetting]:
        return (*SETTINGS, NOW) if self.service.settings.time_travel else SETTINGS

    async def _answer(self, chosen: AnswerSettings, *, second: bool) -> RecallAnswer:
        fields = chosen.values(second=second)
        if "trust" in fields:
            fields["trust"] = [fields["trust"]]
        if "min_relevance" in fields:
            fields["min_relevance"] = float(fields["min_relevance"])
        body = json.dumps({"query": chosen.question, **fields, "explain": True}, indent=2, ensure_ascii=False)
        return await self.service.run_codec(
            self._read, chosen.bank, chosen.question, fields, body, chosen.differences(second=second)
        )

    def _read(
        self, bank: str, question: str, fields: dict[str, Any], body: str, differences: list[tuple[str, str]]
    ) -> RecallAnswer:
        result = self.memory.recall(bank, query=question, track=False, gap_mark=GAP_MARK, explain=True, **fields)
        terms = list(query_terms(question))
        hits = _hits(result, terms)
        return RecallAnswer(result, hits, self._others(bank, result, terms), token_bar(result), body, differences)

    def _others(self, bank: str, result: RecallResult, terms: list[str]) -> list[Other]:
        """Returns messages that match but are not in the answer: what was left out, and the next in the ranking."""
        reasons = {item.message_id: text_of(f"recall.reason_{item.reason}") for item in result.left_out}
        scores = {item.message_id: item.score for item in reversed(result.scores)}
        present = {span.message_id for span in result.spans}
        for item in result.scores:
            if item.message_id not in present:
                reasons.setdefault(item.message_id, text_of("recall.reason_rank"))
        others = []
        for number, (message_id, reason) in enumerate(reasons.items()):
            words = self._words(bank, message_id, terms) if number < LISTED_OTHERS else None
            others.append(Other(message_id, reason, scores.get(message_id), words))
        return others

    def _words(self, bank: str, message_id: str, terms: list[str]) -> Markup | None:
        try:
            message = self.memory.message(bank, message_id)
        except NotFound:  # it was erased meanwhile
            return None
        return marked_words(message, self.service.settings.gap_mark, terms, stop=200)


def _hits(result: RecallResult, terms: list[str]) -> list[RecallHit]:
    """Returns the matches of an answer, each with its neighbours."""
    scores = {score.message_id: score for score in reversed(result.scores)}  # the best passage of each
    highest = max((_sum(score) for score in result.scores), default=0.0) or 1.0
    hits: list[RecallHit] = []
    for span in result.spans:
        words = marked_words(span, GAP_MARK, terms, stop=LISTED_CHARS)
        hit = RecallHit(span, words, len(span.text) > LISTED_CHARS)
        if span.neighbour_of is not None and hits:
            hits[-1].neighbours.append(hit)
            continue
        score = scores.get(span.message_id)
        if score is not None and span.score is not None:
            hit.preference = score.preference
            parts = (("words", score.words), ("meaning", score.meaning), ("lent", score.neighbours))
            hit.parts = [
                ScorePart(text_of(f"recall.{name}"), value, max(0.0, value) / highest) for name, value in parts
            ]
        hits.append(hit)
    return hits


def _sum(score: MatchScore) -> float:
    return score.words + score.meaning + score.neighbours


def token_bar(result: RecallResult) -> Markup:
    """Returns a bar of the tokens of an answer: its matches, their neighbours, and the dates and speakers between."""
    matches = sum(count_text_tokens(span.text) for span in result.spans if span.neighbour_of is None)
    near_by = sum(count_text_tokens(span.text) for span in result.spans if span.neighbour_of is not None)
    between = max(0, result.text_tokens - matches - near_by)
    named = (("matches", matches), ("around", near_by), ("between", between))
    return share_bar([Share(text_of(f"recall.part_{name}"), count) for name, count in named], text_of("recall.by_part"))
