"""The calls of the service, each as a value that a client sends, or that a memory answers in process."""

from .banks import age, bank, banks, check, policy, seal, set_policy
from .call import Call
from .forgetting import erase_bank, erase_message, erase_thread, undo
from .messages import context, message, recall, recall_images, store
from .pages import page, page_image, page_tokens, pages, pin, preview_page, read_page, unpin
from .records import get_records, namespaces, search_records, write_records

__all__ = [
    "Call",
    "age",
    "bank",
    "banks",
    "check",
    "context",
    "erase_bank",
    "erase_message",
    "erase_thread",
    "get_records",
    "message",
    "namespaces",
    "page",
    "page_image",
    "page_tokens",
    "pages",
    "pin",
    "policy",
    "preview_page",
    "read_page",
    "recall",
    "recall_images",
    "seal",
    "search_records",
    "set_policy",
    "store",
    "undo",
    "unpin",
    "write_records",
]
