"""Paths of the memory tool, and their mapping to records.

A file is a record in the namespace of its directory, with its text as the value. A directory is a record in its own
namespace, so that it exists when it is empty.
"""

import re
from dataclasses import dataclass

from anthropic.lib.tools import ToolError

ROOT = "/memories"
NAMESPACE = "anthropic_memory"
#: Key of the record of a directory; not a valid file name.
DIRECTORY = "/"
MOST_NAME_CHARS = 200
MOST_DIRECTORIES = 19

_ENCODED = re.compile("[%\x00-\x1f]")


@dataclass(frozen=True)
class FilePlace:
    """The location of a file or directory: the names of its path, none for /memories itself."""

    names: tuple[str, ...]

    @property
    def namespace(self) -> tuple[str, ...]:
        """Namespace of its contents, if it is a directory."""
        return (NAMESPACE, *map(_label, self.names))

    @property
    def as_file(self) -> tuple[tuple[str, ...], str]:
        """Namespace and key of its record, if it is a file."""
        return FilePlace(self.names[:-1]).namespace, _label(self.names[-1])

    @property
    def as_directory(self) -> tuple[tuple[str, ...], str]:
        """Namespace and key of its record, if it is a directory."""
        return self.namespace, DIRECTORY

    @property
    def parents(self) -> "list[FilePlace]":
        """Its parent directories, except /memories."""
        return [FilePlace(self.names[:length]) for length in range(1, len(self.names))]


def place_of(path: str) -> FilePlace:
    """Returns the location of a path. Raises `ToolError` for a path outside /memories, and for invalid names."""
    if not path.startswith(ROOT):
        raise ToolError(f"Path must start with {ROOT}, got: {path}")
    root = ROOT.removeprefix("/")
    names: list[str] = [root]
    for name in path.removeprefix(ROOT).split("/"):
        if name == ".." and names:
            names.pop()
        elif name not in ("", "."):
            names.append(name)
    if names[:1] != [root]:
        raise ToolError(f"Path {path} would escape {ROOT} directory")
    place = FilePlace(tuple(names[1:]))
    if len(place.names) > MOST_DIRECTORIES:
        raise ToolError(f"Path {path} is too deep: at most {MOST_DIRECTORIES} names below {ROOT}")
    for name in place.names:
        if len(_label(name)) > MOST_NAME_CHARS or not _is_unicode(name):
            raise ToolError(f"Path {path} has a name that is too long or invalid: at most {MOST_NAME_CHARS} characters")
    return place


def name_of(label: str) -> str:
    """Returns the file or directory name of a namespace label or key; the inverse of `_label`."""
    return re.sub("%([0-9A-F]{2})", lambda match: chr(int(match.group(1), 16)), label)


def _label(name: str) -> str:
    """Returns a name as a label or key, with control characters percent-encoded."""
    return _ENCODED.sub(lambda match: f"%{ord(match.group()):02X}", name)


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
