"""Redaction of secrets: what share of planted ones is found, and how many lines of clean code are touched.

python -m benchmarks.redaction --clean PATH… --json
python -m benchmarks.redaction --secrets FILE --ordinary FILE --json

The planted secrets are random, in the forms that those who issue them document; they were made without the rules. Clean
are the files given, by default the standard library of Python.

`--secrets` and `--ordinary` are sets written by hand, JSON Lines. A text with secrets, {"id", "lang", "kind", "text",
"secrets", "keep"}, is recognised if none of its `secrets` is left; it is right if all that it is to `keep` is there as
well. An ordinary line, {"id", "lang", "text"}, is right if nothing of it changes.
"""

import argparse
import json
import string
import sysconfig
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from foxing.memory import NewMessage
from foxing.memory.ingest.redaction import SENSITIVE, Redaction

from .command_line import add_json_option, show_fields, write_json

UPPER, DIGITS, HEX = string.ascii_uppercase, string.digits, "0123456789abcdef"
ALNUM = string.ascii_letters + DIGITS
URL_SAFE = ALNUM + "-_"
BASE64 = ALNUM + "+/"
BASE32 = UPPER + "234567"
OF_EACH = 5
PLACES: Mapping[str, Callable[[str], NewMessage]] = {
    "text": lambda secret: NewMessage(role="user", content=f"Please use {secret} for the deployment, it is new."),
    "tool argument": lambda secret: NewMessage.model_validate(
        {
            "role": "assistant",
            "content": [
                {
                    "type": "tool_call",
                    "id": "c",
                    "name": "run",
                    "arguments": {"command": f"deploy --key {secret} --now"},
                }
            ],
        }
    ),
    "code": lambda secret: NewMessage(
        role="user", content=f'client = connect(\n    key="{secret}",\n    retries=3,\n)'
    ),
}


