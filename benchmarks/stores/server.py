"""A service with the paths of Foxing's `store` and `recall` over another store.

python -m benchmarks.stores.server 'Chroma' FOLDER
"""

import json
import socket
import sys
from pathlib import Path
from threading import Lock

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks.baselines.extensions import NotInstalled
from foxing.memory.index.embedder import USE
from foxing.memory.index.embedders import open_embedder

from .systems import SYSTEMS, Store


def application(store: Store) -> Starlette:
    """Returns the service. These stores are called by one thread at a time, as their own clients are."""
    lock = Lock()

    def add(texts: list[str]) -> None:
        for text in texts:
            with lock:
                store.add(text)

    def search(question: str) -> list[str]:
        with lock:
            return store.search(question)

    async def store_messages(request: Request) -> Response:
        await run_in_threadpool(add, [message["content"] for message in (await request.json())["messages"]])
        return JSONResponse({}, 201)

    async def recall(request: Request) -> Response:
        found = await run_in_threadpool(search, (await request.json())["query"])
        return JSONResponse({"spans": [{"text": text} for text in found]})

    paths = {"messages": store_messages, "recall": recall}
    routes = [Route(f"/v1/banks/{{bank}}/{name}", end, methods=["POST"]) for name, end in paths.items()]
    return Starlette(routes=routes)


def main() -> None:
    """Prints the address as `foxing serve --json` does, and serves until it is killed."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    try:
        store = SYSTEMS[name](folder, open_embedder(USE, None))
    except NotInstalled as error:
        print(json.dumps({"not_installed": str(error)}), flush=True)
        return
    listening = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"url": f"http://127.0.0.1:{listening.getsockname()[1]}"}), flush=True)
    config = uvicorn.Config(application(store), log_level="error", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
