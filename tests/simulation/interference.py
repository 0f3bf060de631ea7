"""Interference with a call: an embedder that fails, another memory that erases."""

from collections.abc import Iterator
from contextlib import contextmanager

from foxing.memory import NotFound

from .codec import PackedCodec
from .embedder import WordEmbedder
from .model import Original
from .steps import Step
from .subject import Subject


class Interference(Subject):
    """Faults of what stands beside the memory."""

    @contextmanager
    def _embedder_failing(self, step: Step) -> Iterator[WordEmbedder | None]:
        """Has the embedder fail during a step whose fault says so."""
        embedder = self.embedder
        if embedder is None or step.fault is None or step.fault.kind != "embedder":
            yield None
            return
        embedder.fails = True
        embedder.failures = 0
        try:
            yield embedder
        finally:
            embedder.fails = False

    @contextmanager
    def _erasing(self, step: Step) -> Iterator[list[tuple[str, Original]]]:
        """Has another memory erase a message while a step encodes pages, if its fault says so. Yields what it has
        erased."""
        victims: list[tuple[str, Original]] = []
        banks = sorted(name for name, model in self.banks.items() if model.originals)
        if step.fault is None or step.fault.kind != "erasure" or not isinstance(self.codec, PackedCodec) or not banks:
            yield victims
            return
        bank = step.arguments.get("bank", banks[step.fault.at % len(banks)])
        calls = 0
        number = step.fault.at

        def act() -> None:
            nonlocal calls
            calls += 1
            model = self.banks.get(bank)
            originals = [] if model is None or model.held else list(model.originals.values())
            if calls != 1 + number % 2 or not originals:
                return
            if number % 3:
                originals = originals[-8:]  # those that are being sealed, if any are
            other = self._new_memory()
            try:
                victim = originals[number * 7919 % len(originals)]
                other.erase_message(bank, victim.id or "")
                victims.append((bank, victim))
            except NotFound:
                pass  # it has expired, or the step itself has erased it
            finally:
                other._database.close()

        self.codec.before_encode = act
        try:
            yield victims
        finally:
            self.codec.before_encode = lambda: None
