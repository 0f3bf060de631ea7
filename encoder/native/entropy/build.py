"""Compiles `mixing.c` when foxing is installed, for the wheel of one platform or in the checkout.

Where there is no C compiler, pip fetches one for the build. If that fails, foxing installs all the same, and
`reference.py` takes the place of the kernel.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("encoder/native/entropy")
SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=c11", "-O3", "-fPIC", "-shared", "-fvisibility=hidden")
#: A compiler as a Python package, for machines that have none.
ZIG, ZIG_COMMAND = "ziglang>=0.13", (sys.executable, "-m", "ziglang", "cc")


def own_compiler() -> list[str]:
    """The command of this machine's C compiler; empty if it has none."""
    if os.environ.get("CC"):
        return os.environ["CC"].split()
    found = next(filter(None, map(shutil.which, COMPILERS)), None)
    return [found] if found else []


def compile_kernel(root: Path) -> Path | None:
    """The compiled kernel in the source tree at `root`, made again if its source is newer; None if that fails."""
    source, library = root / FOLDER / "mixing.c", root / FOLDER / f"_mixing{SUFFIX}"
    if library.exists() and library.stat().st_mtime >= source.stat().st_mtime:
        return library
    partial = library.with_name(f".{os.getpid()}{library.name}")
    command = [*(own_compiler() or ZIG_COMMAND), *FLAGS, "-o", str(partial), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(f"foxing: the kernel does not compile: {done.stderr.strip()}", file=sys.stderr)
        return None
    partial.replace(library)
    return library


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc]
    """Adds the compiled kernel to a wheel, which then is one for this platform and any Python 3."""

    def dependencies(self) -> list[str]:
        """See `BuildHookInterface`."""
        return [] if own_compiler() else [ZIG]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See `BuildHookInterface`."""
        library = compile_kernel(Path(self.root))
        if library is None:
            print("foxing: without the kernel, pages are coded in Python, 20 seconds each", file=sys.stderr)
            return
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
        build_data["artifacts"].append(str(FOLDER / library.name))
