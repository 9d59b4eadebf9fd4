"""`olbench compare`: two runs, or files of runs, held against each other and told in any form."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from olbench import compare
from olbench.differences import Comparison
from olbench.report import compared_text
from olbench.report.exports import compared_json, compared_junit, compared_markdown
from olbench.verbs import ab_again, files, sides

# The word on the command line -> the writer.
FORMATS: Mapping[str, Callable[[Comparison], str]] = {
    "text": compared_text.show,
    "md": compared_markdown.dump,
    "json": compared_json.dump,
    "junit": compared_junit.dump,
}


def main(
    *, base: str, new: str, across: str | None, kind: str, out: Path | None, html: Path | None, db: Path
) -> int:
    """The exit code: 0 whatever the comparison says."""
    told = ab_again.comparison(base, new, db) or compare.compare(
        sides.named(base, db), sides.named(new, db), across=across
    )
    if html is not None:
        write_page(told, html)  # first: whoever reads the table may stop reading
    if out is not None:
        files.write(out, FORMATS[kind](told))
    else:
        _print(told, kind)
    for path in (one for one in (out, html) if one is not None):
        click.echo(path, err=out is None)
    return 0


def write_page(told: Comparison, path: Path) -> None:
    """The comparison's page on the disk."""
    from olbench.report import compared_html  # noqa: PLC0415 - matplotlib takes half a second

    files.write(path, compared_html.page(told))


def _print(told: Comparison, kind: str) -> None:
    if sys.stdout.isatty():
        coloured = compared_text.show(told, colour=True) if kind == "text" else FORMATS[kind](told)
        click.echo(coloured, nl=False)
    else:
        # Programs read UTF-8 from a pipe, whatever this system's old encoding; a terminal knows its own.
        click.echo(FORMATS[kind](told).encode(), nl=False)
