"""Measures recall of facts planted in an agent's history, and the cost of sending the whole history instead.

The turns come from files of messages, spread over sixty days and aged by the default policy. Half of the facts are
identifiers. A fact counts as found if its value is in a text of the context, or if its message is in the context and
page images are shown; with `keepsakes` off, identifiers appear on images only.

python -m benchmarks.context.agent --texts en_swe_agent.jsonl.gz en_tau_retail.jsonl.gz --json
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from uuid import UUID

from benchmarks.command_line import Advance, add_json_option, at_least, progress_bar, show_rows, write_json
from foxing.encoder.bench.documents import read_messages
from foxing.memory import ContextRequest, Memory
from foxing.memory.recall.transcript import Style, transcript_of
from foxing.memory.values.messages import NewMessage
from foxing.renderer import FoxingError
from foxing.renderer.readers import Readers

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
LASTS = timedelta(days=60)
BANK, THREAD, BUDGET, TURNS, LAST_TURNS = "agent", "history", 8000, 200, 10
_ROLES = ("user", "assistant", "tool", "system")
#: Facts as "subject|value", separated by semicolons; "#" stands for an identifier.
_THINGS = (
    "the spare key of the lab|the blue tin;the venue of the offsite|Casa Verde;the colour of the new logo|teal;"
    "Ines's bicycle|the cellar of number nine;the dentist of Tomas|doctor Hallberg;the caterer for the party|Mondo;"
    "the name of the new kitten|Biscuit;the hotel in Lisbon|the Almirante;the broken projector|room four;"
    "the password hint of the printer|grandmother's street;the author of the report|Ravenna;the gift for Oskar|a kite;"
    "the tenant of the attic|Miss Lindqvist;the best ramen place|Shirokuma;the colour of the rental car|mustard;"
    "the plumber we liked|Petrosyan;the song for the intro|Nocturne;the code name of the merger|Juniper;"
    "the vet of the dog|Okonkwo;the seat on the train|carriage eleven;the staging token|#;the deploy key|#;"
    "the invoice of March|#;the trace of the outage|#;the tenant id of Acme|#;the licence of the plotter|#;"
    "the build of the hotfix|#;the webhook of Ledger|#;the session of the tester|#;the snapshot before the upgrade|#;"
    "the order of the sensors|#;the volume of the archive|#;the certificate of the proxy|#;the run of the benchmark|#;"
    "the ticket of the refund|#;the device in Oslo|#;the branch of the fix|#;the dataset of the survey|#;"
    "the job of the nightly export|#;the account of the courier|#"
)


@dataclass(frozen=True)
class Fact:
    """A fact that the history states once."""

    message_id: str
    sentence: str
    question: str
    value: str
    identifier: bool


@dataclass(frozen=True)
class AgentRow:
    """Context of one reader, as means over the facts."""

    reader: str
    keepsakes: bool
    turns: int
    #: recall of all facts, and of the identifiers among them
    facts: float
    identifiers: float
    #: share of the last ten turns that the context holds verbatim
    last_turns: float
    billed_tokens: float
    #: tokens of the whole history as text
    everything_tokens: int
    images: float


def planted(seed: int = 7) -> list[Fact]:
    """Returns forty facts, half of them identifiers; the same on every run."""
    generator = random.Random(seed)
    facts = []
    for number, pair in enumerate(_THINGS.split(";")):
        thing, value = pair.split("|")
        identifier = value == "#"
        value = str(UUID(int=generator.getrandbits(128), version=4)) if identifier else value
        sentence = f"For later: {thing} is {value}."
        facts.append(Fact(f"fact{number}", sentence, f"What was {thing}?", value, identifier))
    return facts


def history(files: Sequence[Path], turns: int) -> list[NewMessage]:
    """Returns `turns` turns from files of messages, and before the last turns the facts as user messages at even
    distances. Raises `FoxingError` if the files have too few messages."""
    said = [
        (m["role"], m["content"]) for file in files for document in read_messages(file) for m in document["messages"]
    ]
    if len(said) < turns:
        raise FoxingError(f"the files have {len(said)} messages; {turns} are needed")
    facts = planted()
    step = (turns - LAST_TURNS) // len(facts)
    messages: list[NewMessage] = []
    for number, (role, content) in enumerate(said[:turns]):
        if number % step == 0 and number // step < len(facts):
            fact = facts[number // step]
            messages.append(_message(fact.message_id, "user", fact.sentence, number / turns))
        messages.append(_message(f"turn{number}", role if role in _ROLES else "user", content, number / turns))
    return messages


def _message(key: str, role: str, content: str, share: float) -> NewMessage:
    at = START + share * LASTS
    return NewMessage.model_validate({"id": key, "role": role, "content": content, "created_at": at, "thread": THREAD})


def measure(files: Sequence[Path], readers: Sequence[str], turns: int, progress: Advance) -> list[AgentRow]:
    """Returns a row for each reader, with identifiers as text beside images and without. Raises `FoxingError`."""
    messages = history(files, turns)
    now = START + LASTS
    with (
        tempfile.TemporaryDirectory(prefix="foxing-agent-") as folder,
        Memory(Path(folder) / "foxing.db", clock=lambda: now) as memory,
    ):
        memory.set_policy(BANK, {"age_from": "message"})
        memory.store(BANK, messages)
        memory.seal(BANK)
        memory.age(BANK)
        cases = [(name, keepsakes) for name in readers for keepsakes in _ways(name)]
        rows = []
        for number, (name, keepsakes) in enumerate(cases):
            progress(number, len(cases))
            rows.append(_row(memory, messages, name, keepsakes))
        return rows


def _ways(reader: str) -> Sequence[bool]:
    return (True, False) if Readers()[reader].carries_identifiers else (True,)


def _row(memory: Memory, messages: Sequence[NewMessage], reader: str, keepsakes: bool) -> AgentRow:
    facts = planted()
    last = [message.text for message in messages if str(message.id).startswith("turn")][-LAST_TURNS:]
    everything = transcript_of(memory.export(BANK), Style()).tokens
    inside, billed, images, kept = [], [], [], []
    for fact in facts:
        request = ContextRequest(
            reader=reader, budget=BUDGET, query=fact.question, thread=THREAD, form="blocks", keepsakes=keepsakes
        )
        answer = memory.context(BANK, request)
        texts = "\n".join(str(block["text"]) for block in answer.content if block["type"] == "text")
        pictures = sum(block["type"] == "image" for block in answer.content)
        inside.append(fact.value in texts or (pictures > 0 and fact.message_id in answer.message_ids))
        billed.append(answer.billed_tokens)
        images.append(pictures)
        kept.append(fmean(text in texts for text in last))
    of_identifiers = [found for found, fact in zip(inside, facts, strict=True) if fact.identifier]
    return AgentRow(
        reader,
        keepsakes,
        len(messages),
        fmean(inside),
        fmean(of_identifiers),
        fmean(kept),
        fmean(billed),
        everything,
        fmean(images),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command. Returns the exit status."""
    seeing = [name for name, reader in Readers().items() if reader.accepts_images]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.context.agent", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--texts", type=Path, nargs="+", required=True, metavar="FILE", help="JSON Lines of messages.")
    parser.add_argument("--reader", action="append", dest="readers", help="Reader; can be repeated (default: all).")
    parser.add_argument("--turns", type=at_least(LAST_TURNS + 40), default=TURNS, help="Turns (default: %(default)s).")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    try:
        with progress_bar("agent") as progress:
            rows = measure(options.texts, options.readers or ["text", *seeing], options.turns, progress)
    except (FoxingError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    shown = [asdict(row) for row in rows]
    if options.as_json:
        write_json({"agent": shown})
    else:
        show_rows(shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
