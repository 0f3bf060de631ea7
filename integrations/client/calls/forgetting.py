"""Undo and erasure."""

from datetime import datetime

from foxing.integrations.client.erasure_values import Erased, Undone

from .call import LONG_S, Call, Request, bank_path, given, reading


def undo(
    bank: str,
    *,
    since: datetime | str | None = None,
    page: str | None = None,
    now: datetime | str | None = None,
    timezone: str | None = None,
) -> Call[Undone]:
    """Brings back what ageing dropped within the undo window, of a bank or a page, and pins the pages."""
    body = given({"since": since, "page": page, "now": now, "timezone": timezone})
    return Call(
        Request("POST", bank_path(bank, "undo"), body=body, timeout_s=LONG_S),
        reading(Undone),
        lambda memory: memory.undo(bank, since=since, page=page, now=now, timezone=timezone).model_dump(mode="json"),
    )


def erase_message(bank: str, message_id: str) -> Call[Erased]:
    """Erases a message for good. Sent again after a lost answer, it raises `NotFound` if the first attempt has done
    it."""
    return Call(
        Request("DELETE", bank_path(bank, "messages", message_id), timeout_s=LONG_S),
        reading(Erased),
        lambda memory: memory.erase_message(bank, message_id).model_dump(mode="json"),
    )


def erase_thread(bank: str, thread: str) -> Call[Erased]:
    """Erases all messages of a thread for good. Sending it again completes what was interrupted."""
    return Call(
        Request("DELETE", bank_path(bank, "threads", thread), timeout_s=LONG_S),
        reading(Erased),
        lambda memory: memory.erase_thread(bank, thread).model_dump(mode="json"),
    )


def erase_bank(bank: str) -> Call[Erased]:
    """Erases a bank for good with everything in it, records included."""
    return Call(
        Request("DELETE", bank_path(bank), timeout_s=LONG_S),
        reading(Erased),
        lambda memory: memory.erase_bank(bank).model_dump(mode="json"),
    )
