"""Batches for the training: strips of pages drawn by the renderer, some of them as a bad scanner would give them."""

import multiprocessing
import random
import sysconfig
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from queue import Empty, Full
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from foxing.encoder.bench import development
from foxing.encoder.bench.documents import dense_pages, read_messages
from foxing.encoder.contract import UNREADABLE
from foxing.encoder.errors import CodecError
from foxing.encoder.native.charset import HANGUL_FIRST, HANGUL_LAST, Charset
from foxing.encoder.native.network.encoder import Targets
from foxing.renderer import BLANK, DENSE_PAGE, WIDE_TAIL, Cells, Repertoire, Typesetter, render

from .negatives import inked_cells, strange_image
from .objective import targets
from .synthetic import Drawer

PYTHON_SOURCES = "code_python"  # the text share of the standard library of the Python that trains
PAGES_EACH = 1500  # of a source, at most
AHEAD = 6  # batches drawn before they are needed
CODE_CHARACTERS = 2500  # of one message of source code
STRUCK_SHARE = 0.02  # of the strips
TYPOGRAPHIC_SHARE = 0.04  # of the strips
SPRINKLED_SHARE = 0.2  # of the strips
SPRINKLED = (0.02, 0.08, 0.3)  # of the characters of such a strip
SPRINKLED_RUNS = (1, 1, 3, 8)  # cells that are sprinkled one after another
NEIGHBOURS = 60  # characters next to each other in Unicode, which are often of one script
#: Signs of ASCII → those that stand for them in print, in turn.
PRINTED = {"'": "’’’‘", '"': "“”", "-": "—–-"}
STALLED_S = 120  # without a batch, before the drawing process is asked whether it lives
#: How often a degraded image is shifted: a pixel is a quarter of a cell at `small`, half of one at `micro`.
SHIFTED = {"large": 0.6, "base": 0.6, "small": 0.7, "tiny": 0.5, "micro": 0.15}


HANGUL = np.arange(HANGUL_FIRST, HANGUL_LAST + 1, dtype=np.uint32)


class Shares(Protocol):
    """The part of the training options that says what is drawn; all shares are relative."""

    @property
    def seed(self) -> int: ...
    @property
    def strips(self) -> int: ...
    @property
    def augmented_share(self) -> float: ...
    @property
    def strange_share(self) -> float: ...
    @property
    def text_shares(self) -> Mapping[str, float]: ...
    @property
    def drawn_shares(self) -> Mapping[str, float]: ...
    @property
    def tier_shares(self) -> Mapping[str, float]: ...


def python_sources(generator: random.Random) -> Iterator[dict[str, Any]]:
    """Documents out of the standard library's source files, in random order."""
    paths = sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py"))
    paths = [path for path in paths if "site-packages" not in path.parts]
    generator.shuffle(paths)
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        parts = [text[i : i + CODE_CHARACTERS] for i in range(0, min(len(text), 20_000), CODE_CHARACTERS)]
        roles = ("tool", "assistant")
        if parts:
            yield {"id": path.stem, "messages": [{"role": generator.choice(roles), "content": p} for p in parts]}


