"""Tables of what a memory still answers, by age."""

from collections.abc import Iterable, Mapping

from benchmarks.decay.measurement import IDENTIFIER, RELATIVE_TIME, DecayRow
from benchmarks.decay.sources import AGENTS, LOCOMO_NAME

from .document import Figures
from .markdown import markdown_table

#: Name of a source → how it is called.
_SOURCES = {
    LOCOMO_NAME: "English chats (LoCoMo)",
    "demo": "the demo's conversation",
    AGENTS: "agent runs and tool dialogues",
    "en_irc": "English chat rooms (IRC)",
    "en_sgd": "English dialogues (SGD)",
    "en_tau_retail": "tool dialogues (tau retail)",
    "en_swe_agent": "agent runs (SWE-agent)",
    "en_aider": "coding chats (aider)",
    "de_gesetze": "German law",
    "ko_nsmc": "Korean reviews",
    "ko_songys": "Korean chats",
    "ja_real_persona_chat": "Japanese chats",
    "zh_kdconv": "Chinese dialogues",
}
_MEMORIES = {
    "foxing": "**Foxing**, default policy",
    "newest kept": "newest text, same bytes",
    "random sentences": "random sentences, same bytes",
    "LexRank": "summary of each day by LexRank, same bytes",
    "langgraph": "LangGraph's store, full text",
    "mem0": "mem0 without a model, full text",
}
FOXING = "foxing"
NOT_MEASURED = "Not measured yet: `python -m benchmarks.figures --only decay`."


def decay_table(figures: Figures) -> str:
    """Returns what each memory answers on LoCoMo, by age. Ages at which nothing shown differs share a row."""
    rows = [row for row in (*figures.decay, *figures.decay_of_packages) if row.source == LOCOMO_NAME]
    budgets = sorted({int(budget) for row in rows for budget in row.whole})
    head = (
        *("memory", "days", *(f"whole, {budget:,}" for budget in budgets)),
        *(f"found, {budget:,}" for budget in budgets),
        *("relative times", "negations with their scope", "invented words", "bits per character", "text tokens left"),
        "questions",
    )
    lines = []
    for memory, found in _by_memory(rows).items():
        cells = {}
        for row in found:
            answers = [_share(kept.get(str(budget))) for kept in (row.whole, row.found) for budget in budgets]
            facts = (_share(row.kept(RELATIVE_TIME)), _share(row.negations[1]), f"{row.invented}")
            cells[row.age_days] = [*answers, *facts, _bits(row), f"{row.tokens_left:.0%}", f"{row.questions}"]
        lines += [[_MEMORIES.get(memory, memory), *line] for line in merged(cells)]
    return markdown_table(head, lines)


def _by_memory(rows: Iterable[DecayRow]) -> dict[str, list[DecayRow]]:
    """Rows by memory, in the order of `_MEMORIES`."""
    found: dict[str, list[DecayRow]] = {name: [] for name in _MEMORIES}
    for row in rows:
        found.setdefault(row.memory, []).append(row)
    return found


def merged(cells: Mapping[int, list[str]]) -> list[list[str]]:
    """Returns the lines of a table by age. Those that differ in nothing but the age are one."""
    groups: list[tuple[list[int], list[str]]] = []
    for age, line in sorted(cells.items()):
        if groups and groups[-1][1] == line:
            groups[-1][0].append(age)
        else:
            groups.append(([age], line))
    return [[", ".join(map(str, ages)), *line] for ages, line in groups]


def decay_tiers_table(figures: Figures) -> str:
    """Returns what is recalled and left of LoCoMo with every page at one tier."""
    rows = [row for row in figures.decay_tiers if row.source == LOCOMO_NAME]
    if not rows:
        return NOT_MEASURED
    budgets = sorted({int(budget) for row in rows for budget in row.whole})
    head = ("tier", *(f"{name}, {budget:,}" for budget in budgets for name in ("found", "support", "whole")))
    lines = [
        [
            f"`{row.memory.split()[-1]}`",
            *(_share(kept.get(str(budget))) for budget in budgets for kept in (row.found, row.support, row.whole)),
        ]
        for row in rows
    ]
    return markdown_table(head, lines)


def decay_tools_table(figures: Figures) -> str:
    """Returns what is recalled of agent runs and tool dialogues, by age: a row for each memory in the same bytes."""
    rows = [row for row in figures.decay if row.source == AGENTS]
    if not rows:
        return NOT_MEASURED
    budgets = sorted({int(budget) for row in rows for budget in row.whole})
    kinds = [kind for kind in ("identifier", "amount", "outcome") if any(kind in row.asked for row in rows)]
    head = (
        *("memory", "days", *(f"whole, {budget:,}" for budget in budgets)),
        *(f"{kind}s left" for kind in kinds),
        *("bits per character", "questions"),
    )
    lines = []
    for memory, found in _by_memory(rows).items():
        cells = {}
        for row in found:
            whole = [_share(row.whole.get(str(budget))) for budget in budgets]
            left = [_share(row.asked[kind][1]) if kind in row.asked else "–" for kind in kinds]
            cells[row.age_days] = [*whole, *left, _bits(row), f"{row.questions}"]
        lines += [[_MEMORIES.get(memory, memory), *line] for line in merged(cells)]
    return markdown_table(head, lines)


def _bits(row: DecayRow) -> str:
    return "–" if row.bytes is None else f"{8 * row.bytes / row.characters:.2f}"


def decay_facts_table(figures: Figures) -> str:
    """Returns the facts that are left at `micro`, by text."""
    head = (
        *("text", "facts kept (labelled)", "numbers and amounts", "dates", "relative times", "names", "identifiers"),
        *("JSON values", "negations with their scope", "words alone between gaps", "invented words"),
        *("text tokens ÷ exact", "bytes a full page: mean (largest)"),
    )
    lines = []
    for row in figures.decay_tiers:
        if row.memory.endswith("micro"):
            kinds = [("number", "amount"), ("date",), (RELATIVE_TIME,), ("name",), (IDENTIFIER,), ("json_value",)]
            pages = "–" if row.page_bytes is None else f"{row.page_bytes[0]:,.0f} ({row.page_bytes[1]:,.0f})"
            lines.append(
                [
                    *(_SOURCES.get(row.source, row.source), f"{_share(row.all_facts)} ({row.labelled})"),
                    *(_share(row.kept(*each)) for each in kinds),
                    *(f"{_share(row.negations[1])} ({row.negations[0]})", _share(row.alone), f"{row.invented}"),
                    *(_share(row.tokens_left), pages),
                ]
            )
    return markdown_table(head, lines) if lines else NOT_MEASURED


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
