"""References: short visible names of messages, such as `[k7q]`, which `Memory.fetch` turns into their exact words.

A reference is the row number of the message in base 29, followed by a check character. Row numbers are unique in a
database, are kept by sealing, ageing, undo and backups, and are never given again, so that a reference always means the
same message, and needs no column. The alphabet has no characters that look alike in some type (0 and o, 1, l and i) or
differ by at most two pixels in the smallest one (8 from 3 and 6, n from h). The check character also depends on the
time of the message. It detects 28 of 29 references that were misread on a page image, or that belong to another
database.
"""

from datetime import UTC, datetime

ALPHABET = "2345679abcdefghjkmpqrstuvwxyz"
#: Prime, so that the check character differs for two numbers that differ in one digit.
BASE = len(ALPHABET)
MAX_DIGITS = 13  # of a row number below 2 ** 63
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def reference(message_id: int, created_at: datetime) -> str:
    """Returns the reference of a message, without brackets. `message_id`: its row number; `created_at`: its time,
    timezone-aware."""
    since = created_at - _EPOCH
    check = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    digits = ""
    weight = 0
    while message_id:
        message_id, digit = divmod(message_id, BASE)
        digits = ALPHABET[digit] + digits
        weight = weight + 1
        check += weight * digit
    return digits + ALPHABET[check % BASE]


def shown(ref: str) -> str:
    """Returns a reference as it stands before a message: `[k7q]`."""
    return f"[{ref}]"


def normalized(ref: str) -> str:
    """Returns a reference in lower case and without brackets, as copied from a page image."""
    return ref.strip().removeprefix("[").removesuffix("]").strip().lower()


def message_id_of(ref: str) -> int | None:
    """Returns the row number in a normalized reference; None if it is not a reference. The check character is not
    verified, see `reference`."""
    digits = ref[:-1]
    if not 1 <= len(digits) <= MAX_DIGITS or any(character not in ALPHABET for character in ref):
        return None
    number = 0
    for character in digits:
        number = number * BASE + ALPHABET.index(character)
    return number if 0 < number < 1 << 63 and digits[0] != ALPHABET[0] else None
