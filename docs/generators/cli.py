"""The reference of the `foxing` command, as `typer … utils docs` writes it."""

import re

from typer.cli import get_docs_for_click
from typer.main import get_command

from foxing.api.cli.main import FoxingGroup, app

HEAD = """\
<!-- Written by docs/generate.py; do not edit. -->
# The `foxing` command

Every command that works on a memory opens the database named by `--database`, `FOXING_DATABASE_URL` or the file of
settings ([settings](settings.md)) and upgrades it first. `--database` and `--version` go before the name of the
command, all other options after it. An option whose value ends in `…` takes several values, up to the next option.

Results go to stdout; progress, remarks and errors to stderr. With `--json`, the result is one JSON document, and an
error is a problem document on stderr ([problems](http.md#problems)). The exit status is 0 on success, 1 on failure and
2 if the command line or a setting is invalid.

Installed packages can [add commands](../guides/plugins.md#commands); `foxing --help` lists them too.
"""
#: `<` before a placeholder such as <bank>, which is not HTML.
_PLACEHOLDER = re.compile(r"(?<!`)<(?=\w)")
_CODE = re.compile(r"(```.*?```|`[^`]*`)", re.DOTALL)


def cli_page() -> str:
    """Markdown: every command of ours with its help, arguments and options."""
    group = get_command(app)
    assert isinstance(group, FoxingGroup)
    group.own_only = True
    context = group.make_context("foxing", [], resilient_parsing=True)
    written = get_docs_for_click(obj=group, ctx=context, name="foxing")
    _, _, body = written.partition("\n\n")  # its title
    body = body.replace("```console\n$ ", "```text\n")  # the form of a command, which cannot run
    body = "".join(part if part.startswith("`") else _PLACEHOLDER.sub("&lt;", part) for part in _CODE.split(body))
    return f"{HEAD}\n{body.strip()}\n"
