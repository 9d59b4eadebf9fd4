"""`olbench thresholds`: from where on something is worth a flag, and why from there."""

import sys

import click

from olbench.report import bars


def main() -> int:
    """The exit code."""
    click.echo(bars.table(colour=sys.stdout.isatty()), nl=False)
    return 0
