"""Page images are proof-read before they are given, each once, and what they do not show safely stands beside them."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from foxing.memory import ContextRequest, ContextResult, Memory, MemoryOptions
from foxing.memory.ingest.doubtful_words import doubtful_words
from foxing.renderer.raster import rasterize
from foxing.renderer.readers import ProofReader, Readers
from foxing.renderer.type_proof import TypeProof

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")

BANK = "shop"
START = datetime(2026, 1, 5, 9, tzinfo=UTC)
NOW = START + timedelta(days=2)
SAID = "Order {order} of 14 lamps waits in shelf8, gate 27, lane 38 and hall B201 for {name}."
#: Of its words with digits, those that the smallest type draws too much alike, and those that it draws safely.
DOUBTFUL, SAFE = ("W4923227", "shelf8", "38", "B201"), ("14", "27")
BITMAP: dict[str, Any] = {
    "provider": "anthropic",
    "limits": {"max_side_px": 1568, "max_images": 9, "max_image_bytes": 1 << 20, "max_request_bytes": 1 << 23},
    "billing": {"formula": "flat", "per_image": 20},
}
READERS: dict[str, Any] = {
    name: {**BITMAP, "title": name, "type": [{**size, "identifiers": 1.0, "silent_identifiers": 0.0, "n": 100}]}
    for name, size in (
        ("dense", {"width_px": 5, "height_px": 8, "font": "spleen-5x8"}),
        ("legible", {"width_px": 9, "height_px": 16, "font": "jetbrains-mono-14"}),
    )
}


@pytest.fixture
def memory(database_path: Path) -> Iterator[Memory]:
    with Memory(database_path, clock=lambda: NOW, options=MemoryOptions(readers=Readers(READERS))) as opened:
        said = [
            {
                "role": "user",
                "content": SAID.format(order=f"W{4923227 + number}", name=name),
                "created_at": START + timedelta(minutes=number),
                "id": name,
            }
            for number, name in enumerate(("Mina", "Jun", "Ada", "Bo", "Eve", "Max"))
        ]
        opened.store(BANK, said)
        opened.seal(BANK)
        opened.store(BANK, [{"role": "user", "content": "Hello."}])
        yield opened


def build(memory: Memory, reader: str, **fields: Any) -> ContextResult:
    given = {"reader": reader, "budget": 2000, "query": "which order waits in the shelf?", "form": "blocks"}
    given |= {"thread": "another", "min_relevance": 0.0}
    return memory.context(BANK, ContextRequest.from_fields({**given, "show": "images", **fields}))


def texts(result: ContextResult) -> str:
    return "\n".join(str(block["text"]) for block in result.content if block["type"] == "text")


def images(result: ContextResult) -> list[dict[str, Any]]:
    return [block for block in result.content if block["type"] == "image"]


@pytest.mark.parametrize("keepsakes", [True, False])
def test_identifiers_and_numbers_that_look_like_others_stand_beside_the_image(memory: Memory, keepsakes: bool) -> None:
    """Also where the reader was measured to misread no identifier silently, and keepsakes are not wanted."""
    dense = build(memory, "dense", keepsakes=keepsakes)
    assert images(dense)
    assert set(DOUBTFUL) <= set(texts(dense).split())
    assert not set(SAFE) & set(texts(dense).split())
    legible = build(memory, "legible", keepsakes=keepsakes)
    assert images(legible)
    assert not {*DOUBTFUL, *SAFE} & set(texts(legible).split())
    assert dense.billed_tokens > legible.billed_tokens


def test_recalled_images_name_the_words(memory: Memory) -> None:
    for reader, doubtful in (("dense", set(DOUBTFUL)), ("legible", set[str]()), ("native", set[str]())):
        recalled = memory.recall_images(BANK, "which order waits?", reader=reader)
        assert recalled.images
        assert {word for image in recalled.images for word in image.doubtful} >= doubtful
        assert not {word for image in recalled.images for word in image.doubtful} & set(SAFE)


def flip_a_pixel(*given: Any) -> npt.NDArray[np.uint8]:
    drawn = rasterize(*given)
    drawn[3, 3] ^= 255
    return drawn


def test_an_image_that_is_not_exact_is_not_given(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["foxing.renderer.readers.images"], "rasterize", flip_a_pixel)
    for show in ("images", "best"):
        result = build(memory, "dense", show=show)
        assert not images(result)
        assert any("not show its text exactly" in note for note in result.notes)
    assert "shelf8" in texts(build(memory, "dense", show="best"))
    recalled = memory.recall_images(BANK, "which order waits?", reader="dense")
    assert not recalled.images
    assert len(recalled.whole_spans) == 6
    assert all("waits in shelf8" in span.text for span in recalled.whole_spans)


def test_a_sealed_page_is_proof_read_once(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = ProofReader.read

    def counted(self: ProofReader, image: Any) -> Any:
        proof = real(self, image)
        read.append(f"{proof.digest}: {self.count}")
        return proof

    monkeypatch.setattr(ProofReader, "read", counted)
    for _ in range(2):
        build(memory, "dense")
        memory.recall_images(BANK, "which order waits?", reader="dense")
    assert len(read) >= 4
    digests, counts = zip(*(each.split(": ") for each in read), strict=True)
    assert int(counts[-1]) == len(set(digests)) <= 2  # the stored page, and the one composed of its matches
    assert read[0].endswith(": 1")


def test_words_are_listed_once_in_their_order() -> None:
    proof = TypeProof(missing=frozenset("é"), clipped=frozenset("Ñ"), similar={"3": "8", "rn": "m"})
    said = ["barn7 and 3 of 4, é Ñ", "13 of Ñ2, barn7, src/barn/x4.py, https://example.com/3 or 3."]
    assert doubtful_words(said, proof) == (*("barn7", "3", "13", "Ñ2", "src/barn/x4.py", "https://example.com/3"),)
    assert doubtful_words(said, TypeProof()) == ()
    assert doubtful_words(["no number é", ""], proof) == ()
    assert doubtful_words(["13:def, 2:3 and 3,"], proof) == ("13", "2:3", "3")
