"""Standing facts: which of them are found, which entries are none or hold no more, and whether a context has implied
cues.

    python -m benchmarks.facts --standing standing.jsonl --updates updates.jsonl --pairs pairs.jsonl

`--standing`: objects with `language`, `role`, `name`, `text` and `standing`, the clauses that hold, each with `clause`
and `kind`. A bank for each language has its messages. A clause is found if an entry has half of the shorter of both; an
entry is none if it has half of no clause. Messages of tools are data, from which nothing is read: their clauses are
counted apart.

`--updates`: objects with `language`, `first`, `later` and `relation` (ends, replaces, none), each stored after the
messages of its language in a bank of its own.

`--pairs`: objects with `language`, `kind`, `cue`, `cue_reply`, `trigger` and `distractors`. A bank for each language
has its pairs and labelled messages, in a random order with a fixed seed, among the distractors and those messages of
all languages that state nothing. A cue is found if the context of its trigger has its message, or a fact of it.
"""

import argparse
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from foxing.memory import Memory, MemoryOptions
from foxing.memory.values.facts import MAX_FACT_TOKENS, Fact

from .command_line import add_embedder_option, measuring

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
STEP = timedelta(hours=11)
SEED = 7
BUDGET = 2_048
FACT_TOKENS = 300
ALL = "all"
Row = Mapping[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the shares."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.facts", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--standing", type=Path, required=True, metavar="FILE")
    parser.add_argument("--updates", type=Path, metavar="FILE")
    parser.add_argument("--pairs", type=Path, metavar="FILE")
    parser.add_argument("--missed", action="store_true", help="Also list what was missed and what is none.")
    add_embedder_option(parser)
    options = parser.parse_args(arguments)
    settings = MemoryOptions(embedder=options.embedder)
    standing = rows_of(options.standing)
    with measuring("facts") as (folder, _), Memory(folder / "bench.db", options=settings) as memory:
        for line in measure_standing(memory, standing, listed=options.missed):
            print(line)
        if options.updates is not None:
            for line in measure_updates(memory, standing, rows_of(options.updates), listed=options.missed):
                print(line)
        if options.pairs is not None:
            for line in measure_pairs(memory, standing, rows_of(options.pairs), listed=options.missed):
                print(line)


def rows_of(path: Path) -> list[Row]:
    """Returns the objects of a file of JSON Lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def measure_standing(memory: Memory, rows: Sequence[Row], *, listed: bool) -> Iterator[str]:
    """Yields what of the labelled clauses is listed, and what else is."""
    counts = Counter[tuple[str, str]]()
    for language in languages_of(rows):
        bank = f"standing-{language}"
        of_language = [row for row in rows if row["language"] == language]
        ids = memory.store(bank, stored(message_of(row) for row in of_language)).ids
        entries = facts_of(memory, bank)
        for row, message_id in zip(of_language, ids, strict=True):
            own = [fact for fact in entries if fact.message_id == message_id]
            labels = [
                (label, row["text"].find(label["clause"]), row["text"].find(label["clause"]) + len(label["clause"]))
                for label in row["standing"]
            ]
            of_label = [[fact for fact in own if are_one(fact, start, stop)] for _, start, stop in labels]
            for (label, _, _), matching in zip(labels, of_label, strict=True):
                name = "clauses of tools" if row["role"] == "tool" else "clauses"
                values = {
                    name: True,
                    f"{name} found": bool(matching),
                    f"{name} with their kind": any(fact.kind == label["kind"] for fact in matching),
                }
                count(counts, values, language, f"kind {label['kind']}")
                if listed and not matching:
                    yield f"  missed {language} {label['kind']}: {label['clause']}"
            for fact in own:
                is_none = not any(fact in matching for matching in of_label)
                values = {"entries": True, "entries none": is_none, "none in others": is_none and not labels}
                count(counts, values, language)
                if listed and is_none:
                    yield f"  none {language} {fact.kind}: {fact.text} | {row['text'][:80]}"
    for part in parts_of(counts):
        yield f"standing facts found, {part}: {share(counts, part, 'clauses found', 'clauses')}"
    yield f"of them with their kind: {share(counts, ALL, 'clauses with their kind', 'clauses')}"
    yield f"of tools, which are not read: {share(counts, ALL, 'clauses of tools found', 'clauses of tools')}"
    for part in parts_of(counts):
        if counts[part, "entries"]:
            yield f"entries that are none, {part}: {share(counts, part, 'entries none', 'entries')}"
    yield f"of them in messages that state nothing: {share(counts, ALL, 'none in others', 'entries')}"


def measure_updates(memory: Memory, standing: Sequence[Row], rows: Sequence[Row], *, listed: bool) -> Iterator[str]:
    """Yields what of the earlier statements is still listed after the later message."""
    counts = Counter[tuple[str, str]]()
    for number, row in enumerate(rows):
        bank = f"updates-{number}"
        before = [message_of(other) for other in standing if other["language"] == row["language"]]
        pair = [{"role": "user", "content": row[name]} for name in ("first", "later")]
        ids = memory.store(bank, stored([*before, pair[0]])).ids
        recognised = [fact for fact in facts_of(memory, bank) if fact.message_id == ids[-1]]
        earlier = len(facts_of(memory, bank))
        at = START + STEP * (len(ids) + 1)
        later_id = memory.store(bank, [{**pair[1], "created_at": at}]).ids[0]
        entries = facts_of(memory, bank)
        listed_facts = [fact for fact in entries if fact.message_id == ids[-1]]
        holds = row["relation"] == "none"
        others = earlier - len(recognised) - sum(fact.message_id not in (ids[-1], later_id) for fact in entries)
        values = {
            "entries": False,
            "holding": holds and bool(recognised),
            "holding shown": holds and bool(listed_facts),
            "ended": not holds and bool(recognised),
            "ended shown": not holds and bool(listed_facts),
        }
        count(counts, values, row["language"], row["relation"])
        counts[ALL, "entries"] += len(entries)
        counts[ALL, "others"] += earlier - len(recognised)
        counts[ALL, "others lost"] += others
        if listed and bool(listed_facts) != (holds and bool(recognised)):
            state = "still" if listed_facts else "no more"
            yield f"  {state} {row['language']} {row['relation']}: {row['first']} | {row['later']}"
    yield f"earlier statements that ended, still listed: {share(counts, ALL, 'ended shown', 'ended')}"
    yield f"entries that no longer hold, of all: {share(counts, ALL, 'ended shown', 'entries')}"
    for relation in ("ends", "replaces"):
        yield f"of those whose relation is {relation}: {share(counts, relation, 'ended shown', 'ended')}"
    yield f"earlier statements that hold, still listed: {share(counts, ALL, 'holding shown', 'holding')}"
    yield f"other facts that the later message ended: {share(counts, ALL, 'others lost', 'others')}"


def measure_pairs(memory: Memory, standing: Sequence[Row], rows: Sequence[Row], *, listed: bool) -> Iterator[str]:
    """Yields the share of cues that the context of their trigger has, without and with facts."""
    counts = Counter[tuple[str, str]]()
    ordinary = [message_of(row) for row in standing if not row["standing"]]
    filler = [*ordinary, *({"role": "user", "content": text} for row in rows for text in row["distractors"])]
    messages = facts = 0
    for language in languages_of(rows):
        bank = f"pairs-{language}"
        own = [row for row in rows if row["language"] == language]
        groups: list[list[dict[str, Any]]] = [
            [
                {"role": "user", "content": row["cue"], "id": f"cue-{number}"},
                {"role": "assistant", "content": row["cue_reply"]},
            ]
            for number, row in enumerate(own)
        ]
        groups += [[message_of(row)] for row in standing if row["language"] == language and row["standing"]]
        groups += [[message] for message in filler]
        random.Random(SEED).shuffle(groups)
        memory.store(bank, stored(message for group in groups for message in group))
        messages += sum(map(len, groups))
        entries = facts_of(memory, bank)
        facts += len(entries)
        for number, row in enumerate(own):
            key = f"cue-{number}"
            alone, with_facts = (
                memory.context(bank, reader="text", budget=BUDGET, query=row["trigger"], facts=tokens, track=False)
                for tokens in (0, FACT_TOKENS)
            )
            values = {
                "cues": True,
                "listed": any(fact.message_id == key for fact in entries),
                "without": key in alone.message_ids,
                "with": key in with_facts.message_ids,
            }
            count(counts, values, language, f"kind {row['kind']}")
            if listed and not values["with"]:
                state = "listed" if values["listed"] else "not listed"
                yield f"  missed {language} {row['kind']} ({state}): {row['cue']}"
    yield f"banks: {messages} messages, {facts} facts"
    for part in parts_of(counts):
        yield f"cues in a context, {part}: without facts {share(counts, part, 'without', 'cues')}"
        yield f"cues in a context, {part}: with facts {share(counts, part, 'with', 'cues')}"
    yield f"cues among all facts: {share(counts, ALL, 'listed', 'cues')}"


def languages_of(rows: Sequence[Row]) -> list[str]:
    """Returns the languages of rows, in their order."""
    return list(dict.fromkeys(row["language"] for row in rows))


def message_of(row: Row) -> dict[str, Any]:
    """Returns a labelled message."""
    name = {} if row["name"] is None else {"name": row["name"]}
    return {"role": row["role"], "content": row["text"], **name}


def stored(messages: Any) -> list[dict[str, Any]]:
    """Returns messages with their times."""
    return [{**message, "created_at": START + STEP * number} for number, message in enumerate(messages)]


def facts_of(memory: Memory, bank: str) -> list[Fact]:
    """Returns all facts of a bank."""
    return memory.facts(bank, max_tokens=MAX_FACT_TOKENS).facts


def are_one(fact: Fact, start: int, stop: int) -> bool:
    """Returns True if a fact and the clause of a label have half of the shorter of both in common."""
    common = min(fact.stop, stop) - max(fact.start, start)
    return 2 * common >= min(fact.stop - fact.start, stop - start)


def count(counts: Counter[tuple[str, str]], values: Mapping[str, bool], *parts: str) -> None:
    """Counts values for all rows, and for the parts that a row belongs to."""
    counts.update((part, name) for name, value in values.items() if value for part in (ALL, *parts))


def parts_of(counts: Counter[tuple[str, str]]) -> list[str]:
    """Returns all rows and the parts of them."""
    return [ALL, *sorted({part for part, _ in counts} - {ALL})]


def share(counts: Counter[tuple[str, str]], part: str, some: str, whole: str) -> str:
    """Returns a share with its numbers."""
    total = counts[part, whole]
    return f"{counts[part, some] / total if total else 0:.3f} ({counts[part, some]} of {total})"


if __name__ == "__main__":
    main()
