"""Compiles `mixing.c` when foxing is installed, for the wheel of one platform or in the checkout.

Where there is no C compiler, pip fetches one for the build. If that fails, so does the installation: without the kernel
no page can be coded.
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


def compile_kernel(root: Path) -> Path:
    """The compiled kernel in the source tree at `root`, made again if its source is newer. Raises `RuntimeError`."""
    source, library = root / FOLDER / "mixing.c", root / FOLDER / f"_mixing{SUFFIX}"
    if library.exists() and library.stat().st_mtime >= source.stat().st_mtime:
        return library
    partial = library.with_name(f".{os.getpid()}{library.name}")
    command = [*(own_compiler() or ZIG_COMMAND), *FLAGS, "-o", str(partial), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(
            f"foxing: the kernel does not compile; install a C compiler (cc, gcc or clang): {done.stderr.strip()}"
        )
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
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
        build_data["artifacts"].append(str(FOLDER / library.name))
