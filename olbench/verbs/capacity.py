"""`olbench capacity`: what a search found, told again; other machines; and what a request would cost that nobody sent."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from olbench import analysis, cost_model, size_keys, sizing, units
from olbench.errors import UsageError
from olbench.findings import Estimate
from olbench.machines import Machine
from olbench.model import Record
from olbench.prose import counted
from olbench.report import capacity_text
from olbench.report.exports import sizing_json
from olbench.report.wording import plain
from olbench.sized import CostModel
from olbench.store import Store
from olbench.verbs import files
from olbench.verbs.size import known, write

_DEPTH = 256  # tokens, where neither depth nor prompt is asked for


def main(
    *,
    run: str,
    kind: str,
    out: Path | None,
    html: Path | None,
    machines: Path | None,
    db: Path,
    depth: int | None,
    streams: int | None,
    prompt: int | None,
    beyond: bool,
) -> int:
    """The exit code."""
    asked = any(one is not None for one in (depth, streams, prompt))
    if beyond and not asked:
        raise UsageError(
            "--beyond belongs to --depth, --streams or --prompt: olbench capacity --depth 24576 --beyond"
        )
    store = Store(db)
    try:
        record = store.record(store.find(run))
        if asked:
            _answer(cost_model.of(analysis.told(record)), depth, streams, prompt, beyond=beyond)
        else:
            _tell(record, known(machines), kind=kind, out=out, html=html)
    finally:
        store.close()
    return 0


def _tell(
    record: Record, kinds: Sequence[Machine], *, kind: str, out: Path | None, html: Path | None
) -> None:
    if not record.run.settings.get(size_keys.SEARCHED):
        raise UsageError(
            f"run {plain(record.run.id)} is no search for capacity; `olbench size SCENARIO` makes one"
        )
    sized, findings = sizing.of(record, kinds), analysis.analyse(record)
    if html is not None:
        write(sized, findings, kinds, html)
    made = (
        sizing_json.dump(sized, findings)
        if kind == "json"
        else capacity_text.text(sized, findings, colour=out is None and sys.stdout.isatty())
    )
    if out is None:
        click.echo(made, nl=not made.endswith("\n"))
    else:
        files.write(out, made)
        click.echo(out)
    if html is not None:
        click.echo(html, err=True)


# --- what nobody measured -------------------------------------------------------------------------------------------


def _answer(
    costs: tuple[CostModel, ...], depth: int | None, streams: int | None, prompt: int | None, *, beyond: bool
) -> None:
    """What the cost models say of one place, a few lines a model."""
    if not costs:
        raise UsageError("the run measured no closed streams, from which a cost model could be learned")
    tokens = prompt if prompt is not None else depth or _DEPTH
    at = float(depth if depth is not None else tokens)
    for model in costs:
        found = cost_model.answer(
            model, depth=at, streams=float(streams or 1), tokens=float(tokens), beyond=beyond
        )
        where = (
            f"{counted(streams or 1, 'stream')}, {at:,.0f} tokens of context, a prompt of {tokens:,} tokens"
        )
        click.echo(f"{plain(model.label)}: {where}")
        waiting = found.waiting or 0
        if waiting > 0:
            click.echo(
                f"  {counted(waiting, 'stream')} of them would wait: there are {counted(model.slots or 0, 'slot')}"
            )
        click.echo(f"  decode      {_said(found.decode, 'tok/s')}")
        if (streams or 1) > 1:
            click.echo(f"  all streams {_said(found.throughput, 'tok/s')}")
        click.echo(f"  TTFT        {_said(found.ttft, 's')}")


def _said(found: Estimate, unit: str) -> str:
    """A prediction with its interval, or why there is none."""
    if found.value is None:
        return f"not known: {plain(found.reason)}"
    said = units.words(found.value, unit)
    if found.low is None or found.high is None:
        return f"{said} (no interval: {plain(found.reason)})"
    why = f"; {plain(found.reason)}" if found.reason else ""
    return f"{said} ({units.words(found.low, unit)} to {units.words(found.high, unit)}, 95 %{why})"
