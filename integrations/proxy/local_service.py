"""Transport of requests to the service that runs on a database of this machine, which proves on each connection that it
is the one that wrote the announcement."""

from http.client import HTTPException

import httpx

from foxing.renderer import TOKEN_HEADER, Announcement

#: Seconds to connect and for the proof, where a request names none.
_VERIFY_S = 5.0


class LocalTransport(httpx.BaseTransport):
    """Sends each request on a connection of its own, with the token of the service. Thread-safe."""

    def __init__(self, announcement: Announcement) -> None:
        self._announcement = announcement

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Returns the response. Raises `httpx.TransportError`; nothing was sent to another program."""
        limits = request.extensions.get("timeout", {})
        try:
            connection = self._announcement.http_connection(limits.get("connect") or _VERIFY_S, limits.get("read"))
        except TimeoutError as error:
            raise httpx.ConnectTimeout("the service did not answer in time", request=request) from error
        except OSError as error:
            raise httpx.ConnectError(str(error), request=request) from error
        try:
            connection.putrequest(
                request.method, request.url.raw_path.decode(), skip_host=True, skip_accept_encoding=True
            )
            for name, value in request.headers.raw:
                if name.lower() != b"connection":
                    connection.putheader(name, value)
            connection.putheader("Connection", "close")
            connection.putheader(TOKEN_HEADER, self._announcement.token)
            connection.endheaders(request.read())
            response = connection.getresponse()
            return httpx.Response(response.status, headers=response.getheaders(), content=response.read())
        except TimeoutError as error:
            raise httpx.ReadTimeout("the service did not answer in time", request=request) from error
        except (OSError, HTTPException) as error:
            raise httpx.ReadError(str(error) or type(error).__name__, request=request) from error
        finally:
            connection.close()
