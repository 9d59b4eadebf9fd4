"""Thresholds: how a scenario moves them, and how they are listed."""

import pytest

from olbench import cli, scenario
from olbench.errors import UsageError
from olbench.report import bars
from olbench.scenario import Scenario
from olbench.thresholds import THRESHOLDS, limits

SHORT = 'question = "Which is faster?"\n[sweep]\nmodel = "llama3.2:3b"\n'


def parse(text: str) -> Scenario:
    return scenario.parse(text, path="a.toml", environ={})


def faults(text: str) -> tuple[str, ...]:
    with pytest.raises(UsageError) as caught:
        parse(text)
    return caught.value.faults


# --- in a scenario --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "bar"),
    [
        ("other_cores = 1", 1.0),
        ("drift = 0.02", 0.02),
        ('drift = "2%"', 0.02),
        ('drift = "2.5 %"', 0.025),
        ('stall = "1500ms"', 1.5),
        ("stall = 3", 3.0),
        ("swap = 1e6", 1e6),
        ('swap = "64MB"', 64e6),
        ('swap = "0.5 GiB"', 2.0**29),
    ],
)
def test_a_threshold_is_a_number_a_share_or_a_span(line: str, bar: float) -> None:
    name = line.partition(" ")[0]
    found = parse(f"{SHORT}[thresholds]\n{line}\n")
    assert found.thresholds == {name: pytest.approx(bar)}
    said = {key: value for key, value in scenario.settings(found).items() if key.startswith("threshold.")}
    assert said == {f"threshold.{name}": pytest.approx(bar)}
    assert limits(scenario.settings(found)) == limits({}) | {name: pytest.approx(bar)}


def test_every_threshold_can_be_set() -> None:
    text = SHORT + "[thresholds]\n" + "".join(f"{name} = 0.25\n" for name in THRESHOLDS)
    assert parse(text).thresholds == dict.fromkeys(THRESHOLDS, 0.25)


def test_every_threshold_takes_its_default_as_it_is_listed() -> None:
    listed = {name: bars.written(one.value, one.unit) for name, one in THRESHOLDS.items()}
    text = "".join(f'{name} = "{bar}"\n' for name, bar in listed.items() if not bar[-1].isdigit())
    numbers = "".join(f"{name} = {bar}\n" for name, bar in listed.items() if bar[-1].isdigit())
    found = parse(f"{SHORT}[thresholds]\n{text}{numbers}").thresholds
    assert found == pytest.approx({name: one.value for name, one in THRESHOLDS.items()})


@pytest.mark.parametrize("value", ['"64"', '"64 mb"', '"MB"', '"0MB"', "0", '"-1MB"', '"1e999MB"'])
def test_a_size_that_is_none_is_a_fault(value: str) -> None:
    (fault,) = faults(f"{SHORT}[thresholds]\nswap = {value}\n")
    assert fault.endswith('; a number of bytes above 0, or a text such as "64MiB", would do')


@pytest.mark.parametrize("value", ['"-5%"', '"5"', '"5%%"', '"nan%"', '"%"', "0", "-1", "nan", "inf", "true"])
def test_a_share_that_is_none_is_a_fault(value: str) -> None:
    (fault,) = faults(f"{SHORT}[thresholds]\ndrift = {value}\n")
    assert fault.startswith("a.toml:5: thresholds.drift is ")
    assert fault.endswith('; a share above 0, such as 0.05 or "5%", would do')


# --- in words -------------------------------------------------------------------------------------------------


def test_all_are_listed_with_their_default_and_their_reason_in_a_hundred_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.run(["thresholds"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert [line.split()[0] for line in lines[1:] if line[0] != " "] == list(THRESHOLDS)
    whole = " ".join(" ".join(lines).split())
    assert all(one.what in whole and one.why in whole for one in THRESHOLDS.values())


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.02, "share", "2%"),
        (0.125, "share", "12.5%"),
        (0.002, "s", "2ms"),
        (2.0, "s", "2s"),
        (32 * 2**20, "B", "32MiB"),
        (0.5, "cores", "0.5"),
        (4, "tok", "4"),
    ],
)
def test_a_value_is_written_as_a_scenario_takes_it(value: float, unit: str, words: str) -> None:
    assert bars.written(value, unit) == words


def test_only_those_that_were_moved_are_told() -> None:
    said = tuple(bars.moved({"other_cores": 1.0, "drift": THRESHOLDS["drift"].value, "swap": 2.0**30}))
    assert said == (
        "threshold other_cores: 1 cores instead of 0.5 cores (cores that other programs kept busy)",
        "threshold swap: 1GiB instead of 32MiB (growth of swap during a visit)",
    )
