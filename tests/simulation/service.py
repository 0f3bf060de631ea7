"""The HTTP service over a memory, in this process and without sockets, and its client."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from starlette.testclient import TestClient

from foxing.api.app import create_app
from foxing.api.settings import load_settings
from foxing.integrations.client import Client, ServiceOptions
from foxing.memory import Memory

URL = "http://127.0.0.1"


class _InProcess(httpx.BaseTransport):
    """Transport that passes requests to an application."""

    def __init__(self, application: TestClient) -> None:
        self.application = application

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self.application.request(
            request.method, str(request.url), headers=dict(request.headers), content=request.read()
        )
        return httpx.Response(response.status_code, headers=dict(response.headers), content=response.content)


@contextmanager
def client_of(memory: Memory) -> Iterator[Client]:
    """Yields a client of a service over `memory`, which does not age by itself. Calls are not tried again."""
    app = create_app(load_settings({"ageing_enabled": False, "console": False}), memory)
    options = ServiceOptions(URL, retry_for_s=1e-3)
    with Client(options) as client, TestClient(app, base_url=URL) as http:
        client._http.close()
        client._http = httpx.Client(**{**options.client_options(), "transport": _InProcess(http)})
        yield client
