"""Types generated from the OpenAPI document are right: a program that uses them compiles, and wrong ones do not."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from foxing.api.app import create_app
from foxing.api.settings import Settings

PACKAGES = ("openapi-typescript@7", "typescript@5")
PROGRAM = """
import type { components } from "./schema";

type S = components["schemas"];

const recall: S["RecallRequest"] = { query: "When does Titan ship?" };
const store: S["StoreRequest"] = { messages: [{ role: "user", content: "We ship Titan on 14 March." }] };
const parts: S["StoreRequest"] = {
  messages: [{ role: "tool", content: [{ type: "tool_result", id: "call_1", content: "done" }] }],
};
const age: S["AgeRequest"] = {};
const compress: S["CompressRequest"] = { messages: [{ role: "user", content: "Hi" }] };
const fold: S["FoldRequest"] = { session: "s", wire: "openai", messages: [], reader: "text", budget: 8000 };

export function texts(answer: S["RecallResult"] | S["RecalledImages"]): string[] {
  if (answer.format === "images") {
    return answer.images.map((image) => image.data);
  }
  const notes: string[] = answer.notes;
  return [...notes, ...answer.spans.map((span) => span.text)];
}

export function said(part: S["TextPart"] | S["ToolCall"] | S["ToolResult"]): string {
  return part.type === "text" ? part.text : part.type === "tool_call" ? part.name : part.id;
}

export const threads: S["Threads"] = { threads: [], next_cursor: null };
export const given = [recall, store, parts, age, compress, fold];
"""
WRONG = """
import type { components } from "./schema";

type S = components["schemas"];

export function texts(answer: S["RecallResult"] | S["RecalledImages"]): unknown {
  return answer.images;
}
export const store: S["StoreRequest"] = { messages: [{ role: "nobody", content: "Hi" }] };
export const recall: S["RecallRequest"] = { colour: "red" };
"""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = create_app(Settings.model_construct()).openapi()
    return loaded


def test_answers_of_recall_are_told_apart(document: dict[str, Any]) -> None:
    answer = document["paths"]["/v1/banks/{bank}/recall"]["post"]["responses"]["200"]["content"]["application/json"]
    assert answer["schema"]["discriminator"] == {
        "propertyName": "format",
        "mapping": {"text": "#/components/schemas/RecallResult", "images": "#/components/schemas/RecalledImages"},
    }
    for name in ("RecallResult", "RecalledImages"):
        assert "format" in document["components"]["schemas"][name]["required"]


def test_what_has_a_default_in_a_request_is_optional(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in ("RecallRequest", "StoreRequest", "AgeRequest", "FoldRequest", "ContextRequest", "NewMessage"):
        required = schemas[name].get("required", [])
        fields = schemas[name]["properties"]
        assert not any("default" in field for field in fields.values()), name
        assert not any("x-default" in fields[field] for field in required), name
    assert schemas["RecallRequest"]["properties"]["limit"]["x-default"] == 20
    assert "default" in schemas["RecallResult"]["properties"]["notes"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
def test_a_typescript_program_with_generated_types_compiles(document: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "package.json").write_text("{}", encoding="utf-8")
    (tmp_path / "program.ts").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "wrong.ts").write_text(WRONG, encoding="utf-8")

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    installed = run("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES)
    if installed.returncode:
        pytest.skip(f"npm cannot install {', '.join(PACKAGES)}: {installed.stderr[-200:]}")
    generated = run("npx", "openapi-typescript", "openapi.json", "--output", "schema.d.ts")
    assert generated.returncode == 0, generated.stderr
    compiled = run("npx", "tsc", "--noEmit", "--strict", "--skipLibCheck", "program.ts")
    assert compiled.returncode == 0, compiled.stdout
    refused = run("npx", "tsc", "--noEmit", "--strict", "--skipLibCheck", "wrong.ts")
    for reason in ("Property 'images' does not exist", "'\"nobody\"' is not assignable", "'colour' does not exist"):
        assert reason in refused.stdout
