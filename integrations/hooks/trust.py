"""Trust: which hooks a host does not run, because its user has not trusted them.

Codex 0.171 notes `trusted_hash` of a hook in `[hooks.state."FILE:EVENT:GROUP:HOOK"]` of its `config.toml`: SHA-256 of
the event and the group as JSON with sorted members. `codex exec` leaves out all others without a word.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from . import json_text
from .errors import SettingsRefused
from .hosts import Host
from .settings_files import Scope, text_of
from .settings_forms import own_places

_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def untrusted_events(host: Host, scope: Scope) -> list[str]:
    """Returns the events whose hooks of ours a host leaves out; none if it runs all. Raises
    `SettingsRefused`."""
    if not host.trusted_in:
        return []
    path, notes = scope.hooks_file(host), Path(host.folder()) / host.trusted_in
    text = text_of(path)
    if not text:
        return []
    try:
        state = tomlkit.parse(text_of(notes)).unwrap().get("hooks", {}).get("state", {})
    except (ValueError, AttributeError, TOMLKitError) as error:
        raise SettingsRefused(f"{notes}: {error}") from error
    document = json_text.parse(text).value
    untrusted = []
    for event, (group, hook) in own_places(text).items():
        words = _CAPITAL.sub("_", event).lower()
        noted = state.get(f"{path}:{words}:{group}:{hook}", {})
        if not noted.get("enabled", True) or noted.get("trusted_hash") != _hash(
            words, document["hooks"][event][group], hook
        ):
            untrusted.append(event)
    return untrusted


def _hash(event: str, group: dict[str, Any], place: int) -> str:
    hook = {"async": False, **group["hooks"][place]}
    matcher = {"matcher": group["matcher"]} if "matcher" in group else {}
    plain = json.dumps(
        {"event_name": event, **matcher, "hooks": [hook]}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return f"sha256:{hashlib.sha256(plain.encode()).hexdigest()}"
