"""Replaces long older texts of a conversation by excerpts, each message in its place, as LiteLLM's compression
guardrail asks for it."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from itertools import accumulate, pairwise
from threading import Lock
from typing import Any, Literal, cast

from cachetools import LRUCache
from pydantic import JsonValue

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.compact_json import compact_json
from foxing.memory.conversation import FORMATS, Fields, ProviderMessage, WebCalls, parse_message, read_blocks, render
from foxing.memory.conversation.changes import texts_of, with_text
from foxing.memory.errors import InvalidInput
from foxing.memory.ingest.calls import StoreCall
from foxing.memory.ingest.doubtful_words import exact_words
from foxing.memory.ingest.redaction import Redaction
from foxing.memory.ingest.store import MessageStore
from foxing.memory.ingest.validate import check_bank_name
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, messages
from foxing.memory.text.passages import Passage, split_passages
from foxing.memory.text.terms import query_terms, terms
from foxing.memory.values.compression import CompressRequest, CompressResult
from foxing.memory.values.context import TokenPrices
from foxing.memory.values.gap_marks import TEXT_GAP_MARK, MarkedText
from foxing.memory.values.messages import NewMessage, Role
from foxing.memory.values.speakers import INDENT, set_apart
from foxing.memory.values.trust import trust_of

from .drawing import STATED, identifiers_within
from .excerpts import FadingMessages, FoldedMessage, statements_of
from .folder import ITEM_TOKENS, STORED_AT_ONCE

HASH_CHARS = 24
#: Thread of the texts in their bank.
THREAD = "compressed"
#: Roles of messages whose texts may be replaced, and the last so many of them that stay as they are.
ROLES = ("user", "tool")
KEPT_MESSAGES = 10
#: Shortest text that is replaced, in characters.
MIN_CHARS = 800
#: Share of the characters of a text that its excerpt has: what users say counts for more than what tools return.
USER_SHARE = 0.5
TOOL_SHARE = 0.25
#: Most tokens of an excerpt for each token of the text; a text of which it takes more stays as it is.
MAX_RATIO = 0.7
#: Fewest tokens that are saved when further texts are replaced.
MIN_STEP_TOKENS = 4_000
#: Maximum share of what the conversation has cost so far, with a call for each message, that this may cost.
RISK = 0.15
#: Number of calls within which further excerpts must pay back what they cost.
PAYBACK_CALLS = 20
#: Tokens from which a conversation is so large that the risk does not count.
LARGE_TOKENS = 100_000
#: Most tokens of the passages that match a query.
MATCHING_TOKENS = 2_000
#: Least score of such a passage, as a share of the best.
MATCHING_SHARE = 1 / 3
#: Why a call replaces nothing for the first time.
NONE_LONG = (
    f"no text of users or tools before their last {KEPT_MESSAGES} messages has {MIN_CHARS} characters or more; the "
    "rest of a conversation stays as it is"
)
NOT_SHORTER = "none of the {texts} long older texts has an excerpt that is much shorter"
ALL_REPLACED = "every long older text was replaced before"
NOT_YET = (
    "replacing {texts} more texts would save {tokens:,} tokens a call, which does not yet pay for writing the prompt "
    f"cache anew; texts are replaced in steps of at least {MIN_STEP_TOKENS:,} tokens"
)
#: Name of the tool that retrieves texts, whose results stay as they are.
RETRIEVE_TOOL = "headroom_retrieve"
#: Line above an excerpt. The description of the tool tells the model to look for a compression marker with a hash.
MARKER = "[compression marker: {left:,} of {total:,} tokens are left out where … stands; exact text: hash={hash}]"
LEFT_OUT = "Identifiers in what is left out: "
_CACHED_CHARS = 32 << 20
_COUNTED = 100_000


@dataclass(frozen=True)
class _Text:
    """A text of a message that may be replaced."""

    #: Position of the message, and of the part in its content; None for content that is a text.
    message: int
    part: int | None
    role: str
    text: str
    hash: str
    #: Trust class, where it is not that of its role.
    trust: Literal["web"] | None = None


@dataclass(frozen=True)
class _Excerpt:
    """An excerpt of a text."""

    text: str
    #: Tokens of the excerpt, and of the text.
    tokens: int
    text_tokens: int

    @property
    def saved(self) -> int:
        """Tokens that it saves."""
        return self.text_tokens - self.tokens

    @property
    def is_worth_it(self) -> bool:
        """True if the excerpt is much shorter than the text."""
        return self.tokens <= MAX_RATIO * self.text_tokens


class Compressor:
    """Compresses conversations. Safe to share between threads.

    A text that was replaced once is a message of the bank, whose id is its hash, and is replaced at every later call:
    by the same excerpt, which depends on the text and the bank's rules of redaction alone. So the bytes are the same
    after a restart and from another replica.
    """

    def __init__(self, database: Database, store: MessageStore) -> None:
        """`store`: stores the texts that are replaced."""
        self.database = database
        self._store = store
        self._lock = Lock()
        self._excerpts: LRUCache[tuple[str, Redaction], _Excerpt] = LRUCache(
            _CACHED_CHARS, getsizeof=lambda excerpt: len(excerpt.text) + 100
        )
        self._tokens: LRUCache[bytes, int] = LRUCache(_COUNTED)

    def compress(self, bank: str, request: CompressRequest, now: datetime) -> CompressResult:
        """Implements `Operations.compress`."""
        check_bank_name(bank)
        provider_messages = [_read(message, number) for number, message in enumerate(request.messages)]
        texts = [
            text
            for text in _texts(bank, provider_messages)
            if len(text.text.encode(errors="replace")) <= self._store.max_bytes
        ]
        stored, redaction = self._stored(bank, texts)
        refused = self._store.refused_classes(bank)
        texts = [text for text in texts if text.hash in stored or trust_of(text.role, text.trust) not in refused]
        excerpts = {text.hash: self._excerpt(text, redaction) for text in texts}
        long = len(texts)
        texts = [text for text in texts if excerpts[text.hash].is_worth_it]
        tokens = [self._count(message) for message in provider_messages]
        new = [text for text in texts if text.hash not in stored]
        note = None if new else _nothing_new(long, len(texts))
        if new and not _pays(tokens, texts, new, excerpts):
            note = NOT_YET.format(texts=len(new), tokens=sum(excerpts[text.hash].saved for text in new))
            new = []
        if new:
            self._remember(bank, new, now)
            stored, _ = self._stored(bank, texts)  # without those that were quarantined
            new = [text for text in new if text.hash in stored]
        replaced = [text for text in texts if text.hash in stored]
        saved = sum(excerpts[text.hash].saved for text in replaced)
        before = sum(tokens)
        return CompressResult(
            messages=render("openai", _with_excerpts(provider_messages, replaced, excerpts)),
            tokens_before=before,
            tokens_after=before - saved,
            tokens_saved=saved,
            compression_ratio=round(saved / before, 4) if before else 0.0,
            transforms_applied=["excerpt"] if replaced else [],
            ccr_hashes=list(dict.fromkeys(text.hash for text in replaced)),
            new_hashes=len(new),
            note=note,
        )

    def _stored(self, bank: str, texts: Sequence[_Text]) -> tuple[Collection[str], Redaction]:
        """Returns the hashes of the texts that the bank has, and its rules of redaction."""
        with self.database.read() as connection:
            row = banks.find(connection, bank)
            if row is None:
                return (), Redaction()
            ids = [message_id_of(text.hash) for text in texts]
            stored = messages.ids_of(connection, row.id, ids)
        return {text.hash for text, name in zip(texts, ids, strict=True) if name in stored}, Redaction.of(row.policy)

    def _remember(self, bank: str, texts: Sequence[_Text], now: datetime) -> None:
        """Stores texts, each once."""
        originals = [
            NewMessage(
                id=message_id_of(text.hash),
                role=cast(Role, text.role),
                content=text.text,
                thread=THREAD,
                trust=text.trust,
            )
            for text in {text.hash: text for text in texts}.values()
        ]
        for start in range(0, len(originals), STORED_AT_ONCE):
            self._store.store(StoreCall(bank, originals[start : start + STORED_AT_ONCE]), now)

    def _excerpt(self, text: _Text, redaction: Redaction) -> _Excerpt:
        key = (text.hash, redaction)
        with self._lock:
            excerpt = self._excerpts.get(key)
        if excerpt is None:
            excerpt = _excerpt_of(text, redaction)
            with self._lock:
                self._excerpts[key] = excerpt
        return excerpt

    def _count(self, message: ProviderMessage) -> int:
        """Returns the tokens of a message."""
        text = "\n".join(_words(part) for part in message.parts)
        key = blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
        with self._lock:
            count = self._tokens.get(key)
        if count is None:
            count = count_text_tokens(text)
            with self._lock:
                self._tokens[key] = count
        return count + ITEM_TOKENS


def _nothing_new(long: int, shorter: int) -> str:
    """Returns why no text is replaced for the first time. `long`: number of texts that may be; `shorter`: of those of
    which an excerpt is much shorter."""
    return ALL_REPLACED if shorter else NOT_SHORTER.format(texts=long) if long else NONE_LONG


def message_id_of(hash_: str) -> str:
    """Returns the id of the message that holds the text of a hash."""
    return f"compressed-{hash_}"


def matching_part(text: str, query: str) -> str:
    """Returns the passages of a text that match a query, within `MATCHING_TOKENS`, in order; the whole text if none
    does or all are returned."""
    passages = split_passages(text)
    counted = [terms(text[start:stop]) for start, stop in passages]
    words = query_terms(query)
    frequency = Counter(term for counts in counted for term in words if term in counts)
    scores = [sum(1 / frequency[term] for term in words if term in counts) for counts in counted]
    min_score = MATCHING_SHARE * max(scores)
    chosen = set[int]()
    room = MATCHING_TOKENS
    for number in sorted(range(len(passages)), key=lambda n: -scores[n]):
        start, stop = passages[number]
        room -= count_text_tokens(text[start:stop])
        if not scores[number] or scores[number] < min_score or (chosen and room < 0):
            break
        chosen.add(number)
    if not chosen:
        return text
    return _joined_passages(text, [passages[number] for number in sorted(chosen)])


def _joined_passages(text: str, passages: Sequence[Passage]) -> str:
    """Returns the passages of a text, with a gap mark wherever something is left out."""
    result = text[: passages[0].stop] if passages[0].start == 0 else f"…\n{text[slice(*passages[0])]}"
    for before, passage in pairwise(passages):
        result += ("" if before.stop == passage.start else "\n…\n") + text[slice(*passage)]
    return result if passages[-1].stop == len(text) else f"{result}\n…"


def _read(message: Mapping[str, JsonValue], number: int) -> ProviderMessage:
    """Returns a message, that of an unknown role as well. Raises `InvalidInput` for what is no message."""
    role = message.get("role")
    content = message.get("content")
    if not isinstance(role, str) or not role:
        raise InvalidInput("role must be a text, such as 'user'", index=number)
    if content is not None and not isinstance(content, str | list):
        raise InvalidInput("content must be a string, a list of parts, or null", index=number)
    if isinstance(content, list) and not all(isinstance(part, dict) for part in content):
        raise InvalidInput("a part of content must be an object", index=number)
    if role in FORMATS["openai"].roles:
        return parse_message("openai", message, number)
    return ProviderMessage(message, role, tuple(read_blocks(content).parts), content)


def _texts(bank: str, provider_messages: Sequence[ProviderMessage]) -> Iterator[_Text]:
    """Yields the long texts of messages that need not stay, in order."""
    seen = Counter[bytes]()
    stays = _staying(provider_messages)
    calls = WebCalls()
    for number, message in enumerate(provider_messages):
        classes = [calls.with_origin(turn).trust for turn in message.turns]
        trust: Literal["web"] | None = "web" if message.role == "tool" and "web" in classes else None
        role = str(message.raw["role"])
        answered = message.answers[0] if message.answers else None
        for place, text in texts_of(message) if message.role in ROLES else ():
            if len(text) < MIN_CHARS:
                continue
            identity = [bank, role, answered, place, text]
            digest = blake2b(compact_json(cast(Any, identity)).encode(errors="surrogatepass"), digest_size=16).digest()
            seen[digest] += 1
            if number not in stays:
                # the same text said twice is two texts, so that the later one is not replaced with the first
                hashed = blake2b(digest + seen[digest].to_bytes(4, "big"), digest_size=HASH_CHARS // 2)
                yield _Text(number, place, message.role, text, hashed.hexdigest(), trust)


def _staying(provider_messages: Sequence[ProviderMessage]) -> set[int]:
    """Returns the positions of the messages that stay as they are: those of roles other than `ROLES`, the last user
    message, the last assistant message and what follows it, the last `KEPT_MESSAGES` of `ROLES`, and what was
    retrieved."""
    others = {number for number, message in enumerate(provider_messages) if message.role not in ROLES}
    remainder = [number for number in range(len(provider_messages)) if number not in others]
    users = [number for number in remainder if provider_messages[number].role == "user"]
    model = [number for number in others if provider_messages[number].role == "assistant"]
    retrieved = {part["id"] for number in model for part in provider_messages[number].parts if _retrieves(part)}
    stays = others | set(remainder[-KEPT_MESSAGES:]) | set(users[-1:])
    stays |= {number for number in remainder if not retrieved.isdisjoint(provider_messages[number].answers)}
    if model:
        last = max(model)
        stays |= set(range(last, len(provider_messages)))
    return stays


def _retrieves(part: Fields) -> bool:
    name = str(part.get("name"))
    return name == RETRIEVE_TOOL or name.endswith(f"__{RETRIEVE_TOOL}")


def _words(part: Fields) -> str:
    words = part.get("text", part.get("content"))
    return words if isinstance(words, str) else compact_json(cast(Any, [part.get("name"), part.get("arguments")]))


def _excerpt_of(text: _Text, redaction: Redaction) -> _Excerpt:
    """Returns the excerpt of a text: its sentences and lines that state facts, and the identifiers in the others. The
    lines of the text begin with a blank, so that none reads as the marker of another."""
    content = text.text
    if redaction:
        content = redaction.message(NewMessage(role=cast(Role, text.role), content=content), Counter()).text
    share = USER_SHARE if text.role == "user" else TOOL_SHARE
    chars = max(MIN_CHARS // 2, int(len(content) * share))
    faded = FadingMessages([FoldedMessage("", text.role, "", content)]).within(chars)
    excerpt = MarkedText.of(faded[0].text, faded[0].gaps, TEXT_GAP_MARK).text.strip() if faded else ""
    stated = content if text.role == "user" else statements_of(content)
    words: dict[str, int] = {}
    for word in exact_words(content):
        if word.identifier and word.text not in excerpt:
            words[word.text] = words.get(word.text, 0) | (STATED if word.text in stated else 0)
    total = count_text_tokens(text.text)
    gone = identifiers_within(words, max(100, count_text_tokens(excerpt)))
    marker = MARKER.format(left=max(0, total - count_text_tokens(excerpt)), total=total, hash=text.hash)
    lines = [marker, INDENT + set_apart(excerpt), *([LEFT_OUT + " ".join(gone)] if gone else [])]
    result = "\n".join(lines)
    return _Excerpt(result, count_text_tokens(result), total)


def _pays(
    tokens: Sequence[int], texts: Sequence[_Text], new: Sequence[_Text], excerpts: Mapping[str, _Excerpt]
) -> bool:
    """Returns True if it pays to replace further texts: the provider's cache has nothing that ends before the first of
    them, so that all is written to it again."""
    saved = sum(excerpts[text.hash].saved for text in new)
    if saved < MIN_STEP_TOKENS:
        return False
    new_hashes = {text.hash for text in new}
    sent = list(tokens)
    for text in texts:
        if text.hash not in new_hashes:
            sent[text.message] -= excerpts[text.hash].saved
    prices = TokenPrices()
    total = sum(sent)
    cost = (total - saved) * prices.write - total * prices.read
    spent = prices.read * sum(accumulate(sent)) + prices.write * total
    risky = cost > RISK * spent and total < LARGE_TOKENS
    return cost <= PAYBACK_CALLS * saved * prices.read and not risky


def _with_excerpts(
    provider_messages: Sequence[ProviderMessage], texts: Sequence[_Text], excerpts: Mapping[str, _Excerpt]
) -> list[ProviderMessage]:
    """Returns the messages with excerpts in place of texts."""
    result = list(provider_messages)
    for text in texts:
        result[text.message] = with_text(result[text.message], text.part, excerpts[text.hash].text)
    return result
