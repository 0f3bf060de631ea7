"""Workers on Ray Data: stateful actors that hold a memory, its codec and its embedder."""

import logging
import os
import pickle
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from foxing.memory.errors import PoolError
from foxing.renderer import FoxingError

from .work import BulkWork

ATTEMPTS = 5  # at a batch whose worker is killed each time
MAX_BLOCKS = 10_000  # of a data set; with more batches, several share one
OBJECT_STORE_BYTES = 128 << 20  # of a cluster that is started here: batches and outcomes are small
LOCAL = "local"

_Batch = TypeVar("_Batch")
_Result = TypeVar("_Result")


class HasBulkWork(Protocol):
    """A `Memory`."""

    @property
    def bulk(self) -> BulkWork: ...


@dataclass(frozen=True)
class ActorOptions:
    """The workers of a pool."""

    #: How many; None for one for each CPU of the cluster.
    actors: int | None = None
    #: GPUs of each; without one an actor sees none.
    gpus: float = 0.0


class RayPool:
    """A pool on the cluster that `RAY_ADDRESS` names, or else on one that is started on this machine and stopped again
    when the pool is closed. A cluster that this process is connected to already is used and left as it is."""

    def __init__(self, open_memory: Callable[[], HasBulkWork], options: ActorOptions = ActorOptions()) -> None:
        """`open_memory`: opens the memory of a worker; it is pickled. Raises `PoolError` if Ray is not installed, or
        the cluster cannot be reached."""
        self._open_memory = open_memory
        self._options = options
        self._ray = _import_ray()
        self._started = not self._ray.is_initialized()
        if self._started:
            self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stops the cluster that was started here, or disconnects."""
        if self._started:
            self._started = False
            self._ray.shutdown()

    @property
    def machines(self) -> int:
        """How many the cluster has."""
        return sum(bool(node["Alive"]) for node in self._ray.nodes())

    @property
    def actors(self) -> int:
        """How many workers there are."""
        if self._options.actors is not None:
            return self._options.actors
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def run(
        self, work: Callable[[BulkWork, _Batch], _Result], batches: Sequence[_Batch], *, in_order: bool = False
    ) -> Iterator[tuple[_Batch, _Result]]:
        """See `Pool.run`. Actors are started when the first result is asked for."""
        if not batches:
            return
        given_up: PoolError | None = None
        for number, outcome in self._outcomes(work, batches, in_order=in_order):
            if isinstance(outcome, PoolError) and not in_order:
                given_up = outcome  # the other batches do not suffer from it
            elif isinstance(outcome, FoxingError):
                raise outcome
            else:
                yield batches[number], outcome
        if given_up is not None:
            raise given_up

    def _outcomes(
        self, work: Callable[[BulkWork, _Batch], _Result], batches: Sequence[_Batch], *, in_order: bool
    ) -> Iterator[tuple[int, Any]]:
        """The number of a batch, and what `work` returned or which error of ours it raised."""
        data = self._data_set(work, batches, in_order=in_order)
        try:
            for row in data.iter_rows():
                yield int(row["number"]), pickle.loads(row["outcome"])
        except (self._ray.exceptions.RayError, self._ray.data.exceptions.SystemException) as error:
            raise PoolError(f"Ray failed ({_last_line(error)}); run it again, which does what is left") from error

    def _data_set(
        self, work: Callable[[BulkWork, _Batch], _Result], batches: Sequence[_Batch], *, in_order: bool
    ) -> Any:
        """A data set of Ray with a row for the outcome of each batch."""
        data, actors = self._ray.data, min(self.actors, len(batches))
        context = data.DataContext.get_current().copy()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = in_order
        rows = [{"number": n, "batch": pickle.dumps(batch)} for n, batch in enumerate(batches)]
        attempts = self._ray.remote(num_cpus=0)(Attempts).remote()
        with data.DataContext.current(context):
            made = data.from_items(rows, override_num_blocks=min(len(rows), MAX_BLOCKS))
            return made.map_batches(  # actors that are killed are restarted, and their batches given out again
                RayWorker,
                fn_constructor_args=(self._open_memory, work, attempts),
                batch_size=1,
                compute=data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=2),
                num_cpus=1,
                num_gpus=self._options.gpus or None,
            )

    def _start(self) -> None:
        """Connects to the cluster, or starts one."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        address = os.environ.get("RAY_ADDRESS", LOCAL)
        if address == LOCAL:
            quiet |= {"include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
            quiet["num_cpus"] = self._options.actors or os.cpu_count() or 1
        try:
            self._ray.init(address=address, **quiet)
        except (OSError, RuntimeError, ValueError) as error:
            raise PoolError(
                f"Ray cannot be started ({_last_line(error)}); see RAY_ADDRESS, or leave Ray out"
            ) from error


class Attempts:
    """An actor that counts how often each batch was begun."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, number: int) -> int:
        """How often this batch was begun, this time included."""
        self._begun[number] += 1
        return self._begun[number]


class RayWorker:
    """An actor: opens its memory with the first batch, and keeps it."""

    def __init__(
        self, open_memory: Callable[[], HasBulkWork], work: Callable[[BulkWork, Any], object], attempts: Any
    ) -> None:
        """`attempts`: the handle of an actor `Attempts`."""
        self._open_memory = open_memory
        self._work = work
        self._attempts = attempts
        self._memory: HasBulkWork | None = None

    def __call__(self, rows: dict[str, Any]) -> dict[str, list[Any]]:
        """Carries out the batches of some rows; an error of ours is an outcome."""
        numbers = [int(number) for number in rows["number"]]
        outcomes = [self._outcome(*item) for item in zip(numbers, rows["batch"], strict=True)]
        return {"number": numbers, "outcome": [pickle.dumps(outcome) for outcome in outcomes]}

    def _outcome(self, number: int, batch: bytes) -> object:
        if _import_ray().get(self._attempts.begin.remote(number)) > ATTEMPTS:
            return PoolError(
                f"batch {number} of pages or messages was given up: its worker was killed {ATTEMPTS} times; "
                "is there enough memory for this number of actors?"
            )
        try:
            if self._memory is None:
                self._memory = self._open_memory()
            return self._work(self._memory.bulk, pickle.loads(batch))
        except FoxingError as error:
            return error


def _import_ray() -> Any:
    try:
        import ray
        import ray.data
        import ray.exceptions
    except ImportError as error:
        raise PoolError(
            "Ray is not installed, or not all of it; install the extra: pip install 'foxing[ray]'"
        ) from error
    return ray


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
