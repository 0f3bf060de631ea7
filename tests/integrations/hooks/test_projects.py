"""Banks of projects."""

from pathlib import Path

from foxing.integrations.hooks.projects import bank_of, default_bank, root_of


def test_a_project_has_one_bank_from_each_folder_and_worktree(project: Path, home: Path) -> None:
    below = project / "src" / "deep"
    below.mkdir(parents=True)
    worktree = home / "ledger-fix"
    worktree.mkdir()
    (worktree / ".git").write_text(f"gitdir: {project}/.git/worktrees/ledger-fix\n")
    assert root_of(below) == root_of(worktree) == project
    assert bank_of(below) == bank_of(worktree) == bank_of(project)
    assert bank_of(project).startswith("ledger-")


def test_projects_of_one_name_have_banks_of_their_own(project: Path, home: Path) -> None:
    other = home / "copies" / "ledger"
    (other / ".git").mkdir(parents=True)
    assert bank_of(other) != bank_of(project)


def test_a_submodule_and_a_folder_without_a_repository_are_projects(project: Path, home: Path) -> None:
    module = project / "vendor" / "lib"
    module.mkdir(parents=True)
    (module / ".git").write_text("gitdir: ../../.git/modules/lib\n")
    assert root_of(module) == module
    assert root_of(home / "notes") == home / "notes"


def test_names_of_folders_become_names_of_banks(home: Path) -> None:
    assert bank_of(home / "mein Büro (neu)").startswith("mein-B-ro-neu-")
    assert bank_of(home / "日本").startswith("project-")
    assert len(bank_of(home / ("x" * 200))) < 60


def test_a_program_without_a_bank_has_that_of_the_project_or_main(project: Path, home: Path) -> None:
    (project / "src").mkdir()
    assert default_bank(project / "src") == bank_of(project)
    assert default_bank(home) == "main"
