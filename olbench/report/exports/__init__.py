"""Findings as files for other programs and other people. A new format is a module and a line."""

from collections.abc import Callable

from olbench.findings import Findings
from olbench.report.exports import as_benchstat, as_csv, as_json, as_markdown

# The word on the command line -> the writer, and how such a file's name ends.
EXPORTS: dict[str, tuple[Callable[[Findings], str], str]] = {
    "json": (as_json.dump, ".json"),
    "csv": (as_csv.dump, ".csv"),
    "samples-csv": (as_csv.samples, ".samples.csv"),
    "md": (as_markdown.dump, ".md"),
    "benchstat": (as_benchstat.dump, ".bench.txt"),
}
