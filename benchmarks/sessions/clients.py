"""The real clients: how each is started in a folder of its own, without a network, and led to an upstream."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_TURN_S = 900
#: Tokens of the window in which a client compacts.
_WINDOW = 200_000


@dataclass(frozen=True)
class Turn:
    """Something that the user types, and what the model is to do."""

    prompt: str
    #: Calls of tools before the model ends the turn.
    calls: int = 0
    #: Whether a sub-agent is asked, and an image looked at.
    agent: bool = False
    image: bool = False
    #: Whether the client is started again, and goes on with the session.
    resumes: bool = False
    #: Calls after which a proxy is killed; 0 for none.
    kill_after: int = 0


@dataclass(frozen=True)
class Installation:
    """Folders of a client and of its work, and the upstream that it asks."""

    #: Folder of npm with `node_modules`.
    npm: Path
    home: Path
    project: Path
    url: str
    #: Whether the client compacts by itself at its window.
    compacts: bool = False
    #: Model of which it asks; None for its own.
    model: str | None = None

    def run(self, program: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Runs a program of npm to its end."""
        with (self.home / "log.txt").open("a") as log:
            subprocess.run(
                [str(self.npm / "node_modules" / program), *arguments],
                cwd=self.project,
                env={**self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=_TURN_S,
                check=False,
            )

    @property
    def environment(self) -> dict[str, str]:
        """Environment without anything of the user's."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "TERM": "xterm", "LANG": "C.UTF-8"}


#: Called before each turn, with what is done next.
Begin = Callable[[Turn], None]


def drive_claude_code(place: Installation, turns: Sequence[Turn], begin: Begin) -> None:
    """Runs the turns in Claude Code, those of one process over its standard input."""
    environment = {
        **place.environment,
        "ANTHROPIC_API_KEY": "sk-ant-dummy",
        "ANTHROPIC_BASE_URL": place.url,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "IS_SANDBOX": "1",
    }
    if place.model is not None:
        environment["ANTHROPIC_MODEL"] = place.model
    if place.compacts:
        environment |= {"CLAUDE_CODE_DISABLE_1M_CONTEXT": "1", "CLAUDE_CODE_AUTO_COMPACT_WINDOW": str(_WINDOW)}
    else:
        environment["DISABLE_AUTO_COMPACT"] = "1"
    program = place.npm / "node_modules/@anthropic-ai/claude-code/bin/claude.exe"
    streams = ["-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
    command = [str(program), *streams, "--dangerously-skip-permissions"]
    for first, group in enumerate(_processes(turns)):
        with (
            (place.home / "log.txt").open("a") as log,
            subprocess.Popen(
                [*command, *(["--continue"] if first else [])],
                cwd=place.project,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            ) as process,
        ):
            assert process.stdin is not None
            assert process.stdout is not None
            for turn in group:
                begin(turn)
                typed = {"type": "user", "message": {"role": "user", "content": turn.prompt}}
                process.stdin.write(json.dumps(typed) + "\n")
                process.stdin.flush()
                for line in process.stdout:
                    log.write(line)
                    if json.loads(line).get("type") == "result":
                        break
            process.stdin.close()


def drive_codex(place: Installation, turns: Sequence[Turn], begin: Begin) -> None:
    """Runs each turn in a process of Codex."""
    folder = place.home / ".codex"
    folder.mkdir()
    window = "" if place.compacts else "model_context_window=2000000\nmodel_auto_compact_token_limit=1900000\n"
    (folder / "config.toml").write_text(
        f'model="{place.model or "gpt-5.6"}"\nmodel_provider="made"\n{window}'
        f'[model_providers.made]\nname="made"\nbase_url="{place.url}/v1"\nwire_api="responses"\n'
        'env_key="OPENAI_API_KEY"\n'
    )
    options = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
    environment = {"OPENAI_API_KEY": "sk-dummy", "CODEX_HOME": str(folder)}
    for number, turn in enumerate(turns):
        begin(turn)
        resumes = ["resume", "--last"] if number else []
        place.run(".bin/codex", ["exec", *resumes, *options, turn.prompt], environment)


def drive_opencode(place: Installation, turns: Sequence[Turn], begin: Begin) -> None:
    """Runs each turn in a process of opencode."""
    folder = place.home / ".config/opencode"
    folder.mkdir(parents=True)
    (place.home / ".npmrc").write_text("fetch-retries=0\nfetch-timeout=2000\n")
    limit = {"context": _WINDOW if place.compacts else 2_000_000, "output": 32_000}
    model = place.model or "gpt-5.6"
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "made",
        "options": {"baseURL": f"{place.url}/v1", "apiKey": "sk-dummy"},
        "models": {model: {"name": model, "limit": limit, "attachment": True, "modalities": _SEES}},
    }
    settings: dict[str, Any] = {"provider": {"made": provider}, "model": f"made/{model}", "autoupdate": False}
    (folder / "opencode.json").write_text(json.dumps({**settings, "permission": {"*": "allow"}}))
    off = ("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD")
    environment = {f"OPENCODE_DISABLE_{name}": "1" for name in off}
    for number, turn in enumerate(turns):
        begin(turn)
        resumes = ["--continue"] if number else []
        place.run("opencode-linux-x64/bin/opencode", ["run", *resumes, turn.prompt], environment)


_SEES = {"input": ["text", "image"], "output": ["text"]}


@dataclass(frozen=True)
class ClientRow:
    """A client."""

    #: Package of npm, whose version is noted.
    package: str
    drive: Callable[[Installation, Sequence[Turn], Begin], None]
    #: Name of the tool for a command of the shell, and its member; likewise for files and images.
    shell: tuple[str, str]
    read: tuple[str, str] | None = None
    image: tuple[str, str] | None = None
    #: Name of the tool that asks a sub-agent, and its kind of agent.
    agent: tuple[str, str] | None = None
    #: Members beside these.
    beside: Mapping[str, Any] = field(default_factory=dict)


_DESCRIPTION = {"description": "Show it"}
CLIENTS: Mapping[str, ClientRow] = {
    "claude-code": ClientRow(
        "@anthropic-ai/claude-code",
        drive_claude_code,
        ("Bash", "command"),
        read=("Read", "file_path"),
        image=("Read", "file_path"),
        agent=("Agent", "general-purpose"),
        beside=_DESCRIPTION,
    ),
    "codex": ClientRow("@openai/codex", drive_codex, ("exec_command", "cmd"), image=("view_image", "path")),
    "opencode": ClientRow(
        "opencode-ai",
        drive_opencode,
        ("bash", "command"),
        read=("read", "filePath"),
        image=("read", "filePath"),
        agent=("task", "general"),
        beside=_DESCRIPTION,
    ),
}


def _processes(turns: Sequence[Turn]) -> Iterator[list[Turn]]:
    group: list[Turn] = []
    for turn in turns:
        if turn.resumes and group:
            yield group
            group = []
        group.append(turn)
    yield group
