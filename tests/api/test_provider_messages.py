"""Messages of providers over HTTP."""

import httpx
import pytest

SESSION = [
    {"role": "user", "parts": [{"text": "When does Titan ship?"}]},
    {"role": "model", "parts": [{"text": "hm", "thought": True}, {"functionCall": {"name": "find", "args": {"q": 1}}}]},
    {"role": "user", "parts": [{"functionResponse": {"name": "find", "response": {"output": "14 March"}}}]},
]


def test_contents_of_gemini_are_stored(client: httpx.Client) -> None:
    answer = client.post("/v1/banks/ana/messages", json={"provider": "gemini", "messages": SESSION, "thread": "s1"})
    assert answer.status_code == 201
    assert answer.json()["left_out"] == {"thinking": 1}
    spans = client.post("/v1/banks/ana/recall", json={}).json()["spans"]
    assert [(span["role"], span["text"]) for span in spans] == [
        ("user", "When does Titan ship?"),
        ("assistant", '△ find find {"q":1}'),
        ("tool", "▽ find\n14 March"),
    ]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"provider": "mistral", "messages": SESSION}, "provider must be anthropic, openai"),
        ({"provider": "openai", "messages": [{"role": "narrator", "content": "x"}]}, "messages[0]: role must be"),
        ({"provider": "openai", "messages": []}, "at least 1 item"),
        ({"messages": []}, "at least 1 item"),
    ],
)
def test_others_are_refused(client: httpx.Client, body: object, detail: str) -> None:
    refused = client.post("/v1/banks/ana/messages", json=body)
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert detail in refused.text
    assert client.get("/v1/banks").json()["banks"] == []
