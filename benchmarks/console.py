"""Measures the pages of the console over one large bank, and the list of many banks.

python -m benchmarks.console --json
"""

import re
import secrets
import shutil
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from html import unescape
from math import ceil
from pathlib import Path
from random import Random
from statistics import median, quantiles
from urllib.parse import urlencode

import httpx
from sqlalchemy import select

from foxing.memory import Memory, MemoryOptions
from foxing.memory.storage import schema
from foxing.memory.storage.database import Database
from foxing.memory.storage.manifest import PageManifest
from foxing.memory.storage.message_filter import microseconds
from foxing.memory.values.banks import BankInfo

from .command_line import Advance, command, measuring, write_result
from .load import texts
from .load.banks import BANK, database_path, make_large_bank, open_database, place_of
from .load.processes import Service, checked, client

#: Pages are not read in advance, so that a page that nobody has looked at is decoded.
ENVIRONMENT = {"FOXING_WARM_CACHE": "false", "FOXING_AGEING_ENABLED": "false"}
#: Messages of each of the many banks.
FEW = 3
#: Marks a page whose contents are not ready, and the seconds after which the console's script asks for it again.
PENDING, AGAIN_S = "data-again", 0.15
#: Marks the same of a part of a page, and its link to the part that follows.
PENDING_PART, _NEXT = 'hx-trigger="load', re.compile(r'rel="next" href="([^"]+)" hx-get')
FIRST_PAINT = """() => new Promise((found) => {
    const painted = () => performance.getEntriesByName("first-contentful-paint").map((entry) => entry.startTime);
    if (painted().length) found(painted()[0]);
    new PerformanceObserver(() => { if (painted().length) found(painted()[0]); }).observe({ type: "paint" });
})"""

#: Returns the path and query of a page; every call asks for something else where the page takes parameters.
Address = Callable[[Random], str]


@dataclass(frozen=True)
class PageRow:
    """Figures of a page of the console. Durations in ms, as measured by a client that asks for one at a time."""

    page: str
    requests: int
    #: until the answer, which may be a page that says that the contents are being read
    p50_ms: float
    p95_ms: float
    #: until the contents, which such a page asks for again
    complete_p50_ms: float
    complete_p95_ms: float
    #: processor time of the service for a request
    cpu_ms: float
    #: size of the largest answer
    html_bytes: int
    #: median time of the first contentful paint in Chromium; None if it was not measured
    first_paint_ms: float | None = None


def addresses(memory: Memory, bank: BankInfo) -> dict[str, Address]:
    """Returns page → its addresses in a bank. A question, a date or a message is asked for once, so that its pages have
    to be decoded."""
    home = f"/console/banks/{bank.id}"
    assert bank.first_at is not None
    assert bank.last_at is not None
    first, seconds = bank.first_at, (bank.last_at - bank.first_at).total_seconds()

    def at(random: Random) -> datetime:
        return first + timedelta(seconds=random.random() * seconds)

    def message(random: Random) -> str:
        found = memory.recall(bank.id, since=at(random), limit=1, track=False).spans
        return found[0].message_id

    def page(path: str, **query: object) -> str:
        return f"{home}/{path}?{urlencode(query)}" if query else f"{home}/{path}"

    threads = [thread.thread for thread in memory.threads(bank.id, limit=20).threads]
    return {
        "banks": lambda random: "/console/banks",
        "banks, search": lambda random: f"/console/banks?{urlencode({'q': texts.query(random)})}",
        "overview": lambda random: page("overview"),
        "timeline, newest": lambda random: page("timeline"),
        "timeline from a date": lambda random: page("timeline", since=at(random).date()),
        "timeline of a thread": lambda random: page("timeline", thread=random.choice(threads), since=at(random).date()),
        "timeline, search": lambda random: page("timeline", q=texts.query(random)),
        "message": lambda random: page("message", id=message(random)),
        "recall": lambda random: page("recall", q=texts.query(random)),
        "context": lambda random: page("context", reader="claude", budget=4_000, q=texts.query(random)),
        "policy": lambda random: page("policy"),
        "import": lambda random: page("import"),
        "savings": lambda random: page("savings"),
        "health": lambda random: "/console/health",
    }


