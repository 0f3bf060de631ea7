"""Who may see the console, who may write, and what remembered text can do to a page."""

from html.parser import HTMLParser
from urllib.parse import urlencode

import httpx
import pytest
from support.faded import BANK
from support.service import serve

from foxing.api.console.rendering import FOLDER, strings
from foxing.memory import Memory

from .conftest import MESSAGES

KEY = "correct-horse-battery-staple"
HOME = f"/console/banks/{BANK}"
NASTY = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '"><script>alert(1)</script>',
    "'><script>alert(1)</script>",
    "' onmouseover='alert(1)",
    '" autofocus onfocus="alert(1)',
    '<a href="javascript:alert(1)">x</a>',
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "<iframe src=javascript:alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<object data=javascript:alert(1)>",
    "<embed src=javascript:alert(1)>",
    "<form action=javascript:alert(1)><button>x",
    "<button formaction=javascript:alert(1)>x",
    "<input onfocus=alert(1) autofocus>",
    "<details open ontoggle=alert(1)>",
    "<body onload=alert(1)>",
    "<style>*{background:url(javascript:alert(1))}</style>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<base href=//evil.example/>",
    "<math><mi xlink:href=javascript:alert(1)>",
    "<template><script>alert(1)</script></template>",
    "<textarea></textarea><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</pre><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "<!--<script>alert(1)</script>",
    "--><script>alert(1)</script>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<ScRiPt>alert(1)</sCrIpT>",
    "<script/x>alert(1)</script>",
    "<<script>alert(1)//<</script>",
    "<div hx-get=/console/banks hx-trigger=load>",
    "<div hx-on:load=alert(1)>",
    "<div data-hx-get=/console/logout hx-trigger=load>",
    "{{ 7 * 7 }}",
    "{% raw %}{% endraw %}",
    "${7*7}",
    "{{ config.items() }}",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "\\u003cscript\\u003ealert(1)",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "\u202eevil\u202c",
    "\u2066isolated\u2069\u2067rtl\u2069",
    "\u200f\u200e\u061c marks",
    "null\x00byte",
    "bell\x07 back\x08 escape\x1b",
    "\u2028line\u2029paragraph",
    "\ufeffmark",
    "a<b and c>d & e",
    "`${alert(1)}`",
    "<p>unclosed <b>bold <i>italic",
)


