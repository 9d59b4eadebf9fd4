"""Arguments and options that several verbs share."""

from pathlib import Path

import click

DB = click.option(
    "--db",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("reports/olbench.db"),
    show_default=True,
    help="Where runs are kept.",
)
SET = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key: --set sweep.num_ctx=[2048,8192]",
)
SCENARIO = click.argument("scenario", type=click.Path(path_type=Path))
RUN = click.argument("run", default="latest")
FILE = click.Path(dir_okay=False, path_type=Path)
# What all verbs that measure a scenario take.
PULL = click.option("--pull", is_flag=True, help="Pull models that are missing.")
REPORT = click.option("--report", type=FILE, help="Where the HTML goes.  [default: beside the database]")
HZ = click.option(
    "--hz", type=click.FloatRange(0.2, 100), default=10.0, show_default=True, help="Readings a second."
)
NO_SELFTEST = click.option(
    "--no-selftest",
    is_flag=True,
    help="Leave out the short self-test, and the measuring of memory, that go before.",
)
