"""Tools whose results are pages of the web, by name."""

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
