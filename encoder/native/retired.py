"""Retired weights: tokens that they wrote are still read, none are written any more.

When the network changes, the decoder of the weights before stays in the package, each in one file
`data/retired/<digest>.safetensors` with its dimensions and its charset, and this module has the network that such a
file describes. It shares no code with the present network, which may change as it likes.

    python -m foxing.encoder.native.retired native.safetensors    # writes data/retired/<digest>.safetensors
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from foxing.encoder.contract import Reading
from foxing.encoder.errors import CodecError, TokensError
from foxing.encoder.tokens import VisionTokens, unpack_uint4
from foxing.renderer import DENSE_PAGE, WIDE_TAIL, Cells

RETIRED_FOLDER = Path(__file__).parent / "data" / "retired"
FORMAT = "foxing-native-1-decoder"
FORMAT_BEFORE = "foxing-native-1"  # of the whole weights that a file is made from

CODEC = "native"
LEVELS = 16  # of a number in a vision token: 4 bits
PAIRS = 80  # pairs of cells in a row of the dense page
BATCH_PAGES = 8
DIGEST_CHARACTERS = 12  # of the sha256 that names weights in vision tokens
HANGUL_FIRST = 0xAC00
N_LEAD, N_VOWEL, N_TAIL = 19, 21, 28

_lock = Lock()


@dataclass(frozen=True)
class RetiredDims:
    """What the decoder needs of the sizes in the file. `numbers`: tier → numbers of 4 bits for each pair of cells."""

    n_channels: int
    kernel: int
    dilations: tuple[int, ...]
    numbers: Mapping[str, int]

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """From the dimensions of the whole network."""
        numbers = {tier: int(dims["n_numbers"]) for tier, dims in fields["tiers"].items()}
        return cls(fields["n_decoder"], fields["kernel"], tuple(fields["decoder_dilations"]), numbers)

    @property
    def context_pairs(self) -> int:
        """How far, in pairs, a pair's reading can depend on codes before or after it."""
        return self.kernel // 2 * sum(self.dilations)


@dataclass(frozen=True)
class RetiredCharset:
    """`common` and `rare`: the narrow characters; `wide`: the full-width ones that are not Hangul syllables."""

    common: str
    rare: str
    wide: str

    @property
    def rare_class(self) -> int:
        return len(self.common)

    @property
    def wide_class(self) -> int:
        return len(self.common) + 1

    @property
    def hangul_class(self) -> int:
        """Of the classes of a full-width character."""
        return len(self.wide)


