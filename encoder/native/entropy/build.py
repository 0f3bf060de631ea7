"""Build hook that compiles `mixing.c`, for the wheel of a platform or in the checkout. The wheel has no file of the
distribution `foxing-client`.

If there is no C compiler, pip downloads one for the build. If that fails, so does the installation, since the native
codec does not work without the kernel.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("encoder/native/entropy")
CLIENT = Path("clients/python/pyproject.toml")
SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=c11", "-O3", "-fPIC", "-shared", "-fvisibility=hidden")
#: C compiler as a Python package, for machines without one.
ZIG = "ziglang>=0.13"
ZIG_COMMAND = (sys.executable, "-m", "ziglang", "cc")


def own_compiler() -> list[str]:
    """Returns the command of this machine's C compiler; empty if it has none."""
    if os.environ.get("CC"):
        return os.environ["CC"].split()
    path = next(filter(None, map(shutil.which, COMPILERS)), None)
    return [path] if path else []


def compile_kernel(root: Path) -> Path:
    """Compiles the kernel in the source tree at `root` unless it is up to date; returns its path. Raises
    `RuntimeError`."""
    source = root / FOLDER / "mixing.c"
    library = root / FOLDER / f"_mixing{SUFFIX}"
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


def files_of_client(root: Path) -> list[str]:
    """Returns the files and folders that the wheel of `foxing-client` has, as paths in the source tree at `root`."""
    project = tomllib.loads((root / CLIENT).read_text(encoding="utf-8"))
    return [name.removeprefix("foxing/") for name in project["tool"]["hatch"]["build"]["only-include"]]


class CustomBuildHook(BuildHookInterface[BuilderConfig]):
    """Build hook that adds the compiled kernel to a wheel, and tags it for this platform and any Python 3. What
    `foxing-client` has is left out."""

    def dependencies(self) -> list[str]:
        """See `BuildHookInterface`."""
        return [] if own_compiler() else [ZIG]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See `BuildHookInterface`."""
        library = compile_kernel(Path(self.root))
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        self.build_config.target_config["exclude"] = [f"/{name}" for name in files_of_client(Path(self.root))]
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
        build_data["artifacts"].append(str(FOLDER / library.name))
