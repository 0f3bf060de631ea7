"""Tools whose results are pages of the web, by name, and their calls."""

from collections.abc import Iterable
from dataclasses import replace

from .blocks import NO_ID
from .turns import Turn

#: Names of tools that fetch pages of the web, lower case, without `_`, `-` and the prefix of a server.
WEB_TOOLS = frozenset(
    {
        *("webfetch", "websearch", "webbrowser", "webbrowse", "web", "browser", "browse", "browserun", "openurl"),
        *("fetch", "fetchurl", "fetchpage", "fetchwebpage", "geturl", "urlfetch", "readurl", "visitpage", "visiturl"),
        *("webrun", "websearchcall", "googlesearch", "googlewebsearch", "bravewebsearch", "bravesearch"),
        *("tavilysearch", "tavilyextract", "exasearch", "duckduckgosearch", "firecrawlscrape", "firecrawlsearch"),
        *("browsernavigate", "browsersnapshot", "browsergettext", "puppeteernavigate", "playwrightnavigate"),
        *("webscrape", "scrape", "scrapeurl", "crawl", "urlcontext", "openpage", "readwebpage", "webfetchtool"),
    }
)


def is_web_tool(name: str | None) -> bool:
    """True for the name of a tool that fetches pages of the web, such as `WebFetch` or `mcp__fetch__fetch`."""
    last = (name or "").rsplit("__", 1)[-1].rsplit(".", 1)[-1].rsplit("/", 1)[-1]
    return last.casefold().replace("_", "").replace("-", "") in WEB_TOOLS


class WebCalls:
    """Calls of tools that fetch pages of the web, by which their results are recognised: a result names its call and
    not the tool."""

    def __init__(self, ids: Iterable[str] = ()) -> None:
        """`ids`: of calls earlier in the conversation."""
        #: Ids of the calls without an answer.
        self.ids = set(ids)

    def with_origin(self, turn: Turn) -> Turn:
        """Returns the next turn of a conversation, marked if it is the result of such a tool."""
        first = turn.parts[0]
        call = str(first.get("id", NO_ID))
        if first["type"] == "tool_call" and is_web_tool(str(first.get("name"))):
            self.ids.add(call)
        if first["type"] != "tool_result" or not (call in self.ids or is_web_tool(turn.name)):
            return turn
        self.ids.discard(call)
        return replace(turn, is_of_web=True)
