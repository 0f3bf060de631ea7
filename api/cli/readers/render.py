"""`render`: draw any text as page images for a reader."""

import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from foxing.api.cli.context import JsonOption, state_of
from foxing.api.cli.output import table
from foxing.api.cli.streams import is_stream, name_of, read_input, refuse_stream, write_images
from foxing.memory import InvalidInput

if TYPE_CHECKING:
    from foxing.renderer.readers import Reader

MANIFEST = "manifest.json"
#: Placeholder: entries need a time, but files are drawn without one.
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)

ReaderOption = Annotated[str, typer.Option("--reader", "-r", help="Name of the reader.", show_default=False)]


class NewlineOption(StrEnum):
    """Representation of a line break: a new row or a mark."""

    BREAK = "break"
    MARK = "mark"


def render(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Text files in UTF-8; - is standard input.", show_default=False)],
    reader: ReaderOption,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to write the images and their manifest to.")
    ] = Path(),
    newline: Annotated[
        NewlineOption,
        typer.Option(help="break: a line break starts a new row; mark: it is drawn as ¶, which is denser."),
    ] = NewlineOption.BREAK,
    as_json: JsonOption = False,
) -> None:
    """Draw text files as page images for a reader, and show the tokens that it bills for them.

    The images are proof-read. The manifest lists the identifiers and numbers on each that its type does not show
    safely, which the reader should be given as text.
    """
    from foxing.renderer import Readers

    refuse_stream("--output", output)
    state = state_of(context)
    chosen = Readers(state.settings().readers)[reader]
    texts = [_read(file) for file in files]
    images = [image for file, text in zip(files, texts, strict=True) for image in _draw(file, text, chosen, newline)]
    manifest = _manifest(chosen, [fields for fields, _ in images])
    _write(output, images, manifest)

    def show(console: Console) -> None:
        rows = [
            (image["file"], f"{image['width']} × {image['height']} px", image["tokens"], image["text_tokens"])
            for image in manifest["images"]
        ]
        console.print(table("image, >size, >tokens, >as text", rows))
        doubtful = len({word for image in manifest["images"] for word in image["doubtful"]})
        if doubtful:
            console.print(
                f"{doubtful:,} identifiers and numbers are not shown safely; {MANIFEST} lists them", style="dim"
            )
        console.print(
            f"{chosen.title}: {manifest['billed_tokens']:,} tokens, {manifest['text_tokens_instead']:,} as text; "
            f"{chosen.formula}",
        )

    state.answer(manifest, show)


def _read(file: Path) -> str:
    """Returns the text of a file. Raises `InvalidInput` if it cannot be read, is not UTF-8, or is empty."""
    try:
        text = io.StringIO(read_input(file).decode("utf-8"), newline=None).read()
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name_of(file)} is not UTF-8 text: {error}") from error
    if not text:
        raise InvalidInput(f"{name_of(file)} is empty; there is nothing to draw")
    return text


def _draw(file: Path, text: str, reader: "Reader", newline: NewlineOption) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yields the manifest entry and the PNG of each image of a text. Raises `RenderError` for one that is not exact."""
    from foxing.encoder import count_text_tokens
    from foxing.memory.ingest.doubtful_words import doubtful_words
    from foxing.renderer import Entry
    from foxing.renderer.readers import page_images, require_exact

    name = "stdin" if is_stream(file) else file.name
    entry = Entry(name, "", text, _NO_TIME, header=False)
    for number, image in enumerate(page_images([entry], reader, newline.value), 1):
        proof = require_exact(image)
        start, stop = image.page.placements[0].char_start, image.page.placements[0].char_stop
        fields = {
            "file": f"{name}.{number}.png",
            "source": name,
            "characters": [start, stop],
            "width": image.width_px,
            "height": image.height_px,
            "tokens": image.tokens,
            "text_tokens": count_text_tokens(text[start:stop]),
            "doubtful": doubtful_words([text[start:stop]], proof.type),
        }
        yield fields, image.png


def _manifest(reader: "Reader", images: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "reader": reader.name,
        "formula": reader.formula,
        "images": list(images),
        "billed_tokens": sum(image["tokens"] for image in images),
        "text_tokens_instead": sum(image["text_tokens"] for image in images),
    }


def _write(folder: Path, images: Sequence[tuple[dict[str, Any], bytes]], manifest: dict[str, Any]) -> None:
    """Writes the images and then the manifest. Raises `InvalidInput` if files would overwrite each other, or the folder
    cannot be written."""
    names = [fields["file"] for fields, _ in images]
    if len(set(names)) < len(names):
        raise InvalidInput("two of the files have the same name; render them into different folders")
    text = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
    write_images(folder, {**{fields["file"]: png for fields, png in images}, MANIFEST: text.encode()})
