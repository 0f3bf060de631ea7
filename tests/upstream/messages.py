"""The Messages API: `/v1/messages` and `/v1/messages/count_tokens`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from .answers import ModelAnswer, Text, Thinking, pieces
from .cache import Bill, PromptBlock
from .models import ClaudeModel, claude_model
from .problems import Provider, RefusedRequest, anthropic_refusal
from .schema import find_flaw
from .signatures import bound_to, chain, sign
from .state import Json, Reply, Thread, UpstreamState
from .tokens import billing_of, canonical, compact, image_data, read_image

BINDING_BETA = "thinking-binding-controls-2026-08-01"
THREADS_BETA = "message-threads-2026-08-12"
CONTEXT_BETA = "context-management-2025-06-27"
SCOPE_BETA = "prompt-caching-scope-2026-01-05"

#: Members of the SDK's types that the SDK sends as headers.
_SENT_AS_HEADERS = ("betas", "user_profile_id", "workspace_id")
_SAMPLING = {"temperature": float, "top_p": float, "top_k": int}
_THINKING = ("thinking", "redacted_thinking")
#: Kind of a block → the only role that may have it.
_ROLE_OF = {
    **dict.fromkeys((*_THINKING, "tool_use", "server_tool_use", "compaction"), "assistant"),
    **dict.fromkeys(("tool_result", "image", "document", "search_result"), "user"),
}
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")


@dataclass(frozen=True)
class _Block:
    """A content block with its place in the request."""

    value: Json
    message: int
    place: int

    @property
    def path(self) -> str:
        return f"messages.{self.message}.content.{self.place}"

    @property
    def kind(self) -> str:
        return str(self.value["type"])


@dataclass
class _Turn:
    """Consecutive messages of a role, which the API merges."""

    role: str
    #: Number of the first message.
    message: int
    blocks: list[_Block] = field(default_factory=list)


class MessagesWire:
    """`POST /v1/messages`, and with `counting` `POST /v1/messages/count_tokens`."""

    provider: Provider = "anthropic"

    def __init__(self, state: UpstreamState, *, counting: bool = False) -> None:
        self.name = "count_tokens" if counting else "messages"
        self._state = state
        self._counting = counting

    def accept(self, value: Json, headers: Mapping[str, str], query: str) -> "_AcceptedMessages":
        """See `Wire`."""
        betas = {each.strip() for each in headers.get("anthropic-beta", "").split(",") if each.strip()}
        if not (headers.get("x-api-key") or headers.get("authorization")):
            raise RefusedRequest("x-api-key header is required", 401)
        if not headers.get("anthropic-version"):
            raise RefusedRequest("anthropic-version: header is required")
        self._check_types(value, beta=bool(betas) or "beta=true" in query, betas=betas)
        value, thread = self._with_thread(value)
        prompt = _Prompt(self._state, value, betas)
        prompt.check()
        return _AcceptedMessages(self._state, prompt, thread, counting=self._counting)

    def _check_types(self, value: Json, *, beta: bool, betas: set[str]) -> None:
        """Checks a body against the parameters of the SDK."""
        for name in _SENT_AS_HEADERS:
            if name in value:
                raise RefusedRequest(f"{name}: Extra inputs are not permitted")
        extra: dict[str, Any] = dict(_SAMPLING)
        if not self._counting:
            extra["stream"] = bool
        checked = value
        if SCOPE_BETA in betas:  # not in the types of the SDK
            checked = _without_scope(value)
        flaw = find_flaw(checked, self._type(beta), extra)
        if flaw is not None:
            raise anthropic_refusal(flaw)
        binding = (value.get("thinking") or {}).get("block_binding")
        needs = {
            "thread": (value.get("thread"), THREADS_BETA),
            "thinking.adaptive.block_binding": (binding, BINDING_BETA),
            "context_management": (value.get("context_management"), CONTEXT_BETA),
        }
        for path, (given, needed) in needs.items():
            newer = path == "context_management" and any(each.startswith("compact-") for each in betas)
            if given is not None and needed not in betas and not newer:
                raise RefusedRequest(f"{path}: Extra inputs are not permitted")

    def _type(self, beta: bool) -> Any:
        if beta:
            from anthropic.types import beta as types

            module: Any = types
        else:
            from anthropic import types as plain

            module = plain
        if self._counting:
            return module.message_count_tokens_params.MessageCountTokensParams
        return module.message_create_params.MessageCreateParamsBase

    def _with_thread(self, value: Json) -> tuple[Json, str | None]:
        """Returns the whole conversation, and what the request asks of a thread: "create", "continue" or None."""
        asked = value.get("thread")
        if not asked:
            return value, None
        if asked["type"] == "create":
            return value, "create"
        thread = self._state.threads.get(asked["previous_message_id"])
        if thread is None or thread.expires <= self._state.clock.now():
            raise RefusedRequest(
                "No usable thread state was found for `previous_message_id`. Replay the full conversation with "
                '`thread: {"type": "create"}`.',
                404,
                details={"error_code": "thread_not_found"},
            )
        differing = [name for name, kept in thread.fixed.items() if canonical(value.get(name)) != canonical(kept)]
        if differing:
            raise RefusedRequest(
                f"thread: these fields differ from those of the thread: {', '.join(differing)}",
                details={"error_code": "thread_fingerprint_mismatch"},
            )
        if thread.continued:
            raise RefusedRequest(
                "thread: this response has already been continued",
                details={"error_code": "thread_already_continued"},
            )
        return {**value, "messages": [*thread.messages, *value["messages"]]}, "continue"


def _without_scope(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_scope(each) for each in value]
    if not isinstance(value, dict):
        return value
    changed = {key: inner if key == "input" else _without_scope(inner) for key, inner in value.items()}
    if isinstance(mark := changed.get("cache_control"), dict):
        changed["cache_control"] = {key: inner for key, inner in mark.items() if key != "scope"}
    return changed


class _Prompt:
    """A conversation as the model sees it, and the rules that it must keep."""

    def __init__(self, state: UpstreamState, value: Json, betas: set[str]) -> None:
        self.value = value
        self.betas = betas
        self.model = str(value["model"])
        self.rules: ClaudeModel = claude_model(self.model)
        self._state = state
        self.turns = _turns(value["messages"])
        #: Places of thinking blocks that were removed because they are bound to another conversation.
        self.dropped: list[str] = []
        #: Digest of the conversation, to which the thinking of the response is bound.
        self.digest = ""

    @property
    def thinks(self) -> bool:
        """True if the response may have thinking."""
        given = self.value.get("thinking")
        return given["type"] != "disabled" if given else self.rules.binds_thinking

    def check(self) -> None:
        """Raises `RefusedRequest` for what the API refuses, and removes the thinking that it drops."""
        self._check_request()
        self._check_roles()
        self._check_blocks()
        self._check_tools()
        self._check_images()
        self._check_marks()
        self._check_thinking()

    def _blocks(self) -> Iterator[tuple[_Turn, _Block]]:
        for turn in self.turns:
            for block in turn.blocks:
                yield turn, block

    def _check_request(self) -> None:
        value = self.value
        most = value.get("max_tokens", 1)
        if most < 0:
            raise RefusedRequest("max_tokens: Input should be greater than or equal to 0")
        thinking = value.get("thinking") or {}
        budget = thinking.get("budget_tokens")
        if budget is not None and budget < 1024:
            raise RefusedRequest("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if budget is not None and "max_tokens" in value and most <= budget:
            raise RefusedRequest("`max_tokens` must be greater than `thinking.budget_tokens`.")
        forced = (value.get("tool_choice") or {}).get("type") in ("any", "tool")
        if forced and thinking.get("type") == "enabled":
            raise RefusedRequest("Thinking may not be enabled when tool_choice forces tool use.")
        names = [tool["name"] for tool in value.get("tools") or () if "name" in tool]
        for number, tool in enumerate(value.get("tools") or ()):
            if tool.get("type") in (None, "custom") and not _TOOL_NAME.fullmatch(tool["name"]):
                raise RefusedRequest(
                    f"tools.{number}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
                )
        if len(set(names)) != len(names):
            raise RefusedRequest("tools: Tool names must be unique.")

    def _check_roles(self) -> None:
        messages = self.value["messages"]
        if not messages:
            raise RefusedRequest("messages: at least one message is required")
        if len(messages) > self._state.limits.messages:
            raise RefusedRequest(f"messages: List should have at most {self._state.limits.messages} items")
        if messages[0]["role"] != "user":
            raise RefusedRequest('messages: first message must use the "user" role')
        for number, message in enumerate(messages):
            if message["role"] == "system" and not self.rules.system_messages:
                raise RefusedRequest(f"messages.{number}.role: Input should be 'user' or 'assistant'")
            if message["role"] == "system" and not _may_stand(messages, number):
                raise RefusedRequest(
                    f"messages.{number}: a `system` message must immediately follow a `user` message or an "
                    "`assistant` message that ends with a server tool result, and must be the last message or be "
                    "immediately followed by an `assistant` message"
                )
            last = number == len(messages) - 1
            if not message["content"] and not (last and message["role"] == "assistant"):
                raise RefusedRequest(
                    f"messages.{number}: all messages must have non-empty content except for the optional final "
                    "assistant message"
                )
        if messages[-1]["role"] == "assistant":
            if not self.rules.prefill:
                raise RefusedRequest(
                    "This model does not support assistant message prefill. The conversation must end with a user "
                    "message."
                )
            end = self.turns[-1].blocks[-1].value if self.turns[-1].blocks else {}
            if end.get("type") == "text" and end["text"] != end["text"].rstrip():
                raise RefusedRequest("messages: final assistant content cannot end with trailing whitespace")

    def _check_blocks(self) -> None:
        for turn, block in self._blocks():
            only = _ROLE_OF.get(block.kind)
            if only is not None and turn.role != only:
                raise RefusedRequest(f"{block.path}: `{block.kind}` blocks can only be in `{only}` messages")
            if block.kind == "text":
                _check_text(block.value["text"], "messages")
        for part in _system(self.value):
            _check_text(part["text"], "system")

    def _check_tools(self) -> None:
        seen: set[str] = set()
        for number, turn in enumerate(self.turns):
            following = self.turns[number + 1] if number + 1 < len(self.turns) else None
            before = self.turns[number - 1] if number else None
            called = [block for block in turn.blocks if block.kind == "tool_use"]
            for block in called:
                name = block.value["id"]
                if not _TOOL_ID.fullmatch(name):
                    raise RefusedRequest(f"{block.path}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
                if name in seen:
                    raise RefusedRequest(f"{block.path}: `tool_use` ids must be unique")
                seen.add(name)
            if called:
                _check_answered(called, following)
            _check_results(turn, before)

    def _check_images(self) -> None:
        limits = self._state.limits
        places = [(path, image) for _, block in self._blocks() for path, image in _images(block.value, block.path)]
        if len(places) > limits.anthropic_images:
            raise RefusedRequest(f"messages: too many images: {len(places)} > {limits.anthropic_images} maximum")
        many = len(places) > limits.many_images
        longest = limits.many_images_side_px if many else limits.image_side_px
        too_long: list[str] = []
        for path, image in places:
            data = image_data(image)
            if data is None:
                continue
            try:
                found = read_image(data)
            except ValueError as error:
                raise RefusedRequest(f"{path}.image.source.base64.data: Could not process image: {error}") from error
            at = f"{path}.image.source.base64"
            if found.size > limits.anthropic_image_bytes:
                raise RefusedRequest(
                    f"{at}: image exceeds {limits.anthropic_image_bytes / (1 << 20):g} MB maximum: "
                    f"{found.size} bytes > {limits.anthropic_image_bytes} bytes"
                )
            if found.media_type != image["source"].get("media_type"):
                given = image["source"].get("media_type")
                raise RefusedRequest(
                    f"{at}.media_type: Image does not match the provided media type {given}; it appears to be "
                    f"{found.media_type}"
                )
            if max(found.width, found.height) > longest:
                too_long.append(path)
            if (image.get("transformations") or {}).get("oversized_image") == "error":
                self._check_unscaled(path, found.width, found.height)
        if too_long:
            kind = "many-image requests" if many else "images"
            raise RefusedRequest(
                f"{too_long[0]}.image.source.base64.data: At least one of the image dimensions exceed max allowed size "
                f"for {kind}: {longest} pixels",
                details={
                    "error_code": "image_dimensions_too_large",
                    "max_side_length_pixels": longest,
                    "paths": too_long,
                },
            )

    def _check_unscaled(self, path: str, width: int, height: int) -> None:
        fits = billing_of(self.model, "anthropic").scaled_size(width, height)
        if fits != (width, height):
            raise RefusedRequest(
                f"{path}.image: the image is {width}x{height} px, and the largest size that fits is "
                f"{fits[0]}x{fits[1]} px"
            )

    def _check_marks(self) -> None:
        marks = [mark for _, mark in self._marked() if mark]
        most = self._state.limits.cache_marks
        if len(marks) > most:
            raise RefusedRequest(f"A maximum of {most} blocks with cache_control may be provided. Found {len(marks)}.")
        ttls = [mark.get("ttl", "5m") for mark in marks]
        if "1h" in ttls and "5m" in ttls[: len(ttls) - ttls[::-1].index("1h")]:
            raise RefusedRequest(
                "cache_control: a ttl='1h' block must not come after a ttl='5m' block; blocks are processed in the "
                "order tools, system, messages"
            )

    def _marked(self) -> list[tuple[Json, Json | None]]:
        """Blocks of the prompt in order, each with its mark. A top-level mark falls on the last block that can bear
        one."""
        blocks = [*(self.value.get("tools") or ()), *_system(self.value), *(block.value for _, block in self._blocks())]
        marked = [(block, _mark(block)) for block in blocks]
        automatic = self.value.get("cache_control")
        if automatic:
            for place in range(len(marked) - 1, -1, -1):
                block, mark = marked[place]
                if block.get("type") not in _THINKING:
                    marked[place] = block, mark or automatic
                    break
        return marked

    def _check_thinking(self) -> None:
        self._check_open_cycle()
        behaviour = ((self.value.get("thinking") or {}).get("block_binding") or {}).get("prefix_mismatch_behavior")
        drops = (behaviour or self._state.prefix_mismatch) == "drop_block"
        digest = ""
        for tool in self.value.get("tools") or ():
            digest = chain(digest, "tools", tool)
        for part in _system(self.value):
            digest = chain(digest, "system", part)
        for turn in self.turns:
            kept: list[_Block] = []
            dropping = False
            for block in turn.blocks:
                if block.kind not in _THINKING:
                    dropping = False
                elif dropping or not self._is_bound_here(block, digest, drops):
                    dropping = True
                    self.dropped.append(block.path)
                    continue
                kept.append(block)
                digest = chain(digest, turn.role, block.value)
            turn.blocks = kept
        self.digest = digest

    def _is_bound_here(self, block: _Block, digest: str, drops: bool) -> bool:
        """Returns whether a thinking block belongs to the conversation before it. Raises `RefusedRequest`."""
        if block.kind == "thinking":
            found = bound_to("thinking", block.value["thinking"], block.value["signature"])
        else:
            found = bound_to("redacted", "", block.value["data"])
        if found is None:
            what = "`signature` in `thinking`" if block.kind == "thinking" else "`data` in `redacted_thinking`"
            raise RefusedRequest(f"{block.path}: Invalid {what} block")
        if found == digest or not self.rules.binds_thinking:
            return True
        if drops:
            return False
        raise RefusedRequest(
            f"{block.path}: Invalid `signature` in `thinking` block. The block is bound to a different conversation"
        )

    def _check_open_cycle(self) -> None:
        """The thinking of the latest assistant turn must be there while its tools are being answered."""
        place = max((number for number, turn in enumerate(self.turns) if turn.role == "assistant"), default=None)
        given = self.value.get("thinking") or {}
        if place is None or given.get("type") == "disabled":
            return
        turn = self.turns[place]
        called = [block for block in turn.blocks if block.kind == "tool_use"]
        if not called or place == len(self.turns) - 1:
            return
        found = [canonical(block.value) for block in turn.blocks if block.kind in _THINKING]
        known = [self._state.issued[block.value["id"]] for block in called if block.value["id"] in self._state.issued]
        if known and found != [canonical(block) for block in known[0]]:
            at = next((block for block in turn.blocks if block.kind in _THINKING), called[0])
            raise RefusedRequest(
                f"{at.path}: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be "
                "modified. These blocks must remain as they were in the original response."
            )
        if not known and not found and given.get("type") == "enabled":
            first = turn.blocks[0]
            raise RefusedRequest(
                f"{first.path}.type: Expected `thinking` or `redacted_thinking`, but found `{first.kind}`. When "
                "`thinking` is enabled, a final `assistant` message must start with a thinking block (preceding the "
                "lastmost set of `tool_use` and `tool_result` blocks)."
            )

    def segments(self) -> list[PromptBlock]:
        """Returns the blocks as the prompt cache sees them."""
        counter = self._state.counter(self.model, "anthropic")
        of_messages = {name: self.value.get(name) for name in ("tool_choice", "thinking")}
        if isinstance(of_messages["thinking"], dict):
            of_messages["thinking"] = {
                name: inner for name, inner in of_messages["thinking"].items() if name in ("type", "budget_tokens")
            }
        marks = iter(self._marked())
        segments: list[PromptBlock] = []
        prefix = ""
        roles = ["tools"] * len(self.value.get("tools") or ()) + ["system"] * len(_system(self.value))
        seed = compact(canonical(of_messages))
        roles += [turn.role for turn, _ in self._blocks()]
        seeded = False
        for role, (block, mark) in zip(roles, marks, strict=True):
            if role not in ("tools", "system") and not seeded:
                prefix, seeded = chain(prefix, "parameters", seed), True
            prefix = chain(prefix, role, block)
            ttl = str(mark.get("ttl", "5m")) if mark else None
            tokens = counter.block({key: inner for key, inner in block.items() if key != "cache_control"})
            segments.append(PromptBlock(prefix, tokens, ttl))
        return segments


def _turns(messages: list[Json]) -> list[_Turn]:
    turns: list[_Turn] = []
    for number, message in enumerate(messages):
        if not turns or turns[-1].role != message["role"]:
            turns.append(_Turn(message["role"], number))
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        turns[-1].blocks += [_Block(block, number, place) for place, block in enumerate(blocks)]
    return turns


def _may_stand(messages: list[Json], number: int) -> bool:
    """Returns True if a message of the role system stands where the API takes one."""
    before, after = messages[number - 1 : number], messages[number + 1 : number + 2]
    if after and after[0]["role"] != "assistant":
        return False
    return bool(before) and (before[0]["role"] == "user" or _ends_in_server_result(before[0]))


def _ends_in_server_result(message: Json) -> bool:
    content = message["content"]
    last = content[-1] if isinstance(content, list) and content else {}
    return message["role"] == "assistant" and str(last.get("type")).endswith("_tool_result")


def _system(value: Json) -> list[Json]:
    given = value.get("system")
    if isinstance(given, str):
        return [{"type": "text", "text": given}] if given else []
    return list(given or ())


def _check_text(text: str, where: str) -> None:
    if not text:
        raise RefusedRequest(f"{where}: text content blocks must be non-empty")
    if not text.strip():
        raise RefusedRequest(f"{where}: text content blocks must contain non-whitespace text")


def _check_answered(called: list[_Block], following: _Turn | None) -> None:
    answered: list[str] = []
    for block in following.blocks if following is not None and following.role == "user" else ():
        if block.kind != "tool_result":
            break  # results come first
        answered.append(block.value["tool_use_id"])
    missing = [block.value["id"] for block in called if block.value["id"] not in answered]
    if missing and following is not None:
        raise RefusedRequest(
            f"messages.{called[0].message}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the next "
            "message."
        )
    if following is None:
        raise RefusedRequest(
            f"messages.{called[0].message}: `tool_use` blocks must be answered by `tool_result` blocks"
        )


def _check_results(turn: _Turn, before: _Turn | None) -> None:
    called = {block.value["id"] for block in before.blocks if block.kind == "tool_use"} if before else set()
    seen: set[str] = set()
    for block in turn.blocks:
        if block.kind != "tool_result":
            continue
        name = block.value["tool_use_id"]
        if name not in called:
            raise RefusedRequest(
                f"{block.path}: unexpected `tool_use_id` found in `tool_result` blocks: {name}. Each `tool_result` "
                "block must have a corresponding `tool_use` block in the previous message."
            )
        if name in seen:
            raise RefusedRequest(
                f"{block.path}: each tool_use must have a single result. Found multiple `tool_result` blocks with id: "
                f"{name}"
            )
        seen.add(name)


def _images(block: Json, path: str) -> Iterator[tuple[str, Json]]:
    if block.get("type") == "image":
        yield path, block
    if block.get("type") == "tool_result" and isinstance(block.get("content"), list):
        for place, inner in enumerate(block["content"]):
            yield from _images(inner, f"{path}.content.{place}")


def _mark(block: Json) -> Json | None:
    """Mark of a block, or the last one inside it."""
    mark = block.get("cache_control")
    if mark is None and block.get("type") == "tool_result" and isinstance(block.get("content"), list):
        mark = next((inner["cache_control"] for inner in block["content"][::-1] if inner.get("cache_control")), None)
    return mark if isinstance(mark, dict) else None


class _AcceptedMessages:
    """An accepted call of the Messages API."""

    def __init__(self, state: UpstreamState, prompt: _Prompt, thread: str | None, *, counting: bool) -> None:
        self._state = state
        self._prompt = prompt
        self._thread = thread
        self._counting = counting
        self.scripted = not counting and prompt.value["max_tokens"] > 0
        self._segments = prompt.segments()
        tokens = sum(segment.tokens for segment in self._segments)
        if not counting and tokens > prompt.rules.context_tokens:
            raise RefusedRequest(f"prompt is too long: {tokens} tokens > {prompt.rules.context_tokens} maximum")

    def reply(self, answer: ModelAnswer) -> Reply:
        """See `Accepted`."""
        prompt, state = self._prompt, self._state
        if self._counting:
            return Reply({"input_tokens": sum(segment.tokens for segment in self._segments)}, [], None)
        bill = state.cache.bill(
            prompt.model,
            self._segments,
            least=prompt.rules.least_cached,
            lookback=state.limits.cache_lookback,
            long="1h",
            long_price=2.0,
        )
        content = self._content(answer) if self.scripted else []
        counter = state.counter(prompt.model, "anthropic")
        thinking = sum(counter.block(block) for block in content if block["type"] in _THINKING)
        bill = replace(bill, output=sum(counter.block(block) for block in content), thinking=thinking)
        called = any(block["type"] == "tool_use" for block in content)
        reason = answer.stop_reason or ("tool_use" if called else "end_turn")
        message: Json = {
            "id": state.new_id("msg_01", prompt.digest),
            "type": "message",
            "role": "assistant",
            "model": prompt.model,
            "content": content,
            "stop_reason": reason if self.scripted else "max_tokens",
            "stop_sequence": None,
            "usage": _usage(bill),
        }
        if BINDING_BETA in prompt.betas:
            message["input_transformations"] = [
                {"type": "thinking_dropped", "path": path, "reason": "prefix_binding_mismatch"}
                for path in prompt.dropped
            ]
        self._note(message)
        return Reply(message, list(_frames(message)), bill, stream=bool(prompt.value.get("stream")))

    def _content(self, answer: ModelAnswer) -> list[Json]:
        """Blocks of a scripted answer; its thinking is signed for this conversation."""
        digest = self._prompt.digest
        shown = (self._prompt.value.get("thinking") or {}).get("display") != "omitted"
        content: list[Json] = []
        for part in answer.blocks:
            block: Json
            if isinstance(part, Text):
                block = {"type": "text", "text": part.text}
            elif isinstance(part, Thinking):
                if not self._prompt.thinks:
                    continue
                text = part.text if shown else ""
                if part.redacted:
                    block = {"type": "redacted_thinking", "data": sign("redacted", "", digest)}
                else:
                    signature = sign("thinking", text, digest)
                    block = {"type": "thinking", "thinking": text, "signature": signature}
            else:
                name = part.id or self._state.new_id("toolu_01", digest)
                block = {"type": "tool_use", "id": name, "name": part.name, "input": dict(part.arguments)}
            content.append(block)
            digest = chain(digest, "assistant", block)
        return content

    def _note(self, message: Json) -> None:
        thinking = [block for block in message["content"] if block["type"] in _THINKING]
        for block in message["content"]:
            if block["type"] == "tool_use":
                self._state.issued[block["id"]] = thinking
        if self._thread is None:
            return
        value = self._prompt.value
        if self._thread == "continue":
            self._state.threads[value["thread"]["previous_message_id"]].continued = True
        fixed = {name: value.get(name) for name in ("model", "system", "tools")}
        said = {"role": "assistant", "content": message["content"]}
        life = timedelta(seconds=self._state.limits.thread_s)
        messages = [*value["messages"], said] if message["content"] else list(value["messages"])
        self._state.threads[message["id"]] = Thread(fixed, messages, self._state.clock.now() + life)


def _usage(bill: Bill) -> Json:
    return {
        "input_tokens": bill.fresh,
        "cache_creation_input_tokens": bill.written + bill.written_long,
        "cache_read_input_tokens": bill.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": bill.written,
            "ephemeral_1h_input_tokens": bill.written_long,
        },
        "output_tokens": bill.output,
        "output_tokens_details": {"thinking_tokens": bill.thinking},
        "service_tier": "standard",
    }


def _frames(message: Json) -> Iterator[bytes]:
    """Server-sent events of a message, in the order of the API."""
    opening = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    opening["usage"] = {**message["usage"], "output_tokens": 1}
    opening.pop("input_transformations", None)
    yield frame("message_start", {"message": opening})
    for index, block in enumerate(message["content"]):
        empty, deltas = _deltas(block)
        yield frame("content_block_start", {"index": index, "content_block": empty})
        if index == 0:
            yield frame("ping", {})
        for delta in deltas:
            yield frame("content_block_delta", {"index": index, "delta": delta})
        yield frame("content_block_stop", {"index": index})
    closing: Json = {
        "delta": {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]},
        "usage": message["usage"],
    }
    if "input_transformations" in message:
        closing["input_transformations"] = message["input_transformations"]
    yield frame("message_delta", closing)
    yield frame("message_stop", {})


def _deltas(block: Json) -> tuple[Json, list[Json]]:
    """A block at its start, and its deltas."""
    kind = block["type"]
    if kind == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": each} for each in pieces(block["text"])]
    if kind == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": each} for each in pieces(block["thinking"]) if each]
        signature = {"type": "signature_delta", "signature": block["signature"]}
        return {**block, "thinking": "", "signature": ""}, [*deltas, signature]
    if kind == "tool_use":
        texts = ["", *pieces(compact(block["input"]))]
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": each} for each in texts]
    return block, []


def frame(kind: str, value: Json) -> bytes:
    """Returns a server-sent event of Anthropic's or of the Responses API."""
    return f"event: {kind}\ndata: {compact({'type': kind, **value})}\n\n".encode()
