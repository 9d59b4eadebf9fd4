"""A run as CSV for spreadsheets: one row a cell and metric, or one row a sample. Numbers stay in base units."""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence

from olbench import labels
from olbench.cachestate import NAMES
from olbench.findings import CellFinding, Findings, Summary
from olbench.metrics import METRICS
from olbench.model import Cell, Observation, Sample
from olbench.parts import PARTS
from olbench.prose import distinct
from olbench.report.wording import plain
from olbench.timesheet import Sheet, sheets

_PERCENTILES = ("p50", "p90", "p95", "p99")
_CELL = (
    "model",
    "base",
    "quantization",
    "api",
    "num_ctx",
    "concurrency",
    "prompt_tokens",
    "output_tokens",
    "think",
    "cache",
)
_HOW = ("pattern", "rate", "users", "mix")
_CELL_HEAD = ("cell", "label", *_CELL, "options")
_COUNTS = (
    "total_ns",
    "load_ns",
    "prompt_eval_count",
    "prompt_eval_ns",
    "cached_count",
    "eval_count",
    "eval_ns",
    "done_reason",
)
_PARTS = (*PARTS, "held")
# A spreadsheet takes a text that opens so for a formula, and runs it.
_FORMULA = re.compile(r"\s*[=+\-@]")

Field = str | int | float | None


def dump(findings: Findings) -> str:
    """One row a cell and metric: `value` is the typical one, `low` and `high` its interval."""
    head = (
        *_CELL_HEAD, "metric", "unit", "value", "low", "high", *_PERCENTILES, "least", "most", "samples", "visits",
        "clock_error", "below_clock_error", "reason", "doubts", "actions",
        *_HOW,
    )  # fmt: skip
    rows = (
        (*_place(found), *_summary(one), _joined(found.doubts), _joined(_actions(found)), *_how(found.cell))
        for found in findings.cells
        for one in found.summaries.values()
    )
    return written(head, rows)


def samples(findings: Findings) -> str:
    """One row a sample, failed ones and warm-ups too; stamps are nanoseconds since the visit began.

    The parts of its time are seconds and add up to those from wanted_ns to end_ns, `held` being of decode.
    """
    head = (
        "cell", "label", "repeat", "began", "index", "phase", "stream", "prompt", "outcome", "words", "status",
        "wanted_ns", "sent_ns", "head_ns", "end_ns", "lines", "stamps", *_COUNTS,
        "connect_ns", *(f"{name}_s" for name in _PARTS), "ttft_s", "server_ttft_s", "cache_state", "reused", "flags",
        "part", "turn",
    )  # fmt: skip
    names = {found.cell.id: found.label for found in findings.cells}
    rows = (
        (*_sample(seen, one, names.get(seen.visit.cell, "")), one.connect_ns, *told, one.part, one.turn)
        for seen, sheet in sheets(findings.record)
        for one, told in zip(seen.samples, _sheet(sheet), strict=True)
    )
    return written(head, rows)


def _place(found: CellFinding) -> tuple[Field, ...]:
    return (*_text(found.cell.id, found.label), *_cell(found.cell))


def _joined(sentences: Iterable[str]) -> str:
    return defused("; ".join(sentences))


def _actions(found: CellFinding) -> tuple[str, ...]:
    """What the flags of a cell ask to be done, each once."""
    return distinct(filter(None, (flag.action for flag in found.flags)))


def _summary(one: Summary) -> tuple[Field, ...]:
    typical = (one.typical.value, one.typical.low, one.typical.high)
    percentiles = [getattr(one, name).value for name in _PERCENTILES]
    counts = (one.least, one.most, one.samples, one.visits)
    return (
        one.metric,
        METRICS[one.metric].unit,
        *typical,
        *percentiles,
        *counts,
        one.error,
        None if one.error is None else str(one.below(one.typical)).lower(),
        defused(one.typical.reason),
    )


def _how(cell: Cell) -> tuple[Field, ...]:
    """How requests come to a cell with a load, and its mix."""
    told = [labels.value(cell, name) for name in _HOW]
    return tuple(
        one if isinstance(one, int | float) else defused("" if one is None else str(one)) for one in told
    )


def _cell(cell: Cell) -> tuple[Field, ...]:
    fields = [None if name == "concurrency" and cell.load else getattr(cell, name) for name in _CELL]
    shown = [defused(str(one)) if isinstance(one, str | bool) else one for one in fields]
    return (*shown, defused("; ".join(f"{name}={value}" for name, value in cell.options)))


def _sample(seen: Observation, one: Sample, label: str) -> tuple[Field, ...]:
    stamps = (one.wanted_ns, one.sent_ns, one.head_ns, one.end_ns)
    counts = [None if one.counts is None else getattr(one.counts, name) for name in _COUNTS]
    return (
        *_text(seen.visit.cell, label),
        seen.visit.repeat,
        seen.started_at,
        one.index,
        one.phase,
        one.stream,
        *_text(one.prompt, one.outcome, one.words),
        one.status,
        *(None if stamp is None else stamp - seen.started_ns for stamp in stamps),
        len(one.chunks),
        one.stamps,
        *(defused(count) if isinstance(count, str) else count for count in counts),
    )


def _sheet(sheet: Sheet) -> Iterator[tuple[Field, ...]]:
    """The further fields of each sample of a visit."""
    numbers = (*(getattr(sheet.parts, name) for name in _PARTS), sheet.ttft, sheet.server_ttft)
    columns = [[None if math.isnan(one) else one for one in column.round(9).tolist()] for column in numbers]
    reused = [None if math.isnan(one) else one for one in sheet.states.reused.round(6).tolist()]
    states = [NAMES[code] for code in sheet.states.codes.tolist()]
    return zip(*columns, states, reused, sheet.flags, strict=True)


def _text(*texts: str) -> tuple[str, ...]:
    return tuple(map(defused, texts))


def defused(text: str) -> str:
    """`text` on one line that no spreadsheet takes for a formula."""
    line = plain(text)
    return f"'{line}" if _FORMULA.match(line) else line


def written(head: Sequence[str], rows: Iterable[Sequence[Field]]) -> str:
    """A table as CSV."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return stream.getvalue()
