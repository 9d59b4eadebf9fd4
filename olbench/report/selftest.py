"""A self-test as a table for the terminal, with its verdict."""

from collections.abc import Sequence

from olbench import accuracy
from olbench.accuracy import ENOUGH, Figures, Spread
from olbench.model import SelfTest
from olbench.prose import counted
from olbench.report.columns import WIDTH, Column, grid, painted, paragraph
from olbench.report.tables import exact

_FEW = "*"  # behind a p99 of too few values


def table(test: SelfTest, around: Sequence[str] = (), *, colour: bool = False, width: int = WIDTH) -> str:
    """The levels and the verdict; `around` is what is known of the machine beside it."""
    rows = [accuracy.figures(one) for one in test.levels]
    said = accuracy.verdict(test, around)
    notes = [line for note in _notes(rows) for line in paragraph(note, width)]
    verdict = [
        line if said.good else painted(line, "yellow", colour=colour)
        for sentence in said.sentences
        for line in paragraph(sentence, width)
    ]
    blocks = (grid(_columns(rows), width, colour=colour), notes, verdict)
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _columns(rows: Sequence[Figures]) -> list[Column]:
    named = zip(("TTFT error", "gap error", "dispatch"), ("ms", "us", "ms"), strict=True)
    return [
        Column("streams", [exact.streams(one) for one in rows], right=True),
        Column("requests", [f"{one.requests:,}" for one in rows], right=True),
        *(
            Column(
                name, [_pair(*exact.spreads(one)[place]) for one in rows], True, under=f"p50 / p99, {unit}"
            )
            for place, (name, unit) in enumerate(named)
        ),
        Column("stamps", [one.stamps for one in rows]),
        Column("coal-", [exact.share(one) for one in rows], right=True, under="esced"),
        Column("un-", [f"{one.unstamped:,}" for one in rows], right=True, under="stamped"),
        Column("CPU ms", [exact.cpu(one) for one in rows], right=True, under="/1,000"),
    ]


def _pair(spread: Spread, factor: float) -> str:
    return exact.pair(spread, factor) + (_FEW if 0 < spread.count < ENOUGH else "")


def _notes(rows: Sequence[Figures]) -> list[str]:
    few = sorted(
        {spread.count for one in rows for spread, _ in exact.spreads(one) if 0 < spread.count < ENOUGH}
    )
    lost = [
        f"{counted(one.failed, 'request')} at {exact.streams(one)} gave no figure."
        for one in rows
        if one.failed
    ]
    if not few:
        return lost
    of = f"{few[0]}" if len(few) == 1 else f"{few[0]} to {few[-1]}"
    return [f"{_FEW} fewer than {ENOUGH} values: instead of p99 the largest of {of}.", *lost]
