"""Logs of IRC, made by hand after irssi, ZNC's log module, WeeChat's logger and Ubuntu's public logs."""

from collections.abc import Callable
from pathlib import Path

from .files import archive, folder

#: A change of day, a mode before a nick, an action, an event, a colour, and the same words twice in a minute.
IRSSI = """\
--- Log opened Tue Sep 20 23:58:49 2016
23:58 -!- ann [~ann@x.org] has joined #foxing
23:59 < ann> hello <b>
23:59 < ann> hello <b>
--- Day changed Wed Sep 21 2016
00:01 <@bo> \x0304red\x03 fox
00:02  * bo waves
00:03 -!- ann [~ann@x.org] has quit [Bye]
--- Log closed Wed Sep 21 00:05:00 2016
"""
ZNC = """\
[03:56:24] *** Joins: ann (ident@host)
[03:56:30] <ann> is it late?
[03:56:31] * bo yawns
[03:56:32] -bo- a notice
"""
UBUNTU = "=== ann has joined\n[08:25] <ann> any idea?\n[08:26] <bo> no: <none>\n"
WEECHAT = """\
2016-09-20 00:01:40\t-->\tann (~ann@x.org) has joined #foxing
2016-09-20 00:01:49\t@ann\thello\tagain
2016-09-20 00:01:50\t *\tbo waves
2016-09-20 00:01:51\t--\tMode #foxing [+o bo] by ann
"""

#: See `HISTORIES` of the package.
LOGS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "IRC, irssi": ("irc", lambda p: folder(p, {"libera/#foxing.log": IRSSI})),
    "IRC, ZNC": (
        "irc",
        lambda p: folder(p, {f"libera/#foxing/2026-03-0{day}.log": ZNC for day in (1, 2)}),
    ),
    "IRC, Ubuntu": ("irc", lambda p: archive(p, {"2026/03/02/%23ubuntu.txt": UBUNTU})),
    "IRC, WeeChat": ("irc", lambda p: folder(p, {"irc.libera.#foxing.weechatlog": WEECHAT})),
}
