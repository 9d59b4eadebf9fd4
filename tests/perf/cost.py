"""Does the cost model tell what nobody measured? A design is run and fitted; then places between are measured and counted.

    python tests/perf/cost.py [MODEL [QUANTIZATION]] [--db FILE]

On the embedded engine, in a few minutes; the machine should do nothing else. Each place that was not in the design is
visited once; of the decode steps and of the prompts at least 9 of 10 must lie within the 95 % interval foretold. Exit 1
where they do not.
"""

import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from olbench import analysis, cli, cost_model, cost_points
from olbench.findings import Estimate
from olbench.gist import Told
from olbench.sized import CostModel, Line
from olbench.store import Store

DESIGN = ([64, 128, 256, 512, 1024], 32, 4)  # prompt_tokens, output_tokens, repeats
BETWEEN = ([90, 150, 200, 320, 400, 460, 600, 700, 800, 900], 48, 1)
NEEDED = 0.9


@dataclass(frozen=True, slots=True)
class Held:
    """One visit to a place that was not in the design."""

    what: str
    place: str
    seen: float  # s
    foretold: Estimate

    @property
    def inside(self) -> bool:
        """Whether the interval holds it."""
        low, high = self.foretold.low, self.foretold.high
        return low is not None and high is not None and low <= self.seen <= high


def main() -> int:
    """Run, fit, run, count."""
    parser = ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("model", nargs="?", default="smollm2:135m")
    parser.add_argument("quantization", nargs="?", default="")
    parser.add_argument("--db", type=Path)
    asked = parser.parse_args()
    model = f'model = "{asked.model}"' + (
        f'\nquantization = "{asked.quantization}"' if asked.quantization else ""
    )
    with tempfile.TemporaryDirectory() as folder:
        db = asked.db or Path(folder) / "cost.db"
        fitted, seen = (_run(db, model, design) for design in (DESIGN, BETWEEN))
    (cost,) = cost_model.of(fitted)
    held = tuple(_held(cost, seen))
    sys.stdout.write("\n".join((*_lines(cost), *_table(held))) + "\n")
    return 0 if all(_share(held, what) >= NEEDED for what in ("decode", "prefill")) else 1


def _run(db: Path, model: str, design: tuple[list[int], int, int]) -> tuple[Told, ...]:
    prompts, output, repeats = design
    scenario = db.with_suffix(".toml")
    scenario.write_text(
        f'question = "What does a step, and what does a prompt cost?"\n[server]\nengine = "embedded"\nparallel = 2\n[sweep]\n{model}\nnum_ctx = 2048\n'
        f"concurrency = [1, 2]\nprompt_tokens = {prompts}\noutput_tokens = {output}\n"
        f"[measure]\nrepeats = {repeats}\nrequests = 5\nwarmup = 1\n",
        encoding="utf-8",
    )
    code = cli.run(["run", str(scenario), "--db", str(db), "--no-selftest", "--pull"])
    if code == 2:  # other codes: some lengths cannot be had from this model; the others tell
        sys.exit(code)
    with closing(Store(db)) as store:
        return tuple(analysis.told(store.record(store.find("latest"))))  # a record is read as it is told


def _held(cost: CostModel, cells: Sequence[Told]) -> Iterator[Held]:
    """What was seen at each place, beside what the lines foretold."""
    kept = cost_points.fit_for(cells)
    for what, line, (spots, _) in (
        ("decode", cost.decode, cost_points.decode(kept)),
        ("prefill", cost.prefill, cost_points.prefill(kept)),
    ):
        for spot in spots if line is not None else ():
            place = ", ".join(f"{name} {value:,.0f}" for name, value in spot.at.items())
            yield Held(what, place, spot.seen, cost_model.at(_known(line), spot.at))


def _known(line: Line | None) -> Line:
    assert line is not None
    return line


def _lines(cost: CostModel) -> Iterator[str]:
    for line in (cost.decode, cost.prefill):
        if line is None:
            yield f"no line: {cost.missing}"
            continue
        terms = ", ".join(
            f"{term} {(one.value or 0) * 1e6:.4g} us ({(one.low or 0) * 1e6:.4g} to {(one.high or 0) * 1e6:.4g})"
            for term, one in zip(line.terms, line.coefficients, strict=True)
        )
        lack = "no test" if line.lack is None else f"lack of fit p = {line.lack:.2g}"
        yield f"{line.what}: {terms}; scatter {line.scatter:.1%}, freedom {line.freedom}, {lack}. {line.reason}"


def _table(held: tuple[Held, ...]) -> Iterator[str]:
    for one in held:
        low, high = one.foretold.low or 0.0, one.foretold.high or 0.0
        mark = "" if one.inside else "   <- outside"
        yield f"{one.what:8} {one.place:26} {one.seen * 1e3:9.3f} ms   {low * 1e3:9.3f} to {high * 1e3:9.3f}{mark}"
    for what in ("decode", "prefill"):
        count = sum(one.what == what for one in held)
        yield f"{what}: {_share(held, what):.0%} of {count} within the interval"


def _share(held: tuple[Held, ...], what: str) -> float:
    of = [one.inside for one in held if one.what == what]
    return sum(of) / len(of) if of else 0.0


if __name__ == "__main__":
    sys.exit(main())