class StripSource:
    """Strips of typeset text, drawn at random from the training texts and from all characters."""

    def __init__(self, folder: Path, charset: Charset, shares: Shares) -> None:
        if not any((folder / f"{name}.jsonl.gz").exists() for name in shares.text_shares):
            raise CodecError(f"no training texts in {folder}; give --data a folder with train/*.jsonl.gz")
        self.charset = charset
        self.generator = random.Random(shares.seed)
        setter = Typesetter(repertoire=Repertoire(charset.characters))
        self.cells: dict[str, Cells] = {}
        words: set[str] = set()
        spoken: dict[str, set[str]] = defaultdict(set)
        self.prose = ""
        for name in shares.text_shares:
            path = folder / f"{name}.jsonl.gz"
            if name == PYTHON_SOURCES:
                documents = list(python_sources(self.generator))
            elif path.exists():
                documents = list(read_messages(path))
            else:
                continue
            self.generator.shuffle(documents)
            pages = dense_pages(documents, setter, PAGES_EACH)
            self.cells[name] = np.concatenate([page.cells for page in pages])
            sample = " ".join(m["content"] for d in documents[:200] for m in d["messages"])[:200_000]
            words.update(w.lower() for w in sample.split() if w.isalpha() and w.isascii() and 1 < len(w) < 14)
            spoken[name[:2]].update(w for w in sample.split() if len(w) < 24)
            if name.startswith("en"):
                self.prose += sample.replace("\n", " ")
            print(f"{name}: {len(pages)} pages", flush=True)
        self._narrow = printable(charset.told), printable("".join(c for c in charset.told if c in charset.rare))
        full = (charset.full_width_signs, charset.wide + charset.rare_wide, charset.rare_wide)
        self._full = *map(printable, full), HANGUL
        self.drawer = Drawer(charset, sorted(words), self.generator, [sorted(known) for known in spoken.values()])
        self._choices = [*self.cells, *shares.drawn_shares]
        self._weights = [shares.text_shares[name] for name in self.cells] + list(shares.drawn_shares.values())

    def sprinkled(self, strip: Cells) -> Cells:
        """`strip` with characters of all kinds among those of its text, alone or in runs, so that each is read from its
        pixels in any company."""
        generator = np.random.default_rng(self.generator.getrandbits(32))
        run = self.generator.choice(SPRINKLED_RUNS)
        chosen = generator.random(strip.shape) < self.generator.choice(SPRINKLED) / run
        for _ in range(run - 1):
            chosen[:, 1:] |= chosen[:, :-1] & (generator.random((len(strip), strip.shape[1] - 1)) < 1 - 0.5 / run)
        left = np.zeros(strip.shape, dtype=bool)
        left[:, :-1] = strip[:, 1:] == WIDE_TAIL
        narrow = ~left & (strip > 0x20) & (strip != WIDE_TAIL) & (strip != BLANK)
        result = strip.copy()
        if self.generator.random() < 0.5:  # pairs of narrow characters → full-width ones, and the other way round
            pairs = np.zeros(strip.shape, dtype=bool)
            pairs[:, ::2] = chosen[:, ::2] & narrow[:, ::2] & narrow[:, 1::2]
            result[pairs] = generator.choice(self._near(self._full), int(pairs.sum()))
            result[:, 1::2][pairs[:, ::2]] = WIDE_TAIL
            pairs = chosen & left
            pairs[:, 1:] |= pairs[:, :-1]
            result[pairs] = generator.choice(self._near(self._narrow), int(pairs.sum()))
        else:
            for at, lists in ((chosen & narrow, self._narrow), (chosen & left, self._full)):
                result[at] = generator.choice(self._near(lists), int(at.sum()))
        return result

    def _near(self, lists: Sequence[Cells]) -> Cells:
        """One of `lists`, or a small part of it."""
        known = self.generator.choice(lists)
        if self.generator.random() < 0.5:
            start = self.generator.randrange(len(known))
            known = known[start : start + NEIGHBOURS]
        return known

    def strip(self, rows: int) -> Cells:
        name = self.generator.choices(self._choices, self._weights)[0]
        if name not in self.cells:
            return self.drawer.cells(getattr(self.drawer, name), rows)
        cells = self.cells[name]
        start = self.generator.randrange(max(1, cells.shape[0] - rows + 1))
        strip = cells[start : start + rows]
        if self.generator.random() < TYPOGRAPHIC_SHARE:
            strip = typographic(strip)
        if self.generator.random() < SPRINKLED_SHARE:
            strip = self.sprinkled(strip)
        if self.generator.random() < 0.05:  # pages end in blank rows
            strip = strip.copy()
            strip[self.generator.randrange(rows) :] = BLANK
        return strip


def printable(characters: str) -> Cells:
    """In the order of Unicode."""
    return np.array(sorted(ord(c) for c in characters if c.isprintable() and c != " "), dtype=np.uint32)


def typographic(strip: Cells) -> Cells:
    """`strip` with the quotation marks, apostrophes and dashes of print instead of those of ASCII."""
    result = strip.copy()
    for plain, printed in PRINTED.items():
        places = np.argwhere(strip == ord(plain))
        for number, (row, column) in enumerate(places):
            result[row, column] = ord(printed[number % len(printed)])
    return result


def struck(strip: Cells, generator: random.Random) -> Cells:
    """`strip` with cells that say unreadable, as a page has them that was decoded and is drawn again."""
    share = generator.choice((0.02, 0.3, 0.95, 1.0))
    mask = np.random.default_rng(generator.getrandbits(32)).random(strip.shape) < share
    if generator.random() < 0.5:
        mask[: generator.randrange(len(strip))] = False
    right = strip == WIDE_TAIL
    mask[:, 1:] &= ~right[:, 1:]
    mask[:, 1:] |= right[:, 1:] & mask[:, :-1]
    inked = (strip != BLANK) & (strip != 0x20)
    return np.where(mask & inked, np.uint32(UNREADABLE), strip)