def make_bank(folder: Path, messages: int, different: int, days: float) -> None:
    """Creates a bank of about `messages` messages from `days` days; `different` of them are distinct, the rest copies
    that follow each other in time, so that what was said at a time is on few pages."""
    make_large_bank(folder, messages, different, days)
    database = Database(place_of(folder))
    pages, manifests = schema.pages, schema.page_manifests
    with database.write() as connection:
        rows = connection.execute(select(pages.c.id, pages.c.first_at, pages.c.last_at).order_by(pages.c.id)).all()
        first: datetime = min(row.first_at for row in rows)
        last: datetime = max(row.last_at for row in rows)
        copies = ceil(messages / different)
        length: timedelta = (last - first) / copies

        def moved(at: datetime, copy: int) -> datetime:
            return first + copy * length + (at - first) / copies

        for number, row in enumerate(rows):
            copy = number * copies // len(rows)
            times = {"first_at": moved(row.first_at, copy), "last_at": moved(row.last_at, copy)}
            connection.execute(
                pages.update().where(pages.c.id == row.id).values(times | {"arrived_at": times["last_at"]})
            )
            of_page = manifests.c.page_id == row.id
            held = PageManifest.unpack(connection.execute(select(manifests.c.manifest).where(of_page)).scalar_one())
            start, shift = microseconds(first), copy * (length // timedelta(microseconds=1))
            packed = replace(held, times=start + shift + (held.times - start) // copies).pack()
            connection.execute(manifests.update().where(of_page).values(manifest=packed, stamp=secrets.randbits(62)))
    database.close()


def measure_pages(
    folder: Path,
    requests: int,
    *,
    only: Container[str] | None = None,
    browser: bool = False,
    progress: Advance | None = None,
) -> list[PageRow]:
    """Returns the figures of each page over the bank in `folder`. `only`: names of the pages to measure; `browser`:
    with the first paint."""
    with open_database(folder) as memory:
        found = addresses(memory, memory.bank(BANK)).items()
        asked = {name: _different(each, requests + 1) for name, each in found if only is None or name in only}
    rows = []
    with Service(folder, environment=ENVIRONMENT) as service, client(service.url()) as http, _paints(browser) as paint:
        checked(http.get("/readyz"))
        for number, (name, (first, *rest)) in enumerate(asked.items()):
            _completed(http, first, checked(http.get(first)))  # the first request of a service loads what all need
            rows.append(_row(name, service, http, rest, paint))
            if progress is not None:
                progress(number + 1, len(asked))
    return rows


def measure_many_banks(folder: Path, banks: int, requests: int, *, browser: bool = False) -> list[PageRow]:
    """Returns the figures of the list of `banks` banks, and of searches over them: for a word that all banks have, and
    for one that a single bank has, which is complete when all banks are searched."""
    with Memory(database_path(folder), options=MemoryOptions(embedder="none")) as memory:
        for number in range(banks):
            said = [{"role": "user", "content": f"Note {note} of bank {number}."} for note in range(FEW)]
            memory.store(f"bank-{number:06}", said)
    environment = ENVIRONMENT | {"FOXING_EMBEDDER": "none"}
    with Service(folder, environment=environment) as service, client(service.url()) as http, _paints(browser) as paint:
        checked(http.get("/readyz"))
        random = Random("banks")
        everywhere = [f"/console/banks?{urlencode({'q': f'note {number % FEW}'})}" for number in range(requests)]
        somewhere = [f"/console/banks?{urlencode({'q': str(random.randrange(banks))})}" for _ in range(requests)]
        rows = {
            "banks": ["/console/banks"] * requests,
            "banks, search": everywhere,
            "banks, search of a word of one bank": somewhere,
            "health": ["/console/health"] * requests,
        }
        for first, *_ in rows.values():
            _completed(http, first, checked(http.get(first)))
        return [_row(f"{name} of {banks:,}", service, http, paths, paint) for name, paths in rows.items()]


def _different(address: Address, number: int) -> list[str]:
    random = Random("console")
    return [address(random) for _ in range(number)]


def _row(
    name: str, service: Service, http: httpx.Client, paths: Sequence[str], paint: Callable[[str], float] | None
) -> PageRow:
    times: list[float] = []
    complete: list[float] = []
    size, used = 0, service.processor_s()
    for path in paths:
        began = time.perf_counter()
        answer = checked(http.get(path))
        times.append((time.perf_counter() - began) * 1e3)
        answer = _completed(http, path, answer)
        complete.append((time.perf_counter() - began) * 1e3)
        size = max(size, len(answer.content))
    used = service.processor_s() - used
    painted = None if paint is None else round(median(paint(str(http.base_url.join(path))) for path in paths[:5]), 1)
    return PageRow(
        page=name,
        requests=len(paths),
        p50_ms=round(median(times), 1),
        p95_ms=_p95(times),
        complete_p50_ms=round(median(complete), 1),
        complete_p95_ms=_p95(complete),
        cpu_ms=round(used / len(paths) * 1e3, 1),
        html_bytes=size,
        first_paint_ms=painted,
    )


def _completed(http: httpx.Client, path: str, answer: httpx.Response) -> httpx.Response:
    """Returns the page with its contents, asked for as often as a browser does. Loads what the end of a page in view
    asks for, too: the following parts of a search that has found nothing yet."""
    while PENDING in answer.text:
        time.sleep(AGAIN_S)
        answer = checked(http.get(path))
    page, part = answer, answer
    while "<article" not in part.text and (following := _NEXT.search(part.text)):
        part = checked(http.get(unescape(following[1]), headers={"HX-Request": "true"}))
        while PENDING_PART in part.text:
            time.sleep(AGAIN_S)
            part = checked(http.get(unescape(following[1]), headers={"HX-Request": "true"}))
    return page


def _p95(values: Sequence[float]) -> float:
    return round(quantiles(values, n=20)[18], 1)


@contextmanager
def _paints(wanted: bool) -> Iterator[Callable[[str], float] | None]:
    """A function that opens a URL in Chromium and returns the time of its first paint in ms; None if not `wanted`."""
    if not wanted:
        yield None
        return
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-headless-shell", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        raise RuntimeError("there is no Chromium (Debian: chromium-headless-shell)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])

        def paint(url: str) -> float:
            page = browser.new_page()
            page.goto(url)
            painted = float(page.evaluate(FIRST_PAINT))
            page.close()
            return painted

        yield paint
        browser.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    parser = command(
        "console",
        __doc__.splitlines()[0],
        ("messages", 1, 1_000_000, "Messages in the bank"),
        ("different", 1, 10_000, "Distinct messages"),
        ("days", 1, 300, "Days that the messages span"),
        ("banks", 1, 1_000, "Banks of the list"),
        ("requests", 2, 40, "Requests for each page"),
    )
    parser.add_argument("--folder", type=Path, help="Folder of the bank; if it has one already, that is measured.")
    parser.add_argument("--page", action="append", help="Only this page, by its name in the table; can be repeated.")
    parser.add_argument("--browser", action="store_true", help="Measure the first paint in Chromium as well.")
    options = parser.parse_args(arguments)
    with measuring("console") as (made, progress):
        folder = options.folder or made / "large"
        folder.mkdir(parents=True, exist_ok=True)
        if not database_path(folder).exists():
            make_bank(folder, options.messages, options.different, float(options.days))
        rows = measure_pages(folder, options.requests, only=options.page, browser=options.browser, progress=progress)
        many = made / "many"
        many.mkdir()
        if not options.page:
            rows += measure_many_banks(many, options.banks, options.requests, browser=options.browser)
    write_result(options, rows, "console")


if __name__ == "__main__":
    main()
