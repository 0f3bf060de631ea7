"""What people say: sentences of five languages with facts, short and long, each with a word of its own."""

from random import Random
from typing import Any

ENGLISH = (
    "The meeting about the harbour moved to Thursday.",
    "I never said that the invoice was paid; it is still open.",
    "Please remind me to water the plants before we leave.",
    "She prefers the small office because it is quiet in the morning.",
    "We decided to keep the old database until the migration is finished.",
)
GERMAN = (
    "Der Termin beim Zahnarzt wurde auf nächsten Montag verschoben.",
    "Ich habe nie gesagt, dass die Rechnung bezahlt ist.",
    "Bitte gieß die Pflanzen, bevor wir losfahren.",
    "Größere Änderungen besprechen wir erst mit Jörg.",
)
FRENCH = (
    "La réunion de vendredi est annulée à cause de la grève.",
    "N'oublie pas d'arroser les plantes avant notre départ.",
    "Nous garderons l'ancienne base de données jusqu'à l'été.",
)
CHINESE = (
    "会议改到下周三下午。",
    "请在出发之前给植物浇水。",
    "我们决定保留旧数据库，直到迁移完成。",
    "她不喜欢那间大办公室。",
)
KOREAN = (
    "회의가 다음 주 수요일로 바뀌었습니다.",
    "출발하기 전에 식물에 물을 주세요.",
    "송장은 아직 지불되지 않았어요.",
)
LANGUAGES = (ENGLISH, GERMAN, FRENCH, CHINESE, KOREAN)
OTHERS = (
    "✅ done 🎉 next",
    "a\tb\n\n  indented",
    "¶ ⋯ … marks",
    " … ",
    "   ",
    "👩‍👩‍👧 ok",
    "e\u0301 combining",
    "ﬁ ligature",
)
SYLLABLES = ("ba", "do", "ke", "li", "mu", "na", "po", "ra", "su", "te", "vi", "zo", "gra", "plu", "fen", "tor")


def own_word(number: int, salt: int) -> str:
    """Returns a word that no other number has and no sentence contains."""
    word = ""
    quotient = number * 4096 + salt % 4096
    for _ in range(10):
        quotient, digit = divmod(quotient, len(SYLLABLES))
        word += SYLLABLES[digit]
    return f"x{word}q"


def fact(rng: Random) -> str:
    """Returns an identifier as people write them."""
    number = rng.randrange(1 << 40)
    return rng.choice(
        (
            f"https://example.org/{number:x}/page",
            f"ann{number % 9999}@example.org",
            f"/srv/data/{number:x}.csv",
            f"{number % 1000}.{number % 7} kg",
            f"{number:010x}{number * 7:012x}",
            f"2025-0{1 + number % 9}-1{number % 9}",
            f"PO-{number % 1000000}",
        )
    )


def text(rng: Random, word: str, characters: int) -> str:
    """Returns about so many characters that begin and end with `word`."""
    parts = [word]
    size = 0
    language = rng.choice(LANGUAGES)
    while size < characters:
        draw = rng.random()
        if draw < 0.12:
            part = f"ref {fact(rng)}"
        elif draw < 0.16:
            part = rng.choice(OTHERS)
        else:
            part = rng.choice(language if draw < 0.9 else rng.choice(LANGUAGES))
        parts.append(part)
        size += len(part) + 1
    parts.append(word)
    return rng.choice((" ", " ", "\n")).join(parts)


def characters(rng: Random) -> int:
    """Returns the size of a message: mostly short, a few over several pages."""
    draw = rng.random()
    if draw < 0.8:
        return rng.randrange(5, 200)
    if draw < 0.96:
        return rng.randrange(200, 3_000)
    return rng.randrange(3_000, 20_000) if draw < 0.995 else rng.randrange(40_000, 90_000)


def content(rng: Random, word: str, picture: str) -> Any:
    """Returns the content of a message: a text, or parts."""
    draw = rng.random()
    body = text(rng, word, characters(rng))
    if draw < 0.8:
        return body
    if draw < 0.88:
        return [{"type": "tool_result", "id": f"call_{word}", "content": body, "is_error": rng.random() < 0.2}]
    if draw < 0.94:
        arguments = {"path": fact(rng), "note": word, "n": rng.randrange(100)}
        return [
            {"type": "text", "text": body},
            {"type": "tool_call", "id": word, "name": "read", "arguments": arguments},
        ]
    return [{"type": "text", "text": body}, {"type": "image", "data": picture, "alt": f"picture {word}"}]
