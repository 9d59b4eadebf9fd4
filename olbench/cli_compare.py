"""The shell of the verbs that compare; like `cli`, it imports each verb when it is called."""

from pathlib import Path
from typing import Any

import click

from olbench.cli_options import DB, FILE, HZ, NO_SELFTEST, PULL, REPORT, SCENARIO, SET

_ACROSS = click.option(
    "--across", metavar="AXIS", help="Compare what differs in this axis, such as quantization or digest."
)


@click.command("compare")
@click.argument("base")
@click.argument("new")
@_ACROSS
@click.option(
    "--format",
    "kind",
    type=click.Choice(["text", "md", "json", "junit"]),
    default="text",
    show_default=True,
)
@click.option("--out", type=FILE, help="The file.  [default: stdout]")
@click.option("--html", type=FILE, help="Also a page with charts.")
@DB
def compare(**given: Any) -> int:
    """Tell what is faster or slower in NEW than in BASE.

    Each is a run (id, name, 'latest', 'latest~1' for the one before) or a file: a baseline, or a run's JSON.
    """
    from olbench.verbs import compare as verb

    return verb.main(**given)


@click.command("check")
@SCENARIO
@click.option("--baseline", type=FILE, required=True, help="What `olbench baseline save` has written.")
@_ACROSS
@PULL
@SET
@DB
@REPORT
@HZ
@NO_SELFTEST
@click.option("--junit", type=FILE, help="Also the verdicts as JUnit XML.")
@click.option("--markdown", type=FILE, help="Also the comparison as Markdown.")
@click.option("--html", type=FILE, help="Also the comparison as a page with charts.")
def check(**given: Any) -> int:
    """Measure a SCENARIO and hold it against a baseline.

    Exit codes: 0 nothing is slower, 1 something is, 2 wrong usage, 3 cannot tell, 4 could not be measured, 130
    interrupted.
    """
    from olbench.verbs import check as verb

    return verb.main(**given)


@click.group("baseline")
def baseline() -> None:
    """Keep a run as a small file to check against."""


@baseline.command("save")
@click.argument("run")
@click.argument("file", type=FILE)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@DB
def baseline_save(**given: Any) -> int:
    """Write a RUN (id, name or 'latest') as a baseline FILE."""
    from olbench.verbs import baseline as verb

    return verb.save(**given)


@baseline.command("show")
@click.argument("file", type=FILE)
def baseline_show(**given: Any) -> int:
    """Print what a baseline FILE holds."""
    from olbench.verbs import baseline as verb

    return verb.show(**given)


@baseline.command("list")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path("baselines"))
def baseline_list(**given: Any) -> int:
    """List the baselines in a FOLDER: in baselines/ where none is named."""
    from olbench.verbs import baseline as verb

    return verb.listed(**given)


@click.command("ab")
@SCENARIO
@click.option("--a", multiple=True, metavar="KEY=VALUE", help="What A overrides, as --set does for both.")
@click.option("--b", multiple=True, metavar="KEY=VALUE", help="What B overrides: --b sweep.quantization=q4_0")
@click.option("--detect", metavar="SHARE", help="Plan as many blocks as it takes to see such a change: 3%")
@click.option(
    "--most", type=click.IntRange(3, 1000), help="Blocks at most.  [default: 20, or as --detect plans]"
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    default=["decode"],
    show_default=True,
    help="What the verdict is about.",
)
@PULL
@SET
@DB
@click.option("--html", type=FILE, help="Also the comparison as a page with charts.")
@HZ
@NO_SELFTEST
def ab(**given: Any) -> int:
    """Measure two set-ups of a SCENARIO and compare them.

    It tells whether B is faster or slower than A.

    Blocks of A B B A and B A A B let drift cancel; they end as soon as the verdict is earned. Exit codes: 0 B is not
    slower, 1 it is, 2 wrong usage, 3 cannot tell, 4 could not be measured, 130 interrupted.
    """
    from olbench.verbs import ab as verb

    return verb.main(**given)


@click.command("history")
@click.argument("scenario", metavar="[NAME]", required=False)
@click.option(
    "--metric", default="decode", show_default=True, metavar="KEY", help="What of it: decode, ttft, ..."
)
@click.option("--cell", metavar="CELL", help="One cell, by its number or label.")
@click.option("--html", type=FILE, help="Also a page with charts.")
@click.option(
    "--format", "kind", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True
)
@DB
def history(**given: Any) -> int:
    """Show how the stored runs of a scenario changed over time.

    NAME is that of the scenario; without it, it is that of the newest run. Steps are looked for, and each comes with
    the command that tests it.
    """
    from olbench.verbs import history as verb

    return verb.main(**given)


COMPARING = (compare, check, baseline, ab, history)
