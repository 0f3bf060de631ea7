"""Makes a small bank as the present weights write it, to be kept for when others have taken their place.

    python tests/data/make_bank.py tests/data/bank-first-weights      # writes ….db and ….json

The database holds one bank, "ana": a page at `tiny` and one at `small` without their text, a pinned one with it, an
open page, and in the wastebasket what ageing dropped last. The JSON beside it has the messages as they were stored, the
digest of the weights, and what they read from each page. Run it before new weights are released, with another name.
"""

import json
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from foxing.memory import Memory

BANK = "ana"
END = datetime(2026, 3, 12, 12, 0, tzinfo=UTC)

#: First message and thread of each page, and what is said; user and assistant take turns.
PAGES: Sequence[tuple[datetime, str, Sequence[str]]] = (
    (
        datetime(2026, 2, 2, 9, 0, tzinfo=UTC),
        "garden",
        (
            "I want to plant something along the north wall this spring. It gets two hours of sun at most.",
            "Ferns and hostas do well there, and a climbing hydrangea covers a wall of that height in about six years.",
            "How far from the foundation should the hydrangea stand, and does it need a trellis?",
            "Half a metre is enough. It holds on to brick by itself, but tie the first shoots for two seasons.",
            "Good. The nursery on Mill Road has them for 24 euros each, so I will take three on Saturday.",
            "Remember to soak the roots overnight. The order form is at https://nursery.example/spring-2026 and closes "
            "on 2026-02-20.",
            "엄마가 작년에 심은 수국은 물을 너무 많이 줘서 뿌리가 썩었다고 하셨어요.",
            "그러면 배수가 잘 되도록 바닥에 자갈을 먼저 깔고 흙을 덮으세요. 물은 일주일에 두 번이면 충분합니다.",
        ),
    ),
    (
        datetime(2026, 2, 26, 14, 30, tzinfo=UTC),
        "travel",
        (
            "Please plan the trip to Busan: we are four people, and my brother cannot climb stairs.",
            "The train from Seoul takes two hours and forty minutes. Car 8 has places for wheelchairs beside two "
            "seats.",
            "Book that one. Which hotel did we like last time, the one near the beach with the small library?",
            "That was the Harbour House. It has a lift, and the breakfast room is on the ground floor.",
            "Then two rooms there from Thursday to Sunday. My booking code is BH-77120-KX.",
            "Done. They expect you after three in the afternoon and keep a parking place until six.",
            "토요일 저녁에는 해운대에서 회를 먹고 싶은데 조용한 식당을 알고 있나요?",
            "시장 뒤에 있는 작은 식당을 추천합니다. 일곱 시로 예약하면 창가 자리를 받을 수 있어요.",
        ),
    ),
    (
        datetime(2026, 3, 9, 8, 15, tzinfo=UTC),
        "work",
        (
            "The import of the old invoices stops after 4,000 rows, always at the same place.",
            "Row 4,001 has a date without a year. I skip such rows now and write them to a separate file.",
            "Fine, but tell the accountants which ones they are. Keller needs the list before the audit on 27 March.",
            "She has it: eleven rows, all from the branch in Graz, and she will ask them for the missing years.",
        ),
    ),
    (
        datetime(2026, 3, 12, 10, 0, tzinfo=UTC),
        "work",
        (
            "Graz has answered: nine of the eleven invoices are from 2019, two cannot be found.",
            "I filled in the nine and left the two in the list, with a note for Keller.",
        ),
    ),
)


def messages_of(page: int) -> list[dict[str, Any]]:
    first, thread, texts = PAGES[page]
    return [
        {
            "id": f"{thread}-{page}-{number}",
            "thread": thread,
            "role": "assistant" if number % 2 else "user",
            "content": text,
            "created_at": (first + timedelta(minutes=3 * number)).isoformat(),
        }
        for number, text in enumerate(texts)
    ]


def build(database: Path) -> dict[str, Any]:
    """Writes the bank through the real memory; the messages and what the weights read from its pages."""
    clock = PAGES[0][0]
    with Memory(database, device="cpu", clock=lambda: clock) as memory:
        for number, (first, _, _) in enumerate(PAGES):
            clock = first + timedelta(hours=1)
            memory.store(BANK, messages_of(number))
            if number < len(PAGES) - 1:
                memory.seal(BANK)
                memory.age(BANK)
        memory.pin(BANK, memory.pages(BANK).pages[-1].id)
        clock = END
        memory.age(BANK)
        readings = {}
        for page in memory.pages(BANK).pages:
            reading = memory.read_page(BANK, page.id)
            readings[page.id] = {"tier": page.tier, "text": reading.text, "confidence": reading.confidence}
        weights = memory.codec.weights
    return {"weights": weights, "messages": [m for n in range(len(PAGES)) for m in messages_of(n)], "pages": readings}


def pack(database: Path) -> None:
    """Makes the file one, and small: small database pages, no free ones, no write-ahead log."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        for statement in ("PRAGMA journal_mode = DELETE", "PRAGMA page_size = 1024", "VACUUM"):
            connection.execute(statement)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(str(__doc__))
    database, facts = (Path(sys.argv[1] + ending) for ending in (".db", ".json"))
    database.unlink(missing_ok=True)
    facts.write_text(json.dumps(build(database), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    pack(database)
    print(f"{database.name}: {database.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
