"""The shell of the verbs that size machines; like `cli`, it imports each verb when it is called."""

from pathlib import Path
from typing import Any

import click

from olbench.cli_options import DB, FILE, HZ, NO_SELFTEST, PULL, REPORT, RUN, SET

_MACHINES = click.option(
    "--machines",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Your own table of machines.  [default: the one that comes with olbench]",
)
_HTML = click.option("--html", type=FILE, help="Where the page goes.  [default of size: beside the database]")


@click.command("size")
@click.argument("scenario", type=click.Path(path_type=Path), required=False)
@click.option("--resume", metavar="RUN", help="Go on with a search: id, name or 'latest'.")
@PULL
@SET
@_MACHINES
@DB
@_HTML
@HZ
@NO_SELFTEST
def size(**given: Any) -> int:
    """Find how many users or requests this machine carries.

    The SCENARIO has a service level ([slo]) and says what to turn up ([persona], [size]). Exit codes: 0 it carries the
    target, 1 it does not, 2 wrong usage, 3 cannot tell, 4 could not be measured, 130 interrupted.
    """
    from olbench.verbs import size as verb

    return verb.main(**given)


@click.command("capacity")
@RUN
@click.option("--depth", type=click.IntRange(0), help="Tokens before the one that is decoded.")
@click.option("--streams", type=click.IntRange(1), help="Streams that are decoded together.")
@click.option("--prompt", type=click.IntRange(1), help="Tokens of a prompt that is read.")
@click.option("--beyond", is_flag=True, help="Also beyond what was measured, with a wider interval.")
@click.option("--format", "kind", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--out", type=FILE, help="The file.  [default: stdout]")
@_HTML
@_MACHINES
@DB
def capacity(**given: Any) -> int:
    """Tell again what `olbench size` found in a RUN.

    With --depth, --streams or --prompt: what its cost model says of requests that nobody sent.
    """
    from olbench.verbs import capacity as verb

    return verb.main(**given)


@click.command("fit")
@click.argument("models", nargs=-1, required=True)
@click.option(
    "--quantizations", metavar="Q,Q,...", help="Of each model: q4_0,q8_0.  [default: the model as it is]"
)
@click.option(
    "--num-ctx", "contexts", metavar="N,N,...", help="Contexts to tell about.  [default: up to what fits]"
)
@click.option(
    "--slots",
    type=click.IntRange(1, 1024),
    help="Of the engine that --engine starts; else what the server has.",
)
@click.option("--url", help="The server.  [default: OLLAMA_HOST, else http://127.0.0.1:11434]")
@click.option("--engine", type=click.Choice(["embedded"]), help="Start olbench's own engine instead.")
@click.option("--token-env", metavar="NAME", help="Environment variable that holds the server's token.")
@PULL
@click.option("--no-confirm", is_flag=True, help="Leave out the load that confirms the prediction.")
@DB
@REPORT
def fit(**given: Any) -> int:
    """Tell which contexts of MODELS fit this machine's memory.

    Each model is loaded at a few small contexts, larger ones are predicted, and one load confirms it. Nothing is loaded
    that would make the machine swap.
    """
    from olbench.verbs import fit as verb

    return verb.main(**given)


SIZING: tuple[click.Command, ...] = (size, capacity, fit)
