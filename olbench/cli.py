"""The shell: arguments in, one call, an exit code out. Each verb is imported when it is called.

Exit codes: 0 done; 1 done, but some requests failed, or a file could not be read or written; 2 wrong usage;
3 a bug in olbench; 4 could not be measured; 130 interrupted. `olbench check` has meanings of its own for 0, 1 and 3.
"""

import errno
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import click

from olbench import __version__
from olbench.cli_compare import COMPARING
from olbench.cli_options import DB, HZ, NO_SELFTEST, PULL, REPORT, RUN, SCENARIO, SET
from olbench.cli_sizing import SIZING
from olbench.errors import OlbenchError

UNWRITTEN = 1
BUG = 3
INTERRUPTED = 130
_FULL = (
    errno.ENOSPC,
    errno.EFBIG,
    errno.EIO,
    getattr(errno, "EDQUOT", errno.ENOSPC),
)  # not each system has quotas


def run(arguments: list[str]) -> int:
    """The exit code of one command line. Every known fault is a sentence on stderr, never a traceback."""
    try:
        code: Any = commands.main(arguments, prog_name="olbench", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        code = leaving.exit_code
    except click.ClickException as fault:
        fault.show()
        code = fault.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = _say("interrupted", INTERRUPTED)
    except OlbenchError as fault:
        code = _say(str(fault), fault.code)
    except (BrokenPipeError, SystemExit):
        # `olbench show | head`: the reader has seen enough. Click makes a SystemExit of it.
        code = _silenced(0)
    except Exception as fault:  # noqa: BLE001 - the one place where a bug is met: it is ours, and is told in full
        if isinstance(fault, OSError) and fault.errno in _FULL:
            code = _silenced(_say(f"what there is to say cannot be written: {fault.strerror}", UNWRITTEN))
        else:
            traceback.print_exc()
            code = _say(
                f"this is a bug in olbench {__version__}; the lines above are what its report needs", BUG
            )
    return code if isinstance(code, int) else 0


def _silenced(code: int) -> int:
    # What is left for stdout must not complain once more when the interpreter ends.
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    return code


def _say(sentence: str, code: int) -> int:
    for line in sentence.splitlines():
        click.echo(f"olbench: {line}", err=True)
    return code


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="olbench")
def commands() -> None:
    """Benchmark and profile local LLM servers: scenario file in, measured cells, report out."""


@commands.command("run")
@click.argument("scenario", type=click.Path(path_type=Path), required=False)
@click.option("--resume", metavar="RUN", help="Go on with a run: id, name or 'latest'.")
@PULL
@SET
@DB
@REPORT
@HZ
@NO_SELFTEST
def run_command(**given: Any) -> int:
    """Measure a SCENARIO and write its report."""
    from olbench.verbs import run as verb

    return verb.main(**given)


@commands.command("plan")
@SCENARIO
@SET
def plan_command(**given: Any) -> int:
    """Print what a SCENARIO would do, without doing it."""
    from olbench.verbs import plan as verb

    return verb.main(**given)


@commands.command("thresholds")
def thresholds_command() -> int:
    """List from where on something is flagged, and why."""
    from olbench.verbs import thresholds as verb

    return verb.main()


@commands.command("selftest")
@click.argument("scenario", type=click.Path(path_type=Path), required=False)
@click.option("--streams", metavar="N,N,...", help="Levels of concurrency.  [default: 1,4,16,64]")
@click.option("--short", is_flag=True, help="Four seconds instead of half a minute.")
@click.option("--user-space", is_flag=True, help="Leave the kernel's stamps aside.")
@click.option("--json", "as_json", is_flag=True, help="Figures and verdict as JSON.")
@DB
def selftest_command(**given: Any) -> int:
    """Measure how exact this client is on this machine.

    It tests against a scripted server that knows what it sent when. With a SCENARIO its concurrencies are tested too.
    """
    from olbench.verbs import selftest as verb

    return verb.main(**given)


@commands.command("bandwidth")
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON.")
@DB
def bandwidth_command(**given: Any) -> int:
    """Measure what memory gives.

    Runs hold decoding against it. It is measured by the first run on a machine; this measures it anew.
    """
    from olbench.verbs import bandwidth as verb

    return verb.main(**given)


@commands.command("models")
@click.option("--url", help="The server.  [default: OLLAMA_HOST, else http://127.0.0.1:11434]")
@click.option("--token-env", metavar="NAME", help="Environment variable that holds the server's token.")
def models_command(**given: Any) -> int:
    """List the models that a server has."""
    from olbench.verbs import models as verb

    return verb.main(**given)


@commands.command("runs")
@DB
def runs_command(**given: Any) -> int:
    """List the stored runs."""
    from olbench.verbs import told as verb

    return verb.runs(**given)


@commands.command("show")
@RUN
@DB
@click.option(
    "--requests", is_flag=True, help="A row a request: where its time went, what it found in the cache."
)
@click.option("--cell", metavar="CELL", help="With --requests: one cell, by its number or label.")
@click.option("--all", "whole", is_flag=True, help="With --requests: however many there are.")
def show_command(**given: Any) -> int:
    """Print a RUN as tables: id, name or 'latest'."""
    from olbench.verbs import told as verb

    return verb.show(**given)


@commands.command("report")
@RUN
@DB
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The HTML file.")
def report_command(**given: Any) -> int:
    """Write a RUN's HTML report."""
    from olbench.verbs import told as verb

    return verb.report(**given)


@commands.command("export")
@RUN
@DB
@click.option(
    "--format",
    "kind",
    type=click.Choice(["json", "csv", "samples-csv", "md", "benchstat"]),
    default="json",
    show_default=True,
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file.  [default: stdout]")
def export_command(**given: Any) -> int:
    """Print a RUN's figures for other programs, or as Markdown."""
    from olbench.verbs import told as verb

    return verb.export(**given)


@commands.command("serve-embedded")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=11435, show_default=True, help="0: any free one."
)
@click.option("--parallel", type=click.IntRange(1, 64), default=2, show_default=True, help="Slots a model.")
@click.option("--threads", type=click.IntRange(1), help="[default: one less than the processor has cores]")
@click.option(
    "--models",
    "models_dir",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Folder of *.gguf.",
)
@click.option(
    "--log", "log_dir", type=click.Path(file_okay=False, path_type=Path), help="Folder for llama.cpp's log."
)
def serve_command(**given: Any) -> int:
    """Run the embedded engine alone, for any client.

    It speaks Ollama's API, and computes with llama.cpp.
    """
    from olbench.verbs import serve as verb

    return verb.main(**given)


for _verb in (*COMPARING, *SIZING):
    commands.add_command(_verb)
