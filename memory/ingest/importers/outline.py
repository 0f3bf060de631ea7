"""The outline of a JSON document: the keys at its start, read from its first bytes alone."""

import re

DEEPEST = 4  # levels of keys

#: A string may be cut off at the end.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{},:]|[^\s"\[\]{},:]++', re.DOTALL)


def outline_of(head: bytes) -> frozenset[str]:
    """Returns the paths of the keys at the start of a JSON document, such as `[].mapping` for an object in an array: of
    arrays, the first element counts. `head`: the first bytes, which may end anywhere. Empty if they are not JSON."""
    paths: set[str] = set()
    #: of each open object and array: its path, whether it is an array, and its number of elements
    levels: list[tuple[str, bool]] = []
    elements: list[int] = []
    key: str | None = None
    is_key = False
    for match in _TOKEN.finditer(head):
        token = match[0]
        if token in (b"{", b"["):
            if not levels:
                path = ""
            else:
                above, in_array = levels[-1]
                path = f"{above}[]" if in_array else _below(above, key or "")
            levels.append((path, token == b"["))
            elements.append(0)
            is_key = token == b"{"
        elif token in (b"}", b"]"):
            if not levels:
                break
            levels.pop()
            elements.pop()
            if not levels:
                break
            is_key = False
        elif token == b",":
            if levels:
                elements[-1] += 1
                is_key = not levels[-1][1]
        elif token == b":":
            is_key = False
        elif not levels:
            break  # no document begins with this
        elif is_key and token[:1] == b'"' and match.end() < len(head):
            key = token[1:-1].decode("utf-8", "replace")
            if len(levels) <= DEEPEST and not _in_later_element(levels, elements):
                paths.add(_below(levels[-1][0], key))
    return frozenset(paths)


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _in_later_element(levels: list[tuple[str, bool]], elements: list[int]) -> bool:
    """True within an element of an array that is not its first."""
    return any(is_array and number for (_, is_array), number in zip(levels, elements, strict=True))
