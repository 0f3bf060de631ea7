"""The package as a whole: import rules, versions, and the files it ships."""

import subprocess
import sys
import tomllib
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packaging.requirements import Requirement


@pytest.fixture
def project(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_imports_go_one_way(repository: Path) -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    done = subprocess.run(
        [*command, "--no-cache", "--no-logo"], cwd=repository, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Rooms: imports go one way KEPT" in done.stdout


def test_the_renderer_and_the_memory_do_not_import_torch(repository: Path) -> None:
    program = (
        "import sys, foxing.renderer, foxing.memory; sys.exit('torch was imported' if 'torch' in sys.modules else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_latest_changelog_entry_is_the_version_of_the_package(repository: Path, project: dict[str, Any]) -> None:
    lines = (repository / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    entries = [line for line in lines if line.startswith("## [") and not line.startswith("## [Unreleased]")]
    latest = entries[0].removeprefix("## [").partition("]")[0]
    assert latest == project["project"]["version"] == metadata("foxing")["Version"]


@pytest.mark.parametrize(
    ("name", "vulnerable"),
    [("starlette", "1.3.0"), ("h11", "0.15.0"), ("python-multipart", "0.0.26"), ("uvicorn", "0.52.0")],
)
def test_no_version_with_a_known_weakness_is_admitted(project: dict[str, Any], name: str, vulnerable: str) -> None:
    required = {each.name: each.specifier for each in map(Requirement, project["project"]["dependencies"])}
    assert vulnerable not in required[name]
    assert metadata(name)["Version"] in required[name]


def test_the_package_ships_its_licences(repository: Path, project: dict[str, Any]) -> None:
    files = project["project"]["license-files"]
    assert {"LICENSE", "renderer/data/OFL.txt"} <= set(files)
    assert all((repository / name).is_file() for name in files)
    assert "Apache License" in (repository / "LICENSE").read_text(encoding="utf-8")
    font_licence = (repository / "renderer" / "data" / "OFL.txt").read_text(encoding="utf-8")
    assert "Roman Czyborra" in font_licence
    assert "SIL OPEN FONT LICENSE Version 1.1" in font_licence
    fonts = repository / "renderer" / "data"
    for font in (*fonts.glob("*.npz"), *fonts.glob("*.ttf")):
        assert font.name in (repository / "NOTICE").read_text(encoding="utf-8")
    assert "Frederic Cambus" in (fonts / "Spleen.txt").read_text(encoding="utf-8")
    assert "SIL OPEN FONT LICENSE Version 1.1" in (fonts / "JetBrainsMono.txt").read_text(encoding="utf-8")


def test_every_package_is_in_the_wheel_and_linked_for_the_editable_install(
    repository: Path, project: dict[str, Any]
) -> None:
    build = project["tool"]["hatch"]["build"]
    packages = build["targets"]["wheel"]["only-include"]
    assert set(packages) >= {"memory", "renderer", "encoder", "api", "migrations", "integrations"}
    assert set(packages) <= set(build["targets"]["sdist"]["only-include"])
    links = {link.name: link for link in (repository / ".src" / "foxing").iterdir()}
    for package in packages:
        assert build["targets"]["wheel"]["sources"][package].startswith("foxing/")
        link = links[build["targets"]["wheel"]["sources"][package].removeprefix("foxing/")]
        assert link.is_symlink()
        assert link.readlink() == Path("..") / ".." / package, "links must be relative, so that a clone can be anywhere"


@pytest.mark.slow
def test_rebuilding_the_glyph_atlas_reproduces_the_packaged_one(repository: Path, tmp_path: Path) -> None:
    fonttools = pytest.importorskip("fontTools.ttLib", reason="needs fonttools (extra 'atlas')")
    fonts = Path("/usr/share/fonts/opentype/unifont")
    if not (fonts / "unifont_upper.otf").is_file():
        pytest.skip("needs GNU Unifont (Debian's fonts-unifont)")
    version = fonttools.TTFont(fonts / "unifont.otf")["name"].getDebugName(5)
    if version != "Version 15.1.01":
        pytest.skip(f"the packaged atlas was built from Unifont 15.1.01, not from {version}")
    from training.glyph_atlas import build

    output = tmp_path / "unifont.npz"
    count = build(fonts, output)
    with np.load(output) as rebuilt, np.load(repository / "renderer" / "data" / "unifont.npz") as packaged:
        assert len(packaged["code_points"]) == count
        for name in ("code_points", "wide", "rows"):
            assert np.array_equal(rebuilt[name], packaged[name]), name
