"""Histories of chats between people, made by hand after their sources."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .files import archive, file, folder

#: Android, German; a family of emoji and a Persian word with invisible characters that belong to them.
WHATSAPP_ANDROID = """\
12/08/2016, 16:19 - Nachrichten und Anrufe sind Ende-zu-Ende-verschlüsselt.
12/08/2016, 16:20 - Ann: Wann kommst du?
Um vier?
12/08/2016, 16:21 - Bo: \U0001f468\u200d\U0001f469\u200d\U0001f467 می\u200cآیم
13/08/2016, 09:00 - Ann: <Medien ausgeschlossen>
13/08/2016, 09:01 - Bo: IMG-20160813-WA0001.jpg (Datei angehängt)
Das Tor: 3 m
13/08/2016, 09:02 - Ann hat den Betreff zu „Garten“ geändert
13/08/2016, 09:02 - Ann: ok
13/08/2016, 09:02 - Ann: ok
13/08/2016, 09:03 - Bo: Diese Nachricht wurde gelöscht.
"""
#: iOS, English, with marks of direction and a narrow space before PM.
WHATSAPP_IOS = """\
\u200e[3/28/26, 2:22:40\u202fPM] Garden: \u200eMessages and calls are end-to-end encrypted. Only you can read them.
[3/28/26, 2:22:41\u202fPM] Chidi: \u200e<attached: 00000013-Supply agreement.docx>
\u200e[3/28/26, 2:23:00\u202fPM] ~\u00a0Dee: \u200eimage omitted
[3/28/26, 12:05:00\u202fAM] Chidi: Signed: yes \u200e<This message was edited>
"""
#: Dots, two digits of the year, no comma, seconds.
WHATSAPP_DOTS = "31.01.26 08:05:09 - Ann: Guten Morgen\n01.02.26 08:06:10 - Bo: Morgen: wie geht's?\n"


def telegram_message(key: int, text: Any, *, at: int = 1772316601, **fields: Any) -> dict[str, Any]:
    start = {"id": key, "type": "message", "date": "2026-02-28T23:10:01", "date_unixtime": str(at)}
    return start | {"from": "Ann", "from_id": "user123", "text": text, "text_entities": []} | fields


def telegram_chat(key: int = 42, *messages: dict[str, Any]) -> dict[str, Any]:
    """A chat with a notice, a text in pieces, a deleted account, and media that were not exported."""
    link = {"type": "text_link", "text": "plan", "href": "https://x.org/p"}
    missing = "(File not included. Change data exporting settings to download.)"
    given = messages or (
        {"id": 10, "type": "service", "date": "2026-02-28T23:00:00", "date_unixtime": "1772316000", "actor": "Ann"},
        telegram_message(12, ["see ", {"type": "bold", "text": "the"}, " ", link], reply_to_message_id=11),
        telegram_message(13, "", photo="photos/p.jpg", width=800, height=600),
        telegram_message(14, "No", **{"from": None}),
        telegram_message(15, "", file=missing, media_type="sticker", sticker_emoji="😀"),
        telegram_message(16, "", file=missing, media_type="voice_message", duration_seconds=3),
        {"id": 17, "type": "unsupported"},
    )
    return {"name": "Garden", "type": "private_group", "id": key, "messages": list(given)}


def telegram_export() -> dict[str, Any]:
    """All chats, after what stands before them."""
    return {
        "about": "Here is the data you requested. Remember: Telegram is ad free.",
        "personal_information": {"user_id": 1, "first_name": "Ann"},
        "chats": {"about": "This page lists all chats", "list": [telegram_chat(42), telegram_chat(43)]},
        "left_chats": {"about": "Left", "list": [telegram_chat(44, telegram_message(1, "bye"))]},
    }


def telegram_text(value: Any) -> str:
    """A document in the layout of Telegram."""
    return json.dumps(value, ensure_ascii=False, indent=1)


def telegram_damaged() -> str:
    """A control character, a path that looks like one, and an id without quotation marks."""
    emoji = [{"type": "custom_emoji", "text": "🦊", "document_id": "5368324170671202286"}]
    chat = telegram_chat(7, telegram_message(1, "a VT b"), telegram_message(2, "C:\\x41"), telegram_message(3, emoji))
    return telegram_text(chat).replace("VT", "\\x0B").replace('"5368324170671202286"', "stickers/fox.webp")


SLACK_USERS = [
    {"id": "U1", "name": "ann", "profile": {"display_name": "Ann", "real_name": "Ann Lee"}},
    {"id": "U2", "name": "bo", "real_name": "Bo Kim", "profile": {"display_name": ""}},
]
SLACK_DAY: list[dict[str, Any]] = [
    {"type": "message", "subtype": "channel_join", "user": "U1", "text": "<@U1> has joined", "ts": "1456427370.000001"},
    {
        "type": "message",
        "user": "U1",
        "text": "see <@U2> in <#C9|garden> <https://x.org|x> &lt;b&gt; &amp;amp; <!here>",
        "ts": "1456427378.000002",
        "thread_ts": "1456427378.000002",
        "reply_count": 1,
    },
    {"type": "message", "user": "U2", "text": "yes", "ts": "1456427379.000003", "thread_ts": "1456427378.000002"},
    {
        "type": "message",
        "subtype": "bot_message",
        "bot_id": "B1",
        "username": "ci",
        "text": "",
        "attachments": [{"fallback": "build ok"}],
        "ts": "1456427380.000004",
    },
    {
        "type": "message",
        "user": "U2",
        "text": "",
        "ts": "1456427381.000005",
        "blocks": [
            {
                "type": "rich_text",
                "elements": [
                    {
                        "type": "rich_text_section",
                        "elements": [{"type": "text", "text": "ask "}, {"type": "user", "user_id": "U1"}],
                    }
                ],
            }
        ],
        "files": [{"id": "F1", "name": "a.png", "mimetype": "image/png"}],
    },
]


def slack_files(*days: list[dict[str, Any]]) -> dict[str, str]:
    """An export with a channel and a direct message."""
    return {
        "users.json": json.dumps(SLACK_USERS),
        "channels.json": json.dumps([{"id": "C1", "name": "general", "members": ["U1", "U2"]}]),
        "dms.json": json.dumps([{"id": "D1", "members": ["U1", "U2"]}]),
        **{f"general/2016-02-{25 + n}.json": json.dumps(day) for n, day in enumerate(days or [SLACK_DAY])},
        "D1/2016-02-25.json": json.dumps([{"type": "message", "user": "U2", "text": "psst", "ts": "1456427400.5"}]),
    }


def discord_message(key: int, content: str, **fields: Any) -> dict[str, Any]:
    author = {"id": "5", "name": "ann", "discriminator": "0000", "nickname": "Ann", "isBot": False}
    return {
        "id": str(key),
        "type": "Default",
        "timestamp": f"2026-02-28T23:10:{key:02}.123+01:00",
        "timestampEdited": None,
        "isPinned": False,
        "content": content,
        "author": author,
        "attachments": [],
        "embeds": [],
        "stickers": [],
        "reactions": [],
        "mentions": [],
    } | fields


def discord_channel(*messages: dict[str, Any], count: int | None = None, **fields: Any) -> dict[str, Any]:
    """A channel whose topic looks like the key before the messages."""
    return {
        "guild": {"id": "1", "name": "g", "iconUrl": "https://x.org/i.png"},
        "channel": {"id": "2", "type": "GuildTextChat", "name": "general", "topic": 'all "messages": [here]'},
        "dateRange": {"after": None, "before": None},
        **fields,
        "messages": list(messages),
        "messageCount": len(messages) if count is None else count,
    }


#: A notice, a reply, a bot without a nickname, an attachment, an embedded text, a sticker and a forwarded message.
DISCORD_MESSAGES = [
    discord_message(7, "Joined the server.", type="GuildMemberJoin"),
    discord_message(8, "hi"),
    discord_message(
        9, "hi Ann", type="Reply", reference={"messageId": "8", "channelId": "2", "guildId": "1"}, inlineEmojis=[]
    ),
    discord_message(
        10,
        "",
        author={"id": "6", "name": "ci", "discriminator": "1234", "isBot": True, "roles": []},
        embeds=[{"title": "Build 7", "description": "passed", "fields": [{"name": "branch", "value": "main"}]}],
    ),
    discord_message(
        11,
        "look",
        attachments=[{"id": "7", "url": "https://x.org/a.png", "fileName": "a.png", "fileSizeBytes": 123}],
        stickers=[{"id": "3", "name": "wave", "format": "Lottie"}],
        embeds=[{"title": "a preview of a link"}],
    ),
    discord_message(12, "", forwardedMessage={"content": "from afar", "attachments": []}),
]

#: See `HISTORIES` of the package.
CHATS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "WhatsApp, Android": ("whatsapp", lambda p: file(p, WHATSAPP_ANDROID)),
    "WhatsApp, the zip archive of iOS": (
        "whatsapp",
        lambda p: archive(p, {"_chat.txt": WHATSAPP_IOS, "00000013-Supply agreement.docx": b"PK", "notes.txt": "x"}),
    ),
    "WhatsApp, dots": ("whatsapp", lambda p: file(p, WHATSAPP_DOTS)),
    "Telegram, a chat with its media": (
        "telegram",
        lambda p: folder(p, {"result.json": telegram_text(telegram_chat()), "photos/p.jpg": b"\xff\xd8"}),
    ),
    "Telegram, all chats": ("telegram", lambda p: file(p, telegram_text(telegram_export()))),
    "Telegram, what is no JSON": ("telegram", lambda p: file(p, telegram_damaged())),
    "Slack, a folder": ("slack", lambda p: folder(p, slack_files())),
    "Slack, a zip archive": ("slack", lambda p: archive(p, slack_files())),
    "Slack, of an organisation": (
        "slack",
        lambda p: folder(
            p, {f"export/{name.replace('users', 'org_users')}": text for name, text in slack_files().items()}
        ),
    ),
    "Discord": ("discord", lambda p: file(p, json.dumps(discord_channel(*DISCORD_MESSAGES), indent=2))),
    "Discord, an old version": (
        "discord",
        lambda p: file(p, json.dumps(discord_channel(DISCORD_MESSAGES[1], exportedAt="2026-03-01T10:00:00+01:00"))),
    ),
    "Discord, in a zip archive": (
        "discord",
        lambda p: archive(p, {"g - general [2].json": json.dumps(discord_channel(*DISCORD_MESSAGES), indent=2)}),
    ),
}
