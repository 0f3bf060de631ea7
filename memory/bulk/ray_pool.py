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
from foxing.renderer.processors import usable_processors

from .work import BulkWork

ATTEMPTS = 5  # maximum attempts at a batch whose worker is killed
MAX_BLOCKS = 10_000  # per data set; with more batches, several share a block
OBJECT_STORE_BYTES = 128 << 20  # of a cluster started by this process; batches and outcomes are small
LOCAL = "local"

_Batch = TypeVar("_Batch")
_Result = TypeVar("_Result")


class HasBulkWork(Protocol):
    """Object with bulk work: the `operations` of a memory."""

    @property
    def bulk(self) -> BulkWork:
        """Bulk work of the memory."""
        ...


class HasOperations(Protocol):
    """A `Memory`."""

    @property
    def operations(self) -> HasBulkWork:
        """See `Memory.operations`."""
        ...


@dataclass(frozen=True)
class ActorOptions:
    """Number and resources of the workers of a pool."""

    #: Number of workers; None for one per CPU of the cluster.
    actors: int | None = None
    #: GPUs per worker; with 0 a worker has access to none.
    gpus: float = 0.0


class RayPool:
    """A pool on the cluster that `RAY_ADDRESS` names, or on one that is started on this machine and stopped when the
    pool is closed. An existing connection of this process to a cluster is used and left open."""

    def __init__(self, open_memory: Callable[[], HasOperations], options: ActorOptions = ActorOptions()) -> None:
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
        """Stops the cluster if it was started here, or disconnects from it."""
        if self._started:
            self._started = False
            self._ray.shutdown()

    @property
    def machines(self) -> int:
        """Number of machines in the cluster."""
        return sum(bool(node["Alive"]) for node in self._ray.nodes())

    @property
    def actors(self) -> int:
        """Number of workers."""
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
                given_up = outcome  # the other batches are not affected
            elif isinstance(outcome, FoxingError):
                raise outcome
            else:
                yield batches[number], outcome
        if given_up is not None:
            raise given_up

    def _outcomes(
        self, work: Callable[[BulkWork, _Batch], _Result], batches: Sequence[_Batch], *, in_order: bool
    ) -> Iterator[tuple[int, Any]]:
        """Yields the number of each batch with the result of `work`, or with the `FoxingError` that it raised."""
        data = self._data_set(work, batches, in_order=in_order)
        try:
            for row in data.iter_rows():
                yield int(row["number"]), pickle.loads(row["outcome"])
        except (self._ray.exceptions.RayError, self._ray.data.exceptions.SystemException) as error:
            raise PoolError(f"Ray failed ({_last_line(error)}); run it again, which does what is left") from error

    def _data_set(
        self, work: Callable[[BulkWork, _Batch], _Result], batches: Sequence[_Batch], *, in_order: bool
    ) -> Any:
        """Ray data set with one row per batch, which holds its outcome."""
        data = self._ray.data
        actors = min(self.actors, len(batches))
        context = data.DataContext.get_current().copy()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = in_order
        rows = [{"number": n, "batch": pickle.dumps(batch)} for n, batch in enumerate(batches)]
        attempts = self._ray.remote(num_cpus=0)(Attempts).remote()
        with data.DataContext.current(context):
            data_set = data.from_items(rows, override_num_blocks=min(len(rows), MAX_BLOCKS))
            return data_set.map_batches(  # killed actors are restarted, and their batches are assigned again
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
            quiet["num_cpus"] = self._options.actors or usable_processors()
        try:
            self._ray.init(address=address, **quiet)
        except (OSError, RuntimeError, ValueError) as error:
            raise PoolError(
                f"Ray cannot be started ({_last_line(error)}); see RAY_ADDRESS, or leave Ray out"
            ) from error


class Attempts:
    """Actor that counts the attempts at each batch."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, number: int) -> int:
        """Counts an attempt at a batch and returns the number of attempts so far."""
        self._begun[number] += 1
        return self._begun[number]


class RayWorker:
    """Actor that opens its memory with the first batch and keeps it open."""

    def __init__(
        self, open_memory: Callable[[], HasOperations], work: Callable[[BulkWork, Any], object], attempts: Any
    ) -> None:
        """`attempts`: handle of the actor `Attempts`."""
        self._open_memory = open_memory
        self._work = work
        self._attempts = attempts
        self._memory: HasOperations | None = None

    def __call__(self, rows: dict[str, Any]) -> dict[str, list[Any]]:
        """Carries out the batches of some rows. A `FoxingError` is returned as the outcome of its batch."""
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
            return self._work(self._memory.operations.bulk, pickle.loads(batch))
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
