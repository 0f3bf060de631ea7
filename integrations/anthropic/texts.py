"""Text operations of the memory tool, with the same responses as the SDK's filesystem tool."""

from collections.abc import Sequence

from anthropic.lib.tools import ToolError

NUMBER_WIDTH = 6
SNIPPET_LINES = 2  # before and after a change
_UNITS = ("B", "K", "M", "G")


def shown(path: str, text: str, view_range: Sequence[int] | None) -> str:
    """Returns a text with line numbers. `view_range`: first and last line, from 1; -1 for the end."""
    lines = text.split("\n")
    first = 1
    last = len(lines)
    if view_range and len(view_range) == 2:
        first = max(1, view_range[0])
        last = len(lines) if view_range[1] == -1 else view_range[1]
    return f"Here's the content of {path} with line numbers:\n" + _numbered(lines[first - 1 : last], first)


def replaced(path: str, text: str, old: str, new: str) -> tuple[str, str]:
    """Returns the text with `old` replaced, and the response. Raises `ToolError` unless `old` occurs exactly once."""
    count = text.count(old)
    if count == 0:
        raise ToolError(f"No replacement was performed, old_str `{old}` did not appear verbatim in {path}.")
    if count > 1:
        places = [place for place in range(len(text) + 1) if text.startswith(old, place)]
        lines = ", ".join(str(text.count("\n", 0, place) + 1) for place in places)
        raise ToolError(
            f"No replacement was performed. Multiple occurrences of old_str `{old}` in lines: {lines}. "
            "Please ensure it is unique"
        )
    changed = text.replace(old, new)
    line = text.count("\n", 0, text.find(old))
    first = max(0, line - SNIPPET_LINES)
    snippet = _numbered(changed.split("\n")[first : line + SNIPPET_LINES + 1], first + 1)
    answer = f"The memory file has been edited. Here is the snippet showing the change (with line numbers):\n{snippet}"
    return changed, answer


def inserted(path: str, text: str, line: int, new: str) -> tuple[str, str]:
    """Returns the text with `new` inserted after line `line`, and the response. Raises `ToolError` if the line does not
    exist."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    if not 0 <= line <= len(lines):
        raise ToolError(f"Invalid `insert_line` parameter: {line}. It should be within the range [0, {len(lines)}].")
    changed = "\n".join([*lines[:line], new.rstrip("\n"), *lines[line:]])
    return changed if changed.endswith("\n") else f"{changed}\n", f"The file {path} has been edited."


def size(number_of_bytes: int) -> str:
    """Returns a size as text, such as "0B", "12B" or "1.5K"."""
    unit = min(max(number_of_bytes.bit_length() - 1, 0) // 10, len(_UNITS) - 1)
    scaled = number_of_bytes / 1024**unit
    return f"{scaled:.0f}{_UNITS[unit]}" if scaled == int(scaled) else f"{scaled:.1f}{_UNITS[unit]}"


def _numbered(lines: Sequence[str], first: int) -> str:
    return "\n".join(f"{number:>{NUMBER_WIDTH}}\t{line}" for number, line in enumerate(lines, first))
