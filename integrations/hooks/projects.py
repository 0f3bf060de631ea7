"""Projects: the repository that a folder belongs to, and the name of its bank."""

import hashlib
import re
from pathlib import Path

#: Longest part of a bank's name that comes from that of the folder.
NAME_CHARS = 40
DIGITS = 8
#: Bank of programs that belong to no project.
MAIN = "main"
_GITDIR = re.compile(r"gitdir:\s*(.+)")


def root_of(folder: Path) -> Path:
    """Returns the root of the repository that a folder is in, for a worktree that of the main one; the folder itself if
    it is in none."""
    folder = _resolved(folder)
    for candidate in (folder, *folder.parents):
        git = candidate / ".git"
        if git.is_dir():
            return candidate
        if git.is_file():
            return _main_worktree(candidate, git)
    return folder


def is_in_repository(folder: Path) -> bool:
    """Returns whether a folder belongs to a repository."""
    folder = _resolved(folder)
    return any((candidate / ".git").exists() for candidate in (folder, *folder.parents))


def default_bank(folder: Path) -> str:
    """Returns the bank of a program that is started in a folder and names none: that of the project, where hooks and
    the MCP server of the project store and recall as well, or `main` if the folder is in no repository."""
    return bank_of(folder) if is_in_repository(folder) else MAIN


def bank_of(folder: Path) -> str:
    """Returns the name of the bank of the project that a folder belongs to: the name of its root, and eight digits of a
    hash of the root's path. It is the same from each folder and worktree of the project."""
    return bank_of_root(root_of(folder))


def bank_of_root(root: Path) -> str:
    """Returns the name of the bank of the project with a root, which need not be on this machine."""
    digest = hashlib.sha256(str(root).encode("utf-8", "surrogateescape")).hexdigest()[:DIGITS]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", root.name).strip("-.")[:NAME_CHARS]
    return f"{name or 'project'}-{digest}"


def _main_worktree(candidate: Path, git: Path) -> Path:
    """Returns the root of the main worktree of a linked one; for submodules and what cannot be read, the folder."""
    try:
        match = _GITDIR.match(git.read_text(encoding="utf-8"))
        place = None if match is None else _resolved(candidate / match[1].strip())
        if place is not None and place.parent.name == "worktrees" and place.parent.parent.name == ".git":
            return place.parent.parent.parent
    except (OSError, UnicodeError):
        pass
    return candidate


def _resolved(path: Path) -> Path:
    try:
        return path.expanduser().resolve()
    except (OSError, RuntimeError):
        return path.absolute()
