"""Options of commands that can run on Ray, and the pool of workers that they select."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from foxing.memory import PoolError

from .context import State

if TYPE_CHECKING:
    from foxing.memory.bulk.ray_pool import RayPool

RayOption = Annotated[
    bool,
    typer.Option(
        "--ray",
        help="Distribute the work over Ray actors, on the cluster at RAY_ADDRESS or on this machine. Requires the "
        "extra 'ray'.",
    ),
]
ActorsOption = Annotated[
    int | None, typer.Option(min=1, help="With --ray: number of actors.", show_default="one per CPU")
]
ActorGpusOption = Annotated[float, typer.Option(min=0, help="With --ray: GPUs per actor; 0.5 runs two actors on one.")]


@dataclass(frozen=True)
class PoolOptions:
    """Values of `--ray`, `--actors` and `--actor-gpus`."""

    ray: bool
    actors: int | None
    gpus: float
    dry_run: bool = False

    def __post_init__(self) -> None:
        """Raises `typer.BadParameter` for options that cannot be combined."""
        if self.ray and self.dry_run:
            raise typer.BadParameter("a dry run uses a single process; remove --ray", param_hint="--ray")
        if not self.ray and (self.actors is not None or self.gpus):
            raise typer.BadParameter("--actors and --actor-gpus require --ray", param_hint="--ray")

    @contextmanager
    def pool(self, state: State) -> Iterator["RayPool | None"]:
        """Opens a pool of workers that use the memory of the settings; yields None without `--ray`. Raises
        `PoolError`."""
        if not self.ray:
            yield None
            return
        from foxing.api.memory_factory import open_memory
        from foxing.api.running_service import sqlite_file
        from foxing.memory.bulk.ray_pool import ActorOptions, RayPool

        settings = state.settings()
        with RayPool(partial(open_memory, settings), ActorOptions(self.actors, self.gpus)) as pool:
            if pool.machines > 1 and sqlite_file(settings.database_url) is not None:
                raise PoolError(
                    "actors on other machines cannot access a SQLite file; unset RAY_ADDRESS, or use PostgreSQL"
                )
            yield pool