class TextConv(nn.Module):
    """A residual convolution along the text, across the ends of rows. [B, L, D] → [B, L, D]."""

    def __init__(self, n_channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(n_channels)
        self.conv = nn.Conv2d(
            n_channels, n_channels, (1, kernel), padding=(0, kernel // 2 * dilation), dilation=(1, dilation)
        )
        self.out = nn.Linear(n_channels, n_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x).transpose(1, 2).unsqueeze(2)  # [B, D, 1, L]
        y = F.gelu(self.conv(y).squeeze(2).transpose(1, 2))
        mixed: Tensor = self.out(y)
        return x + mixed


class RetiredDecoder(nn.Module):
    """Numbers of 4 bits → characters, all pairs of cells of a page at once."""

    def __init__(self, dims: RetiredDims, charset: RetiredCharset) -> None:
        super().__init__()
        n = dims.n_channels
        self.expand = nn.ModuleDict({tier: nn.Linear(numbers, n) for tier, numbers in dims.numbers.items()})
        self.layers = nn.ModuleList(TextConv(n, dims.kernel, dilation) for dilation in dims.dilations)
        self.norm = nn.LayerNorm(n)
        self.cells = nn.Linear(n, 2 * (charset.wide_class + 1))
        self.rare = nn.ModuleList(nn.Linear(n, len(charset.rare)) for _ in range(2))  # left, right
        self.wide = nn.Linear(n, charset.hangul_class + 1)
        self.jamo = nn.Linear(n, N_LEAD + N_VOWEL + N_TAIL)

    def forward(self, values: Tensor, tier: str) -> tuple[Tensor, Tensor]:
        """`values`: float [B, L, n] in [-1, 1] → logits of the cells [B, L, 2, classes], and the vectors [B, L, D]
        from which the other heads read."""
        x = self.expand[tier](values)
        for layer in self.layers:
            x = layer(x)
        x = self.norm(x)
        return self.cells(x).unflatten(-1, (2, -1)), x


class RetiredReader:
    """Decodes the tokens of one set of retired weights. Safe to share between threads."""

    def __init__(
        self,
        decoder: RetiredDecoder,
        dims: RetiredDims,
        charset: RetiredCharset,
        weights: str,
        temperatures: Mapping[str, float],
        flag_below: Mapping[str, float],
    ) -> None:
        """`weights`: digest of the weights that wrote the tokens; `temperatures`, `flag_below`: of each tier."""
        self.decoder = decoder
        self.dims = dims
        self.charset = charset
        self.weights = weights
        self.temperatures = dict(temperatures)
        self.flag_below = dict(flag_below)
        #: Grid rows on either side of a row that its reading depends on.
        self.context_rows = -(-dims.context_pairs // PAIRS)
        self._common = torch.tensor([ord(c) for c in charset.common] + [0, 0])
        self._rare = torch.tensor([ord(c) for c in charset.rare])
        self._wide = torch.tensor([ord(c) for c in charset.wide] + [0])

    @property
    def device(self) -> torch.device:
        return next(self.decoder.parameters()).device

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """One `Reading` for each, as the retired codec gave it; tiers may be mixed. Raises `TokensError` for tokens of
        another codec, other weights or a shape that these weights did not write."""
        for item in tokens:
            self._check(item)
        result: dict[int, Reading] = {}
        for numbers in _batches(tokens):
            tier = tokens[numbers[0]].tier
            cells, confidence = self._read(np.stack([self._unpack(tokens[i]) for i in numbers]), tier)
            for index, number in enumerate(numbers):
                result[number] = Reading(tier, cells[index], confidence[index], self.flag_below[tier])
        return [result[i] for i in range(len(tokens))]

    @torch.inference_mode()
    def _read(self, levels: npt.NDArray[np.uint8], tier: str) -> tuple[Cells, npt.NDArray[np.float32]]:
        """uint8[B, L, n] → cells uint32[B, rows, 160] and confidence float32[B, rows, 160]."""
        values = torch.from_numpy(levels).to(self.device).float() * (2 / (LEVELS - 1)) - 1
        heat = self.temperatures[tier]
        decoder, charset = self.decoder, self.charset

        def pick(logits: Tensor) -> tuple[Tensor, Tensor]:
            best = (logits.float() / heat).softmax(-1).max(-1)
            return best.values.cpu(), best.indices.cpu()

        with _arithmetic(self.device):
            logits, hidden = decoder(values, tier)
            sure, best = pick(logits)
            points = self._common[best]
            wide = best[:, :, 0] == charset.wide_class
            for side in range(2):
                rare = (best[:, :, side] == charset.rare_class) & ~wide
                if rare.any():
                    p, index = pick(decoder.rare[side](hidden[rare.to(self.device)]))
                    points[:, :, side][rare] = self._rare[index]
                    sure[:, :, side][rare] *= p
            # on the right there is nothing to be full-width by itself
            alone = (best[:, :, 1] == charset.wide_class) & ~wide
            points[:, :, 1][alone] = 0x20
            sure[:, :, 1][alone] = 0.0
            if wide.any():
                pairs = hidden[wide.to(self.device)]
                p, index = pick(decoder.wide(pairs))
                chosen = self._wide[index]
                hangul = index == charset.hangul_class
                if hangul.any():
                    jamo = decoder.jamo(pairs[hangul.to(self.device)]).split((N_LEAD, N_VOWEL, N_TAIL), dim=-1)
                    (p_lead, lead), (p_vowel, vowel), (p_tail, tail) = (pick(part) for part in jamo)
                    chosen[hangul] = HANGUL_FIRST + (lead * N_VOWEL + vowel) * N_TAIL + tail
                    p[hangul] *= p_lead * p_vowel * p_tail
                points[:, :, 0][wide] = chosen
                points[:, :, 1][wide] = WIDE_TAIL
                sure[wide] = (sure[:, :, 0][wide] * p).unsqueeze(-1).expand(-1, 2)
        shape = (levels.shape[0], levels.shape[1] // PAIRS, 2 * PAIRS)
        return points.numpy().astype(np.uint32).reshape(shape), sure.numpy().reshape(shape)

    def _unpack(self, tokens: VisionTokens) -> npt.NDArray[np.uint8]:
        """The numbers of a page pair by pair, row by row: uint8[L, n]. In a token they are those of its own pairs."""
        down, across = DENSE_PAGE.rows_per_token(tokens.tier), DENSE_PAGE.columns_per_token(tokens.tier) // 2
        n = self.dims.numbers[tokens.tier]
        numbers = unpack_uint4(tokens.data, tokens.count, tokens.shape[2])
        grid = numbers.reshape(tokens.shape[0], tokens.shape[1], down, across, n).transpose(0, 2, 1, 3, 4)
        return grid.reshape(-1, n)

    def _check(self, tokens: VisionTokens) -> None:
        if (tokens.codec, tokens.weights) != (CODEC, self.weights):
            raise TokensError(
                f"these tokens were written by the weights {tokens.weights} of the codec '{tokens.codec}', "
                f"and the retired weights {self.weights} cannot read them"
            )
        if tokens.tier not in self.dims.numbers:
            raise TokensError(f"the weights {self.weights} have no tier '{tokens.tier}'")
        columns = DENSE_PAGE.token_rows(tokens.tier)
        pairs = DENSE_PAGE.rows_per_token(tokens.tier) * DENSE_PAGE.columns_per_token(tokens.tier) // 2
        fits = tokens.shape[0] <= columns and tokens.shape[1:] == (columns, pairs * self.dims.numbers[tokens.tier])
        if tokens.dtype != "uint4" or not fits:
            raise TokensError(f"tokens of shape {tokens.shape} and dtype {tokens.dtype} are no page of '{tokens.tier}'")


def retired_reader(digest: str, device: torch.device | str = "cpu") -> RetiredReader | None:
    """The reader of tokens that the weights called `digest` wrote, on `device`; None where they are not among the
    retired weights of this package. In memory once per process and device.

    Raises `CodecError` when their file is damaged.
    """
    if not re.fullmatch(rf"[0-9a-f]{{{DIGEST_CHARACTERS}}}", digest):  # it comes out of stored tokens, and names a file
        return None
    with _lock:
        return _loaded(digest, str(device))


@cache
def _loaded(digest: str, device: str) -> RetiredReader | None:
    path = RETIRED_FOLDER / f"{digest}.safetensors"
    return load_retired(path, device) if path.is_file() else None


def load_retired(path: Path, device: torch.device | str = "cpu") -> RetiredReader:
    """The reader that the file `path` describes. Strict: every tensor, no other. Raises `CodecError`."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CodecError(f"the retired weights {path.name} cannot be read ({error}); reinstall foxing") from error
    if metadata.get("format") != FORMAT or metadata.get("weights") != path.stem:
        raise CodecError(
            f"{path.name} holds weights {metadata.get('weights')!r} of format {metadata.get('format')!r}, "
            f"not {path.stem!r} of {FORMAT!r}; reinstall foxing"
        )
    try:
        dims = RetiredDims.from_dict(json.loads(metadata["dims"]))
        charset = RetiredCharset(**json.loads(metadata["charset"]))
        info = json.loads(metadata["info"])
        temperature, flag_below = info["temperature"], info["flag_below"]
        decoder = RetiredDecoder(dims, charset)
        decoder.load_state_dict(tensors, strict=True)
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise CodecError(f"{path.name} does not fit the network it describes: {error}") from error
    decoder.eval().requires_grad_(False).to(device)
    return RetiredReader(decoder, dims, charset, metadata["weights"], temperature, flag_below)


def retire(path: Path, folder: Path = RETIRED_FOLDER) -> Path:
    """Keeps the decoder of the weights in `path`, in float16, without the encoder. Returns the file written. Raises
    `CodecError` when they cannot be read, or are of another network."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:DIGEST_CHARACTERS]
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            names = [name for name in file.keys() if name.startswith("decoder.")]  # noqa: SIM118
            tensors = {name.removeprefix("decoder."): file.get_tensor(name).half().contiguous() for name in names}
    except (OSError, SafetensorError) as error:
        raise CodecError(f"the weights {path.name} cannot be read ({error})") from error
    if metadata.get("format") != FORMAT_BEFORE:
        raise CodecError(f"{path.name} is of format {metadata.get('format')!r}; this module has {FORMAT_BEFORE!r} only")
    kept = {name: metadata[name] for name in ("dims", "charset", "info")}
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{digest}.safetensors"
    partial = target.with_suffix(".part")
    save_file(tensors, partial, {"format": FORMAT, "weights": digest, **kept})
    partial.replace(target)
    return target


def _arithmetic(device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 where the device computes in it, float32 elsewhere: as the retired codec did."""
    if device.type == "cpu" and not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def _batches(tokens: Sequence[VisionTokens]) -> Iterator[list[int]]:
    """Positions of tokens of one tier and shape together, at most `BATCH_PAGES` at a time."""
    groups: dict[tuple[str, tuple[int, int, int]], list[int]] = defaultdict(list)
    for position, item in enumerate(tokens):
        groups[(item.tier, item.shape)].append(position)
    for positions in groups.values():
        for start in range(0, len(positions), BATCH_PAGES):
            yield positions[start : start + BATCH_PAGES]


def main() -> None:
    import argparse

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="the whole weights, as they were released")
    target = retire(parser.parse_args().weights)
    print(f"{target.name}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
