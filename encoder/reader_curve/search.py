"""Search for the smallest type that a reader reads without silent errors, within a bound of tokens."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from foxing.encoder.text_tokens import count_text_tokens
from foxing.renderer.readers import Reader, ReaderProfileError, TypeSize, require_exact

from .chat import PROMPT, ChatAnswer
from .curve import CellResult, cell_result, max_answer_tokens
from .sample_pages import CELLS, SamplePage, sample_pages

#: Most tokens of a search, and pages that are asked for at once.
MOST_TOKENS = 60_000
PAGES = 4
#: Characters of a page: some 400 text tokens, which a model writes within ten seconds.
PAGE_CHARS = 1_600


@dataclass
class TypeSearch:
    """A binary search over the cell sizes; the smallest one that is read is asked for with as many pages again."""

    reader: Reader
    ask: Callable[[SamplePage], ChatAnswer]
    #: Called with the cell size that is asked for next, and the tokens so far.
    advance: Callable[[tuple[int, int], int], None]
    most_tokens: int = MOST_TOKENS
    #: Tokens that were spent, as the endpoint reports them, else as they are estimated.
    tokens: int = 0
    _pages: dict[tuple[int, int], list[tuple[SamplePage, ChatAnswer]]] = field(default_factory=dict)

    def run(self) -> list[CellResult]:
        """Returns the results, smallest first. Raises the errors of `ask`."""
        cells = list(CELLS)
        low = 0
        high = len(cells)
        while low < high and self._measure(cells[middle := (low + high) // 2]):
            low, high = (low, middle) if self._reads(cells[middle]) else (middle + 1, high)
        while low < len(cells) and not self._is_confirmed(cells[low]) and self._measure(cells[low]):
            low += not self._reads(cells[low])
        return [self._result(cell) for cell in cells if self._pages.get(cell)]

    def types(self) -> list[TypeSize]:
        """Returns the cell sizes with their accuracy, for a profile. Those that may not be used say why."""
        return [self._type(cell) for cell in CELLS if self._pages.get(cell)]

    def _type(self, cell: tuple[int, int]) -> TypeSize:
        result = self._result(cell)
        reason = None
        if result.score.silent_errors:
            wrong = result.score.silent_errors
            characters = result.score.characters
            reason = f"{wrong:,} of {characters:,} characters were misread without a sign of doubt"
        elif self._reads(cell) and not self._is_confirmed(cell):
            reason = f"read on {PAGES} pages alone"
        return result.type.model_copy(update={"refused": reason})

    def _measure(self, cell: tuple[int, int]) -> bool:
        """Asks for the next pages of a cell size. Returns False if there are no tokens left for them. A size that the
        provider scales down is not read."""
        done = self._pages.setdefault(cell, [])
        try:
            pages = sample_pages(self.reader, [cell], PAGES, first=len(done), characters=PAGE_CHARS)
        except ReaderProfileError:
            return True
        prompt = count_text_tokens(PROMPT)
        limit = sum(page.image.tokens + prompt + max_answer_tokens(page) for page in pages)
        if self.tokens + limit > self.most_tokens:
            return False
        self.advance(cell, self.tokens)
        for page in pages:
            require_exact(page.image)
        with ThreadPoolExecutor(PAGES) as pool:
            answers = list(pool.map(self.ask, pages))
        done += zip(pages, answers, strict=True)
        for page, answer in zip(pages, answers, strict=True):
            self.tokens += answer.prompt_tokens or page.image.tokens + prompt
            self.tokens += answer.completion_tokens or count_text_tokens(answer.text)
        return True

    def _result(self, cell: tuple[int, int]) -> CellResult:
        pages, answers = zip(*self._pages[cell], strict=True)
        return cell_result(pages, answers)

    def _is_confirmed(self, cell: tuple[int, int]) -> bool:
        return len(self._pages.get(cell, ())) > PAGES and self._reads(cell)

    def _reads(self, cell: tuple[int, int]) -> bool:
        if not self._pages[cell]:
            return False
        result = self._result(cell)
        return result.type.legible and not result.score.silent_errors