class Reader(HTMLParser):
    """Elements of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def check_inert(html: str) -> Reader:
    """The page, which has no element that a text brought and nothing that runs."""
    page = Reader(html)
    allowed = {"htmx.min.js", "console.js"}
    for tag, attributes in page.elements:
        assert tag not in ("iframe", "object", "embed", "style", "base", "template", "math")
        assert not any(name.startswith(("on", "hx-on", "data-hx")) for name in attributes)
        if tag == "script":
            assert str(attributes["src"]).rpartition("/")[2] in allowed
        for name in ("href", "src", "action", "formaction", "hx-get"):
            value = attributes.get(name)
            assert value is None or value.startswith(("/console/", "#")), (tag, name, value)
    return page


def as_shown(text: str) -> str:
    hidden = "\x00\x07\x08\x1b\u202e\u202c\u2066\u2069\u2067\u200f\u200e\u061c\u2028\u2029\ufeff"
    return "".join(f"⟨U+{ord(each):04X}⟩" if each in hidden else each for each in text)


@pytest.mark.parametrize("text", [*NASTY[:4], *(pytest.param(text, marks=pytest.mark.slow) for text in NASTY[4:])])
def test_remembered_text_is_only_text(shared: tuple[httpx.Client, Memory], text: str) -> None:
    console, memory = shared
    name = "".join(each for each in text if ord(each) >= 32)[:60]  # ids and names have no control characters
    said = {"id": name, "role": "user", "name": name, "content": text, "metadata": {"k": name}}
    memory.store(BANK, [said], thread=name)
    home = check_inert(console.get(f"{HOME}/timeline", params={"thread": name}).text)
    assert as_shown(text) in home.text
    for path, params in (
        ("message", {"id": name}),
        ("timeline", {"thread": name}),
        ("timeline", {"q": text}),
        ("recall", {"q": text}),
        ("context", {"reader": "text", "budget": "3000", "q": text}),
    ):
        response = console.get(f"{HOME}/{path}", params=params)
        assert response.status_code == 200
        check_inert(response.text)
    file = {"file": (f"{name}.jsonl", b"not json")}
    check_inert(console.post(f"{HOME}/import", data={"dry_run": "true"}, files=file).text)
    check_inert(console.get("/console/banks", params={"q": text}).text)


def test_nasty_texts_are_sixty() -> None:
    assert len(set(NASTY)) >= 60


def test_a_key_is_asked_for(memory: Memory) -> None:
    with serve(memory, api_key=KEY) as client:
        asked = client.get(f"{HOME}/overview")
        assert asked.status_code == 303
        assert asked.headers["location"].startswith("/console/login?next=")
        assert client.get(f"{HOME}/overview.json").status_code == 303
        asked = client.get(f"{HOME}/message", params={"id": "a&b"})
        assert asked.headers["location"] == f"/console/login?{urlencode({'next': f'{HOME}/message?id=a%26b'})}"
        for name in ("tokens.css", "console.css", "console.js", "htmx.min.js"):
            assert client.get(f"/console/static/{name}").status_code == 200
        origin = {"origin": str(client.base_url)}
        wrong = client.post("/console/login", data={"key": "wrong"}, headers=origin)
        assert wrong.status_code == 401
        assert "set-cookie" not in wrong.headers
        right = client.post("/console/login", data={"key": KEY, "next": f"{HOME}/overview"}, headers=origin)
        assert right.headers["location"] == f"{HOME}/overview"
        cookie = right.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert KEY not in cookie
        assert client.get(f"{HOME}/overview").status_code == 200
        assert client.get(f"/v1/banks/{BANK}").status_code == 401  # the cookie is for the console alone
        held = dict(client.cookies)
        assert client.post("/console/logout", headers={"origin": "https://evil.example"}).status_code == 403
        assert client.get(f"{HOME}/overview").status_code == 200
        client.post("/console/logout", headers=origin)
        client.cookies.update(held)
        assert client.get(f"{HOME}/overview").status_code == 303


@pytest.mark.parametrize("cookie", ["x", "9999999999.x.y", "é.x.y", "..", "0.a.b", "99999999999999999999.a.b"])
def test_a_forged_cookie_opens_nothing(memory: Memory, cookie: str) -> None:
    with serve(memory, api_key=KEY) as client:
        headers = {b"cookie": f"foxing_console={cookie}".encode()}
        assert client.get(f"{HOME}/overview", headers=headers).status_code == 303


AWAY = (
    *("https://evil.example/", "//evil.example/", "/console/\\evil", "/v1/banks", "/consoles", "console/banks", ""),
    *("/console/../../", "/console/..", "/console/./../docs", "/console/banks/../../docs?x=1", "/console/../#x"),
    *(
        "/console/%2e%2e/docs",
        "/console/.%2E/docs",
        "/console/%2e./%2e%2e/x",
        "/console/..%2f..%2fdocs",
        "/console/%5cx",
    ),
    *("/console/.\t./docs", "/console/\n../docs", "/console//evil.example", "/console/..\\docs", "/console/%09/../x"),
    *("\t//evil.example", "/\t/evil.example", "/console/\r\nSet-Cookie: a=b"),
)
STAYING = ("/console/banks", f"{HOME}/overview", f"{HOME}/recall?q=a..b%2F..%2Fc&x=//", "/console/banks/a.b/x..y")


@pytest.mark.slow
@pytest.mark.parametrize("away", AWAY)
def test_the_session_leads_only_into_the_console(memory: Memory, away: str) -> None:
    with serve(memory, api_key=KEY) as client:
        origin = {"origin": str(client.base_url)}
        response = client.post("/console/login", data={"key": KEY, "next": away}, headers=origin)
        assert response.headers["location"] == "/console/banks"
        assert (resolved := client.base_url.join(response.headers["location"])).path.startswith("/console/")
        assert resolved.host == client.base_url.host


@pytest.mark.parametrize("inside", STAYING)
def test_the_session_goes_on_where_it_was_asked_for(memory: Memory, inside: str) -> None:
    with serve(memory, api_key=KEY) as client:
        origin = {"origin": str(client.base_url)}
        response = client.post("/console/login", data={"key": KEY, "next": inside}, headers=origin)
        assert response.headers["location"] == (inside if "//" not in inside else "/console/banks")


@pytest.mark.slow
def test_no_answer_is_taken_for_another_type(memory: Memory) -> None:
    paths = ("/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/v1/banks", "/v1/nothing", "/nothing")
    more = ("/x/hooks/status", "/x/mcp/a", "/console/banks", "/console/nothing", f"/v1/banks/{BANK}/pages")
    for key in (None, KEY):
        with serve(memory, **({} if key is None else {"api_key": key})) as client:
            for path in (*paths, *more):
                assert client.get(path).headers["x-content-type-options"] == "nosniff"
            assert client.get("/v1/banks", headers={"Host": "evil.example"}).headers["x-content-type-options"]


@pytest.mark.parametrize(
    "headers", [{}, {"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
def test_writes_come_from_pages_of_the_console(memory: Memory, headers: dict[str, str]) -> None:
    with serve(memory) as client:
        data = {"what": "bank", "confirmation": BANK}
        assert client.post(f"{HOME}/erase", data=data, headers=headers).status_code == 403
        assert client.post(f"{HOME}/seal", headers=headers).status_code == 403
    assert memory.bank(BANK).messages == MESSAGES


def test_another_host_name_is_refused(memory: Memory) -> None:
    with serve(memory) as client:
        assert client.get("/console/banks", headers={"host": "evil.example"}).status_code == 421


def test_no_template_holds_text_or_marks_it_safe() -> None:
    for path in (FOLDER / "templates").glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "|safe" not in text.replace(" ", "")
        assert "autoescape" not in text
        assert "style=" not in text
        assert "http" not in text.replace("http-equiv", ""), path.name
    assert strings()["nav"]["banks"] == "Banks"


def test_assets_are_small() -> None:
    assert sum(path.stat().st_size for path in (FOLDER / "static").iterdir()) < 150_000
