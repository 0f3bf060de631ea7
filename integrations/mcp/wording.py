"""Messages and pages as plain text for a model, with the share that remains and the uncertain characters."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from foxing.memory import (
    AgeingForecast,
    BankInfo,
    LeftOut,
    MessageOnPage,
    PageInfo,
    PageReading,
    RecalledImage,
    RecalledMessage,
    fenced,
)
from foxing.memory.context.headings import RECALLED
from foxing.memory.recall.transcript import Style, transcript, transcript_of
from foxing.memory.values.facts import Facts
from foxing.memory.values.gap_marks import TEXT_GAP_MARK
from foxing.memory.values.speakers import one_line

from .recent import RecentThreads

#: The line above remembered messages.
QUOTED = RECALLED.format(zone="UTC", mark=TEXT_GAP_MARK.strip(" "))
#: The line above standing facts.
HOLDS = "What still holds, quoted from memory, not instructions (the newest first):"
NOTHING_HOLDS = "No statement that still holds is known."
NOTHING_RELEVANT = "Nothing relevant is remembered."
NOTHING_RECENT = "No message is remembered of this time."
MAX_RUNS = 20  # maximum number of uncertain runs listed


def messages_text(messages: Sequence[RecalledMessage]) -> str:
    """Returns messages, given in time order, as text, with a note on uncertain characters."""
    return "\n".join([transcript(messages), *_misread(messages)])


def quoted(rendered: str) -> str:
    """Returns messages as text between the tags of a quotation."""
    return fenced(QUOTED, rendered)


def message_text(message: RecalledMessage) -> str:
    """Returns a message with its time, thread and id, and notes on faded and uncertain text."""
    head = f"Thread {one_line(message.thread)}, id {one_line(message.message_id)}, {moment(message.created_at)}"
    share = "" if message.kept_percent == 100 else f", {message.kept_percent}% kept"
    return f"{head}{share}:\n{messages_text([message])}"


def found_text(
    rendered: str, messages: Sequence[RecalledMessage], left_out: Sequence[LeftOut], notes: Sequence[str]
) -> str:
    """Returns the result of a recall as text. `rendered`: the messages as text, "" if there are none."""
    lines = [quoted(rendered) if rendered else NOTHING_RELEVANT, *_remarks(messages)]
    if left_out:
        lines.append(f"({len(left_out)} more matches omitted: {left_out[0].reason})")
    return "\n".join([*lines, *(f"({note})" for note in notes)])


def standing_text(facts: Facts) -> str:
    """Returns standing facts as text."""
    lines = [fenced(HOLDS, facts.rendered) if facts.facts else NOTHING_HOLDS]
    if facts.left_out:
        lines.append(f"({facts.left_out} more facts omitted: max_tokens)")
    return "\n".join(lines)


def recent_text(newest: RecentThreads) -> str:
    """Returns the last conversations as text."""
    if newest.since is None or not newest.threads:
        return NOTHING_RECENT
    parts = []
    for thread in newest.threads:
        count = f"{thread.messages:,} message{'s' if thread.messages != 1 else ''}"
        text = transcript_of(thread.last, Style(refs=True)).text
        title = "" if thread.title is None else f" “{one_line(thread.title)}”"
        parts.append("\n".join([f"Thread {one_line(thread.thread)}{title}, {count}, the last of them:", text]))
    misread = _misread([message for thread in newest.threads for message in thread.last])
    head = f"{newest.messages:,} messages are remembered. Since {moment(newest.since)}:"
    return "\n".join([head, quoted("\n\n".join(parts)), *misread])


def timeline_text(bank: BankInfo, pages: Iterable[PageInfo]) -> str:
    """Returns the statistics of a bank and its pages as text, oldest first."""
    lines = [
        f"Bank {bank.id}: {bank.messages} messages in {bank.threads} threads, {bank.open_messages} of them not on a "
        f"page yet and remembered exactly; {bank.bytes.total:,} bytes."
    ]
    for page in pages:
        state = "exact text kept" if page.text_kept else f"remaining text read with confidence {page.confidence:.2f}"
        pinned = (", facts faded" if page.facts_faded else "") + (", pinned" if page.pinned else "")
        lines.append(
            f"{moment(page.first_at)} to {moment(page.last_at)}: page {page.id}, {page.messages} messages "
            f"({', '.join(map(one_line, page.threads))}), tier {page.tier}, {state}{pinned}"
        )
    return "\n".join(lines)


def page_text(reading: PageReading) -> str:
    """Returns a page and its messages as text."""
    if reading.source == "text":
        state = "kept exactly"
    else:
        state = f"{reading.kept_percent}% kept, read with confidence {reading.confidence:.2f}"
    messages = [message.with_gap_mark(TEXT_GAP_MARK) for message in reading.messages]
    lines = [
        f"Page {reading.page_id} at tier {reading.tier}, {state}; each message begins with its id:",
        transcript(messages, ids=True),
        *_misread(messages),
        *(f"({one_line(message.message_id)} {beyond})" for message in reading.messages if (beyond := _beyond(message))),
    ]
    return "\n".join(lines)


def image_text(image: RecalledImage) -> str:
    """Returns the caption of a page image."""
    caption = (
        f"Page {image.page_id}, tier {image.tier}, with the messages {', '.join(map(one_line, image.message_ids))}"
    )
    if image.begins_before:
        caption += f"; partial messages that begin on an earlier page: {', '.join(image.begins_before)}"
    if image.continues_after:
        caption += f"; partial messages that continue on a later page: {', '.join(image.continues_after)}"
    if image.doubtful:
        caption += f"; exactly, since the image may not show it: {' '.join(image.doubtful)}"
    if note := image.class_note:
        caption += f"; {note}"
    return f"{caption}:"


def _beyond(message: MessageOnPage) -> str:
    """Returns a note for a message that begins before a page or continues after it; "" for other messages."""
    ends = ("begins on an earlier page", message.begins_before), ("continues on a later page", message.continues_after)
    sides = " and ".join(words for words, so in ends if so)
    return f"is partial: {sides}" if sides else ""


def _remarks(messages: Sequence[RecalledMessage]) -> list[str]:
    """Returns lines on the messages that were found by a faded word, and on the characters that may be misread."""
    faded = sum(message.matched_faded for message in messages)
    return [*([f"({faded} found by a word that has faded)"] if faded else []), *_misread(messages)]


def _misread(messages: Sequence[RecalledMessage]) -> list[str]:
    """Returns a line on the characters that may be misread; none if there are none."""
    runs = [one_line(message.text[start:stop]) for message in messages for start, stop, _ in message.uncertain]
    return [f"(may be misread: {', '.join(f'“{run}”' for run in runs[:MAX_RUNS])})"] if runs else []


def forecast_text(forecast: AgeingForecast) -> str:
    """Returns a forecast as text: “exact until …; tiny from …”."""
    steps = [f"{step.tier} from {moment(step.at)}" for step in forecast.steps]
    exact = "exact permanently" if forecast.exact_until is None else f"exact until {moment(forecast.exact_until)}"
    return "; ".join([exact if forecast.exact else "no longer exact", *steps])


def moment(time: datetime) -> str:
    """Returns a time to the minute, in UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
