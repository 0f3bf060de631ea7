"""Newest question of a bank, with which pages that ask something begin."""

from datetime import timedelta

from foxing.memory import Memory

#: Time before the newest message in which a question is looked for.
RECENT = timedelta(days=1)
#: Characters of a question that is offered.
CHARS = 160


def newest_question(memory: Memory, bank: str) -> str:
    """Returns the newest question of a user in a bank, else its newest words of a user; empty if it has none. Raises
    `NotFound`."""
    newest = memory.threads(bank, limit=1).threads
    if not newest:
        memory.bank(bank)
        return ""
    since = newest[0].last_at - RECENT
    spans = memory.recall(bank, since=since, roles=("user",), limit=500, track=False).spans
    lines = [" ".join(span.text.split()) for span in reversed(spans)]
    usable = [line for line in lines if 0 < len(line) <= CHARS]
    return next((line for line in usable if line.endswith(("?", "?"))), usable[0] if usable else "")
