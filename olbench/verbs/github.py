"""What GitHub Actions shows of a check: annotations on standard output, and Markdown in the step's summary."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import click

Level = Literal["error", "warning"]

MOST = 10  # annotations of a kind that GitHub shows of one step
_MOST_BYTES = 1_000_000  # a summary above 1 MiB is refused whole
# A line break ends a command, and what follows could be one more: names come from outside.
_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}


def here(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this is a step of a workflow."""
    return environ.get("GITHUB_ACTIONS") == "true"


def annotations(level: Level, titled: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A workflow command for each (title, sentence); what GitHub would leave out is counted in the last one."""
    told = list(titled)
    shown = told if len(told) <= MOST else told[: MOST - 1]
    for title, sentence in shown:
        yield command(level, title, sentence)
    if len(told) > len(shown):
        yield command(level, "olbench", f"and {len(told) - len(shown):,} more")


def command(level: Level, title: str, sentence: str) -> str:
    """One workflow command, on one line whatever the texts hold."""
    return f"::{level} title={_escaped(title, _PROPERTY)}::{_escaped(sentence, _DATA)}"


def summarise(markdown: str, environ: Mapping[str, str] = os.environ) -> None:
    """Append to the step's summary where there is one; one that cannot be written costs a note and no more."""
    path = environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8", newline="\n") as file:
            file.write(_cut(markdown) + "\n")
    except OSError as fault:
        click.echo(f"note: the step's summary cannot be written ({fault.strerror or fault})", err=True)


def _cut(markdown: str) -> str:
    whole = markdown.encode()
    if len(whole) <= _MOST_BYTES:
        return markdown
    kept = whole[:_MOST_BYTES].decode(errors="ignore").rpartition("\n")[0]
    return f"{kept}\n\nThe rest is too long for a summary; `--markdown FILE` has it whole.\n"


def _escaped(text: str, signs: Mapping[str, str]) -> str:
    return "".join(signs.get(sign, sign) for sign in text)
