"""A run as a Markdown table, to paste into a forum or a pull request."""

import re

from olbench.findings import Findings
from olbench.report.overview import Figure, Overview, Row, overview
from olbench.report.tables.world import machine, server
from olbench.report.wording import plain

# What Markdown, or the HTML that it allows, would act on: anywhere, beside a word, and where a line begins.
_ACTIVE = re.compile(r"[\\`*{}\[\]<>|~$&@]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^[#+-]|^\d+[.)](?=\s|$)")


def dump(findings: Findings) -> str:
    """Headline, answer, the table of cells with intervals and footnotes."""
    run = findings.record.run
    table = overview(findings)
    parts = [
        f"### {escaped(run.name)}",
        escaped(run.question),
        " ".join(map(escaped, findings.answer)),
        _table(table),
        "\n".join(_notes(table)),
        "\n".join(f"{escaped(remark)}  " for remark in (*table.remarks, *findings.doubts)),
        f"± and ranges are 95 % intervals. {_origin(findings)}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _origin(findings: Findings) -> str:
    run, facts = findings.record.run, findings.record.facts
    parts = (server(facts), machine(facts), f"olbench {run.olbench}", f"run {run.id}", run.started_at)
    return " · ".join(escaped(part) for part in parts if part)


def _notes(table: Overview) -> list[str]:
    """The footnotes, each with what to do about it."""
    pairs = zip(table.notes, table.actions, strict=True)
    return [
        f"{_mark((place,))} {escaped(note)}{f' → {escaped(action)}' if action else ''}  "
        for place, (note, action) in enumerate(pairs, 1)
    ]


def _table(table: Overview) -> str:
    heads = [f"{one.name}, {one.unit} {one.arrow}".rstrip() for one in table.headings]
    lines = [
        line("#", "Cell", *heads, *(["Sound visits"] if table.marked else []), "Failed"),
        line("--:", ":--", *("--:" for _ in heads), *(["--:"] if table.marked else []), "--:"),
        *(line(*_row(row, marked=table.marked)) for row in table.rows),
    ]
    return "\n".join(lines)


def _row(row: Row, *, marked: bool) -> tuple[str, ...]:
    failed = f"{row.failed} of {row.asked}" if row.failed else "0"
    figures = (*row.figures, row.sound) if marked else row.figures
    return (str(row.number), escaped(row.label) + _mark(row.notes), *map(_figure, figures), failed)


def _figure(figure: Figure) -> str:
    interval = f" ({figure.interval})" if "–" in figure.interval else f" {figure.interval}"
    return figure.value.replace("<", "\\<") + interval.rstrip() + _mark(figure.notes)


def _mark(notes: tuple[int, ...]) -> str:
    return f"<sup>{' '.join(map(str, notes))}</sup>" if notes else ""


def line(*fields: str) -> str:
    """One row of a table."""
    return f"| {' | '.join(fields)} |"


def escaped(text: str) -> str:
    """`text` on one line, with nothing in it that Markdown acts on."""
    return _ACTIVE.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", plain(text).strip())