def degrade(image: Image.Image, tier: str, generator: random.Random) -> Image.Image:
    """The same page as a scanner might give it: shifted, blurred, noisy, compressed, faded."""
    if generator.random() < SHIFTED[tier]:
        dx, dy = generator.choice([-1.0, 0.0, 1.0]), generator.choice([-1.0, 0.0, 1.0])
        if generator.random() < 0.3:
            dx, dy = dx * generator.random(), dy * generator.random()
        image = image.transform(
            image.size, Image.Transform.AFFINE, (1, 0, dx, 0, 1, dy), Image.Resampling.BILINEAR, fillcolor=255
        )
    if generator.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(generator.uniform(0.1, 0.7)))
    if generator.random() < 0.4:
        pixels = np.asarray(image, dtype=np.float32)
        noise = np.random.default_rng(generator.getrandbits(32)).standard_normal(pixels.shape, dtype=np.float32)
        noisy = pixels * generator.uniform(0.85, 1.0) + generator.uniform(2, 12) * noise
        image = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    if generator.random() < 0.15:
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=generator.randint(70, 95))
        image = Image.open(buffer).convert("L")
    return image


def strip_rows(tier: str) -> int:
    """Rows of a training strip: whole token rows at every tier, at least 16."""
    step = DENSE_PAGE.rows_per_token(tier)
    return step * -(-16 // step)


def draw(source: StripSource, shares: Shares, generator: random.Random) -> tuple[str, list[Image.Image], list[Cells]]:
    """One batch: its tier, images, and what they show."""
    tier = generator.choices(*zip(*shares.tier_shares.items(), strict=True))[0]
    rows = strip_rows(tier)
    strips: list[Cells] = []
    images: list[Image.Image] = []
    for _ in range(shares.strips):
        strip = source.strip(rows)
        if generator.random() < STRUCK_SHARE:
            strip = struck(strip, generator)
        image = render(strip, DENSE_PAGE, tier)
        chance = generator.random()
        if chance < shares.strange_share:
            image = strange_image(image, source.prose, generator)
            strip = np.where(inked_cells(image, *strip.shape), np.uint32(UNREADABLE), np.uint32(BLANK))
        elif chance < shares.strange_share + shares.augmented_share:
            image = degrade(image, tier, generator)
        strips.append(strip)
        images.append(image)
    return tier, images, strips


class Batches:
    """Endless batches, drawn ahead by a process of its own: drawing is Python, and would hold up the training's."""

    def __init__(self, folder: Path, charset: Charset, shares: Shares, seed: int) -> None:
        self._charset = charset
        context = multiprocessing.get_context("spawn")
        self._queue: Any = context.Queue(maxsize=AHEAD)
        arguments = (self._queue, folder, charset, shares, seed)
        self._process = context.Process(target=_draw_forever, args=arguments, daemon=True)
        self._process.start()

    def __iter__(self) -> Iterator[tuple[str, Tensor, Targets]]:
        """Tier, pixels and targets; after `wait`. Raises `CodecError` when the drawing process has died."""
        while True:
            tier, images, strips = self._next()
            pixels = 1 - torch.from_numpy(images).unsqueeze(1).float() / 255
            yield tier, pixels, targets(strips, self._charset)

    def wait(self) -> None:
        """Until the texts are typeset. Raises `CodecError` when there are none."""
        first = self._next()
        if isinstance(first, CodecError):
            raise first

    def _next(self) -> Any:
        while True:
            try:
                return self._queue.get(timeout=STALLED_S)
            except Empty:
                if not self._process.is_alive():
                    raise CodecError("the process that draws batches has died; look above for its error") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.join()
        self._process.close()
        self._queue.close()


def _draw_forever(queue: Any, folder: Path, charset: Charset, shares: Shares, seed: int) -> None:
    torch.set_num_threads(1)
    try:
        source = StripSource(folder, charset, shares)
    except CodecError as error:
        queue.put(error)
        return
    queue.put(None)  # ready
    generator = random.Random(seed)
    while True:
        tier, images, strips = draw(source, shares, generator)
        batch = tier, np.stack([np.asarray(image) for image in images]), strips
        while True:
            try:
                queue.put(batch, timeout=5)
                break
            except Full:
                parent = multiprocessing.parent_process()
                if parent is None or not parent.is_alive():  # killed; nobody will take this batch
                    queue.cancel_join_thread()
                    return


def held_out_pages(folder: Path, charset: Charset, names: Sequence[str]) -> dict[str, list[Cells]]:
    """Cells of held-out pages of each file, at most two, by the file's name; pages that no figure is reported on."""
    setter = Typesetter(repertoire=Repertoire(charset.characters))
    result: dict[str, list[Cells]] = {}
    for name in names:
        path = folder / f"{name}.jsonl.gz"
        if path.exists():
            pages = dense_pages(list(read_messages(path)), setter, 4)
            result[name] = [page.cells for page in development(pages)[:2]]
    return {name: cells for name, cells in result.items() if cells}
