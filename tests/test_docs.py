"""What the README says of numbers and scenarios is what the program does."""

from pathlib import Path

from olbench.metrics import METRICS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_prints_every_metric_with_the_tables_own_formula() -> None:
    for metric in METRICS.values():
        row = f"| {metric.name} (`{metric.key}`) | {metric.unit} | {metric.formula} |"
        assert row in README, f"README.md lacks: {row}"


def test_the_readme_lists_every_scenario_with_its_question() -> None:
    for file in sorted((ROOT / "scenarios").glob("*.toml")):
        question = file.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        assert f"| `{file.stem}` | {question} |" in README
