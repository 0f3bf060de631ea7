"""Gemini: the activity that Google Takeout exports, and the prompts of AI Studio.

Takeout has a record for each prompt with its answer, the newest first. Only newer exports name the conversation: where
they do not, a record is a thread.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from foxing.memory.conversation import FORMATS

from .chat import UNREADABLE, objects, readable, said, time_with_offset
from .files import HistoryFiles
from .format import THOUGHTS, ReadOptions, SingleFiles
from .html_text import text_of
from .source import ImportedMessage

_CONVERSATION = re.compile(r"gemini\.google\.com/app/(\w{1,100})")
#: What precedes the prompt in the title; in other languages it stays in the text.
_PROMPTED = "Prompted "
_HEADER = re.compile(rb'"header": ?"[^"]{0,100}Gemini')
ACTIVITIES = "activities without a prompt or an answer"


class Gemini(SingleFiles):
    """Importer of the activity of Gemini in Google Takeout."""

    def recognise_file(self, files: HistoryFiles, name: str) -> str | None:
        """See `SingleFiles.recognise_file`."""
        fits = {"[].header", "[].title", "[].time"} <= files.outline(name)
        return "records of activity with a 'header' of Gemini" if fits and _HEADER.search(files.head(name)) else None

    def read_file(self, files: HistoryFiles, name: str, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `SingleFiles.read_file`."""
        seen: Counter[str] = Counter()
        for record, where in list(files.items(name))[::-1]:
            at = time_with_offset(record.get("time")) if isinstance(record, dict) else None
            if not isinstance(record, dict) or at is None or "Gemini" not in str(record.get("header")):
                files.leave_out(UNREADABLE if at is None else ACTIVITIES, where)
                continue
            key = str(record["time"])
            seen[key] += 1
            own = f"{key}:{seen[key]}" if seen[key] > 1 else key
            yield from readable(files, where, _record(files, record, own, at, where))


def _record(
    files: HistoryFiles, record: Mapping[str, Any], key: str, at: datetime, where: str
) -> Iterator[ImportedMessage]:
    """Yields the prompt and the answers of a record."""
    title = str(record.get("title") or "")
    answers = [text for item in objects(record, "safeHtmlItem") if (text := text_of(str(item.get("html") or "")))]
    if not title.startswith(_PROMPTED) and not answers:
        files.leave_out(ACTIVITIES, where)
        return
    links = (_CONVERSATION.search(str(item.get("url") or "")) for item in objects(record, "details"))
    thread = f"gemini:{next((match[1] for match in links if match), key)}"
    attached = record.get("attachedFiles")
    names = [f"[file: {item}]" for item in attached] if isinstance(attached, list) else []
    prompt = "\n".join([title.removeprefix(_PROMPTED), *names])
    yield from said(files, where, key=f"gemini:{key}:prompt", thread=thread, text=prompt, at=at)
    for number, answer in enumerate(answers):
        yield from said(
            files,
            where,
            key=f"gemini:{key}:answer:{number}",
            thread=thread,
            text=answer,
            at=at,
            role="assistant",
        )


class AiStudio(SingleFiles):
    """Importer of prompts of AI Studio: documents without ids, and most of them without times."""

    def recognise_file(self, files: HistoryFiles, name: str) -> str | None:
        """See `SingleFiles.recognise_file`."""
        outline = files.outline(name)
        fits = "chunkedPrompt.chunks" in outline or {"runSettings", "chunkedPrompt"} <= outline
        return "a prompt with 'chunkedPrompt'" if fits else None

    def read_file(self, files: HistoryFiles, name: str, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `SingleFiles.read_file`."""
        value = files.document(name)
        prompt = value.get("chunkedPrompt") if isinstance(value, dict) else None
        chunks = objects(prompt, "chunks") if isinstance(prompt, dict) else []
        first = json.dumps([[chunk.get("role"), _chunk_text(chunk)] for chunk in chunks[:1]])
        thread = f"ai-studio:{hashlib.sha256(first.encode()).hexdigest()[:24]}"
        system = value.get(FORMATS["gemini"].instructions) if isinstance(value, dict) else None
        if isinstance(system, dict) and (text := _chunk_text(system)).strip():
            where = f"{files.place(name)}, systemInstruction"
            key = f"{thread}:system"
            yield from said(files, where, key=key, thread=thread, text=text, at=None, role="system")
        for number, chunk in enumerate(chunks):
            where = f"{files.place(name)}, chunk {number + 1}"
            if chunk.get("isThought"):
                files.leave_out(THOUGHTS, where)
                continue
            yield from said(
                files,
                where,
                key=f"{thread}:{number}",
                thread=thread,
                text=_chunk_text(chunk),
                at=time_with_offset(chunk.get("createTime")),
                role="assistant" if chunk.get("role") == "model" else "user",
            )


def _chunk_text(chunk: Mapping[str, Any]) -> str:
    """Returns the text of a chunk, and a line for each thing in it that is no text."""
    lines = [chunk["text"]] if isinstance(chunk.get("text"), str) else []
    if not lines:
        lines = [str(part["text"]) for part in objects(chunk, "parts") if isinstance(part.get("text"), str)]
    for key, value in chunk.items():
        if key.startswith("drive") or key == "inlineFile":
            lines.append(f"[{key.removeprefix('drive').removeprefix('inline').lower()}]")
        elif key == "executableCode" and isinstance(value, dict):
            lines.append(str(value.get("code") or ""))
        elif key == "codeExecutionResult" and isinstance(value, dict):
            lines.append(str(value.get("output") or ""))
    return "\n".join(line for line in lines if line)


GEMINI = Gemini()
AI_STUDIO = AiStudio()
