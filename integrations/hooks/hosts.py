"""Hosts: the coding agents that Foxing serves, one row each.

A row says where the settings of a host are and in which form, which events it has, how long it may wait, what it
reads, and where its session logs are. Imports almost nothing, because the client of hooks imports it in each process.
"""

import os

#: The program that hosts start.
PROGRAM = "foxing-hook"
# What happens at an event.
#: a session begins: its project is said what was worked on
START = "start"
#: a prompt is sent: what recall finds for it is added
PROMPT = "prompt"
#: a message of the model is complete
RESPONSE = "response"
#: a turn has ended, or the history is about to be summarised: what is new is stored
TURN = "turn"
#: the session ends: what is new is stored and sealed
END = "end"

#: What waits for an answer → limit on the whole process of the hook, in seconds. An idle machine answers in 0.04, one
#: that builds and tests needs more.
WAITS_S = {START: 1.5, PROMPT: 0.6}
#: Seconds after which a host ends a hook; the hook itself gives way earlier. Codex allows no more at some events.
TIMEOUT_S = 3


class Host:
    """A coding agent."""

    def __init__(
        self,
        name: str,
        title: str,
        events: "dict[str, str]",
        *,
        home: str,
        hooks: "tuple[str, str]",
        servers: "tuple[str, str]",
        home_variable: str = "",
        below_variable: str = "",
        hooks_form: str = "groups",
        timeout: int = TIMEOUT_S,
        servers_in: str = "mcpServers",
        server_form: str = "command",
        answer_form: str = "hookSpecificOutput",
        notices: bool = True,
        members: "dict[str, str] | None" = None,
        log_format: str = "",
        logs: str = "",
        trust: str = "",
        trusted_in: str = "",
    ) -> None:
        self.name = name
        self.title = title
        #: name of an event → what happens
        self.events = events
        #: its folder in the home folder of the user
        self.home = home
        #: variable of the environment that moves this folder, and the folder below the one that it names
        self.home_variable = home_variable
        self.below_variable = below_variable
        #: file with the hooks: of the user, in the host's folder (with ~/, beside it), and of a project, in its root
        self.hooks = hooks
        #: file with the MCP servers, likewise
        self.servers = servers
        #: how hooks stand in their file; see `settings_forms`
        self.hooks_form = hooks_form
        #: time limit of a hook, in the unit of the host; 0 for none
        self.timeout = timeout
        #: the object with the servers in their file, and how one stands in it; see `settings_forms`
        self.servers_in = servers_in
        self.server_form = server_form
        #: how text for the model is given; see `calls.answer_of`
        self.answer_form = answer_form
        #: whether it shows its user a `systemMessage`
        self.notices = notices
        #: member of a hook's document → that of a `HookCall`, where they differ
        self.members = {"session": "session_id", "prompt": "prompt", "response": "", "turn": "", **(members or {})}
        #: format of its session logs; empty if the hooks themselves have the messages
        self.log_format = log_format
        #: the folder of its session logs in its own
        self.logs = logs
        #: what its user has to do before it runs hooks; empty for nothing
        self.trust = trust
        #: the file in its folder in which it notes which hooks are trusted
        self.trusted_in = trusted_in

    def folder(self) -> str:
        """Returns the folder in which the host keeps settings and sessions of the user."""
        named = os.environ.get(self.home_variable, "") if self.home_variable else ""
        if named:
            return os.path.join(os.path.expanduser(named), self.below_variable).rstrip("/\\")
        return os.path.join(os.path.expanduser("~"), self.home)

    def path(self, files: "tuple[str, str]", root: "str | None") -> str:
        """Returns the path of a file of settings: that of the user, or of the project with this root."""
        if root is not None:
            return os.path.join(root, files[1])
        if not files[0].startswith("~/"):
            return os.path.join(self.folder(), files[0])
        named = os.environ.get(self.home_variable, "")
        return os.path.join(os.path.expanduser(named or "~"), files[0][2:])


_ROWS = (
    Host(
        "claude-code",
        "Claude Code",
        {
            "SessionStart": START,
            "UserPromptSubmit": PROMPT,
            "Stop": TURN,
            "SubagentStop": TURN,
            "PreCompact": TURN,
            "SessionEnd": END,
        },
        home=".claude",
        home_variable="CLAUDE_CONFIG_DIR",
        hooks=("settings.json", ".claude/settings.json"),
        servers=("~/.claude.json", ".mcp.json"),
        server_form="typed",
        log_format="claude-code",
        logs="projects",
    ),
    Host(
        "codex",
        "Codex",
        {
            "SessionStart": START,
            "UserPromptSubmit": PROMPT,
            "Stop": TURN,
            "PreCompact": TURN,
            "SessionEnd": END,
        },
        home=".codex",
        home_variable="CODEX_HOME",
        hooks=("hooks.json", ".codex/hooks.json"),
        servers=("config.toml", ".codex/config.toml"),
        servers_in="mcp_servers",
        log_format="codex",
        logs="sessions",
        trust="Codex runs no hook that you have not trusted: type /hooks in it",
        trusted_in="config.toml",
    ),
    Host(
        "cursor",
        "Cursor",
        {
            "sessionStart": START,
            "beforeSubmitPrompt": PROMPT,
            "afterAgentResponse": RESPONSE,
            "stop": TURN,
            "sessionEnd": END,
        },
        home=".cursor",
        hooks=("hooks.json", ".cursor/hooks.json"),
        servers=("mcp.json", ".cursor/mcp.json"),
        hooks_form="commands",
        timeout=0,
        answer_form="additional_context",
        notices=False,
        members={"session": "conversation_id", "response": "text", "turn": "generation_id"},
    ),
    Host(
        "opencode",
        "OpenCode",
        {
            "session.created": START,
            "chat.message": PROMPT,
            "session.idle": RESPONSE,
            "session.deleted": END,
        },
        home=".config/opencode",
        home_variable="XDG_CONFIG_HOME",
        below_variable="opencode",
        hooks=("plugins/foxing.js", ".opencode/plugins/foxing.js"),
        servers=("opencode.json", "opencode.json"),
        hooks_form="plugin",
        servers_in="mcp",
        server_form="local",
        members={"response": "response", "turn": "message_id"},
    ),
    Host(
        "gemini-cli",
        "Gemini CLI",
        {
            "SessionStart": START,
            "BeforeAgent": PROMPT,
            "AfterAgent": RESPONSE,
            "SessionEnd": END,
        },
        home=".gemini",
        home_variable="GEMINI_CLI_HOME",
        below_variable=".gemini",
        hooks=("settings.json", ".gemini/settings.json"),
        servers=("settings.json", ".gemini/settings.json"),
        timeout=1_000 * TIMEOUT_S,
        members={"response": "prompt_response"},
    ),
)
#: Hosts by name.
HOSTS = {host.name: host for host in _ROWS}
