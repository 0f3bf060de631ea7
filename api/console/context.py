"""Page of a context: what a model would see for a question, and what it costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from markupsafe import Markup
from starlette.requests import Request

from foxing.api.dependencies import Service
from foxing.api.settings.names import explained
from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory import ContextRequest, ContextResult, InvalidInput
from foxing.memory.values.recall import Shape
from foxing.renderer import Readers

from .answer_settings import AnswerSetting, AnswerSettings
from .images import ShownImages
from .plots import Share, share_bar
from .questions import newest_question
from .rendering import ConsolePage, text_of
from .words import SHOWN_CHARS

READER = "claude"
BUDGET = 4_000


@dataclass(frozen=True)
class ContextBlock:
    """A block of a context: its text, or the digest and the page of its image."""

    text: str = ""
    image: str = ""
    page_id: str = ""


@dataclass(frozen=True)
class ContextAnswer:
    """A context for a reader and a budget."""

    result: ContextResult
    blocks: list[ContextBlock]
    tokens: Markup
    budget: int
    differences: list[tuple[str, str]]


class ContextPages:
    """Builds contexts without an effect on recall weights."""

    def __init__(self, service: Service, images: ShownImages) -> None:
        self.service = service
        self.memory = service.memory
        self.images = images

    async def page(self, request: Request) -> ConsolePage:
        """The context of a question for one reader and budget, or for two side by side; where none is asked for, that
        of the newest question of the bank."""
        bank = request.path_params["bank"]
        query = dict(request.query_params)
        example = ""
        if "q" not in query:
            example = await self.service.run_codec(newest_question, self.memory, bank)
            query["q"] = example
        chosen = AnswerSettings(self._settings(), query, "context", bank)
        values = {
            "bank": bank,
            "q": chosen.question,
            "chosen": chosen,
            "answers": [],
            "example": example,
            "problem": None,
        }
        as_body = request.url.path.endswith(".json")
        try:
            answers = [
                await self._answer(chosen, second=second, as_body=as_body)
                for second in (False, True)[: 1 + chosen.are_two]
            ]
        except InvalidInput as error:
            problem = {"status": error.kind.status, "title": error.kind.title, "detail": explained(error, chosen.label)}
            return ConsolePage("context.html", values | {"problem": problem["detail"]}, problem, error.kind.status)
        results = [answer.result for answer in answers]
        data = results[0] if len(results) == 1 else {"answers": [item.model_dump(mode="json") for item in results]}
        return ConsolePage("context.html", values | {"answers": answers}, data)

    def _settings(self) -> Sequence[AnswerSetting]:
        return (
            AnswerSetting("reader", "choice", tuple(sorted(Readers(self.service.settings.readers))), default=READER),
            AnswerSetting("budget", "number", default=str(BUDGET)),
            AnswerSetting("facts", "number", lowest=0, default="0"),
            AnswerSetting("shape", "choice", get_args(Shape), default="auto"),
            AnswerSetting("thread", "text"),
        )

    async def _answer(self, chosen: AnswerSettings, *, second: bool, as_body: bool) -> ContextAnswer:
        """Returns a context. `as_body`: in the format of the reader's provider, with no blocks to show."""
        fields = chosen.values(second=second) | {"query": chosen.question or None}
        asked_for = ContextRequest.from_fields(fields if as_body else fields | {"as": "blocks"})
        result = await self.service.run_codec(self.memory.context, chosen.bank, asked_for, track=False)
        blocks = [] if as_body else [self._block(block) for block in result.content]
        tokens = await self.service.run_codec(context_bar, result, blocks, asked_for.budget)
        return ContextAnswer(result, blocks, tokens, asked_for.budget, chosen.differences(second=second))

    def _block(self, block: Mapping[str, Any]) -> ContextBlock:
        if block.get("type") != "image":
            return ContextBlock(text=str(block.get("text", ""))[:SHOWN_CHARS])
        digest = self.images.add(str(block.get("media_type", "image/png")), str(block["data"]))
        return ContextBlock(image=digest, page_id=str(block.get("page_id", "")))


def context_bar(result: ContextResult, blocks: Sequence[ContextBlock], budget: int) -> Markup:
    """Returns a bar of a budget: images, text before and after the cache mark, and what is free. Text is billed as a
    whole: its two parts are in the proportion of their text tokens."""
    counts = [count_text_tokens(block.text) for block in blocks]
    text = max(0, result.billed_tokens - result.image_tokens)
    stable = round(text * sum(counts[: result.stable_blocks]) / (sum(counts) or 1))
    shares = [
        Share(text_of("context.part_images"), result.image_tokens),
        Share(text_of("context.part_stable"), stable),
        Share(text_of("context.part_new"), text - stable),
        Share(text_of("context.part_free"), budget - result.billed_tokens),
    ]
    return share_bar(shares, text_of("recall.by_part"))
