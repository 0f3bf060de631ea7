"""Fences around remembered text, so that a model sees where it begins and ends, and that it is a quotation.

Anyone who writes to a bank could otherwise close a quotation, and go on as the user.
"""

NAME = "remembered"


def fenced(head: str, text: str) -> str:
    """Returns `head`, and `text` between tags that do not occur in it."""
    name, number = NAME, 1
    while f"</{name}>" in text:
        number += 1
        name = f"{NAME}-{number}"
    return f"{head}\n<{name}>\n{text}\n</{name}>"