def _kinds(random: Random) -> dict[str, Callable[[], str]]:
    """Returns the kind of a secret → what makes one."""

    def some(characters: str, number: int) -> str:
        return "".join(random.choices(characters, k=number))

    return {
        "AWS secret key": lambda: f"aws_secret_access_key = {some(BASE64, 40)}",
        "GitHub personal token": lambda: "ghp_" + some(ALNUM, 36),
        "GitHub fine-grained token": lambda: f"github_pat_{some(ALNUM, 22)}_{some(ALNUM, 59)}",
        "GitLab token": lambda: "glpat-" + some(URL_SAFE, 20),
        "Slack bot token": lambda: f"xoxb-{some(DIGITS, 12)}-{some(DIGITS, 13)}-{some(ALNUM, 24)}",
        "Slack webhook": lambda: (
            f"https://hooks.slack.com/services/T{some(UPPER, 8)}/B{some(UPPER, 10)}/{some(ALNUM, 24)}"
        ),
        "Discord webhook": lambda: f"https://discord.com/api/webhooks/{some(DIGITS, 18)}/{some(URL_SAFE, 68)}",
        "Stripe key": lambda: "sk_live_" + some(ALNUM, 24),
        "Stripe webhook secret": lambda: "whsec_" + some(ALNUM, 32),
        "Google API key": lambda: "AIza" + some(URL_SAFE, 35),
        "Google OAuth secret": lambda: "GOCSPX-" + some(URL_SAFE, 28),
        "OpenAI key": lambda: "sk-proj-" + some(URL_SAFE, 120),
        "OpenAI old key": lambda: f"sk-{some(ALNUM, 20)}T3BlbkFJ{some(ALNUM, 20)}",
        "Anthropic key": lambda: f"sk-ant-api03-{some(URL_SAFE, 93)}AA",
        "Hugging Face token": lambda: "hf_" + some(string.ascii_letters, 34),
        "npm token": lambda: "npm_" + some(ALNUM, 36),
        "PyPI token": lambda: "pypi-AgEIcHlwaS5vcmc" + some(URL_SAFE, 150),
        "Docker token": lambda: "dckr_pat_" + some(URL_SAFE, 27),
        "Azure storage key": lambda: f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={some(BASE64, 86)}==",
        "Azure signature": lambda: f"https://a.blob.core.windows.net/c/f?sv=2024-11-04&sig={some(ALNUM, 43)}%3D",
        "Twilio key": lambda: "SK" + some(HEX, 32),
        "SendGrid key": lambda: f"SG.{some(URL_SAFE, 22)}.{some(URL_SAFE, 43)}",
        "Mailgun key": lambda: "key-" + some(HEX, 32),
        "Mailchimp key": lambda: f"{some(HEX, 32)}-us{random.randint(1, 21)}",
        "Telegram bot token": lambda: f"{some('123456789', 10)}:AA{some(URL_SAFE, 33)}",
        "Shopify token": lambda: "shpat_" + some(HEX, 32),
        "DigitalOcean token": lambda: "dop_v1_" + some(HEX, 64),
        "Databricks token": lambda: "dapi" + some(HEX, 32),
        "Linear key": lambda: "lin_api_" + some(ALNUM, 40),
        "Notion token": lambda: "ntn_" + some(ALNUM, 46),
        "Figma token": lambda: "figd_" + some(URL_SAFE, 40),
        "Postman key": lambda: f"PMAK-{some(HEX, 24)}-{some(HEX, 34)}",
        "Grafana token": lambda: f"glsa_{some(ALNUM, 32)}_{some(HEX, 8)}",
        "Vault token": lambda: "hvs." + some(URL_SAFE, 90),
        "JSON web token": lambda: f"eyJ{some(URL_SAFE, 33)}.eyJ{some(URL_SAFE, 80)}.{some(URL_SAFE, 43)}",
        "private key": lambda: (
            f"-----BEGIN RSA PRIVATE KEY-----\n{some(BASE64, 64)}\n{some(BASE64, 64)}\n-----END RSA PRIVATE KEY-----"
        ),
        "password in a URL": lambda: f"postgresql://app:{some(ALNUM, 16)}@db.example.org:5432/app",
        "assigned password": lambda: f'password = "{some(ALNUM + "!%&?", 14)}"',
        "environment variable": lambda: f"\nSERVICE_API_TOKEN={some(ALNUM, 32)}\n",
        "bearer header": lambda: f"Authorization: Bearer {some(ALNUM, 40)}",
        "age key": lambda: "AGE-SECRET-KEY-1" + some("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
    }


@dataclass(frozen=True)
class Redacted:
    """Figures of redaction."""

    kinds: int
    planted: int
    #: share that nothing is left of
    found: float
    #: kinds of which some were not found
    missed: Sequence[str]
    clean_lines: int
    touched_lines: int
    #: rule → lines of clean text that it touched
    touched_by: Mapping[str, int]


@dataclass(frozen=True)
class Written:
    """Figures of texts that were written by hand."""

    texts: int
    #: share of texts of whose secrets nothing is left
    recognised: float
    #: share of texts of which all is left that is to be kept
    kept: float
    #: share of texts that are both
    right: float
    #: language → the share of texts that are recognised, and that are right
    by_language: Mapping[str, tuple[float, float]]
    #: kind → the same
    by_kind: Mapping[str, tuple[float, float]]
    #: ids of texts that are not right
    wrong: Sequence[str]
    ordinary_lines: int
    changed_lines: int
    #: ids of ordinary lines that change
    changed: Sequence[str]


def measure_written(secrets: Path | None, ordinary: Path | None) -> Written:
    """Returns the figures of sets written by hand, either of which may be left out."""
    rules = Redaction(rules=SENSITIVE)
    rows, lines = _rows(secrets), _rows(ordinary)
    scores = {row["id"]: _score(row, rules.text(row["text"], Counter())) for row in rows}
    changed = [row["id"] for row in lines if rules.text(row["text"], Counter()) != row["text"]]

    def by(field: str) -> dict[str, tuple[float, float]]:
        values = sorted({row[field] for row in rows})
        return {value: _shares([scores[row["id"]] for row in rows if row[field] == value]) for value in values}

    recognised, right = _shares(list(scores.values()))
    return Written(
        texts=len(rows),
        recognised=recognised,
        kept=sum(kept for _, kept in scores.values()) / max(1, len(rows)),
        right=right,
        by_language=by("lang"),
        by_kind=by("kind"),
        wrong=[name for name, score in scores.items() if score != (True, True)],
        ordinary_lines=len(lines),
        changed_lines=len(changed),
        changed=changed,
    )


def _rows(path: Path | None) -> list[dict[str, Any]]:
    if path is None:
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def _score(row: Mapping[str, Any], left: str) -> tuple[bool, bool]:
    """Returns whether nothing is left of the secrets, and whether all is left that is to be kept."""
    return not any(secret in left for secret in row["secrets"]), all(kept in left for kept in row["keep"])


def _shares(scores: Sequence[tuple[bool, bool]]) -> tuple[float, float]:
    number = max(1, len(scores))
    return sum(gone for gone, _ in scores) / number, sum(gone and kept for gone, kept in scores) / number


def measure(clean: Sequence[Path], seed: int = 0) -> Redacted:
    """Returns the figures. `clean`: files and folders of code without secrets."""
    rules = Redaction(rules=("secrets",))
    kinds = _kinds(Random(seed))
    planted = found = 0
    missed: Counter[str] = Counter()
    for kind, make in kinds.items():
        for _ in range(OF_EACH):
            secret = make()
            for place in PLACES.values():
                planted += 1
                counts: Counter[str] = Counter()
                left = rules.message(place(secret), counts).text
                if counts and not any(piece in left for piece in _guarded(secret)):
                    found += 1
                else:
                    missed[kind] += 1
    lines = touched = 0
    touched_by: Counter[str] = Counter()
    for line in _lines(clean):
        lines += 1
        counts = Counter()
        if rules.text(line, counts) != line:
            touched += 1
            touched_by.update(counts)
    return Redacted(len(kinds), planted, found / planted, sorted(missed), lines, touched, dict(touched_by))


def _guarded(secret: str) -> Iterator[str]:
    """Yields the parts of a planted text that must not be left: the longest runs without a space or a quote."""
    longest = max(secret.replace('"', " ").replace("=", " ").split(), key=len)
    yield longest.rpartition("@")[0].rpartition(":")[2] if "@" in longest else longest[-12:]


def _lines(clean: Sequence[Path]) -> Iterator[str]:
    files = [file for path in clean for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    for file in files:
        yield from file.read_text(encoding="utf-8", errors="replace").splitlines()


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.redaction",
        description="Plant secrets in text, tool arguments and code, and count those that redaction finds, and the "
        "lines of clean code that it touches.",
    )
    standard = Path(sysconfig.get_path("stdlib"))
    default = [standard / name for name in ("asyncio", "email", "http", "importlib", "json", "logging", "unittest")]
    parser.add_argument("--clean", type=Path, nargs="+", default=default, help="Files and folders of clean code.")
    parser.add_argument("--secrets", type=Path, help="Texts with secrets, written by hand, in place of planted ones.")
    parser.add_argument("--ordinary", type=Path, help="Ordinary lines, written by hand.")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    if options.secrets is None and options.ordinary is None:
        figures = asdict(measure(options.clean))
    else:
        figures = asdict(measure_written(options.secrets, options.ordinary))
    (write_json if options.as_json else show_fields)(figures)


if __name__ == "__main__":
    main()
