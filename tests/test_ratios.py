"""Verdicts of two runs and of pairs: by hand, and by thousands of simulated comparisons whose truth is known."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from calibration import compared, tables, verdicts
from calibration.compared import CANNOT, DOWN, SAME, UP, counted

from olbench.findings import Estimate
from olbench.stats import power, ratios
from olbench.stats.ratios import Code, Judged

TRIALS = 20_000
CODES: dict[Code, int] = {"up": UP, "down": DOWN, "equivalent": SAME, "cannot tell": CANNOT}


def dice(*seed: int) -> np.random.Generator:
    return np.random.default_rng((41, *seed))


def judged(p: float, verdict: Code = "up") -> Judged:
    return Judged(ratio=Estimate(1.1, 1.0, 1.2), verdict=verdict, p=p, detectable=0.1)


# --- by hand ----------------------------------------------------------------------------------------------------


def test_two_runs_are_compared_on_logarithms() -> None:
    # Logarithms 0, 1, 2 and 1, 2, 3: a difference of 1, a standard error of sqrt(2/3), 4 degrees of freedom.
    found = ratios.unpaired([1, math.e, math.e**2], [math.e, math.e**2, math.e**3], 0.05)
    assert found.verdict == "cannot tell"
    assert found.p == pytest.approx(0.2879, abs=1e-4)
    assert found.ratio.value == pytest.approx(math.e)
    assert found.ratio.low == pytest.approx(math.exp(1 - 4.6041 * math.sqrt(2 / 3)), rel=1e-4)
    assert found.ratio.high == pytest.approx(math.exp(1 + 4.6041 * math.sqrt(2 / 3)), rel=1e-4)


def test_neighbours_are_compared_by_their_differences() -> None:
    base = [100.0, 50.0, 200.0]
    new = [one * math.exp(more) for one, more in zip(base, (0.1, 0.2, 0.3), strict=True)]
    found = ratios.paired(base, new, 0.05)
    assert found.p == pytest.approx(0.0742, abs=1e-4)
    assert found.ratio.value == pytest.approx(math.exp(0.2))
    assert found.ratio.low == pytest.approx(math.exp(0.2 - 9.9248 * 0.1 / math.sqrt(3)), rel=1e-4)
    again = ratios.differences([0.1, 0.2, 0.3], 0.05)
    assert (again.verdict, again.p) == (found.verdict, pytest.approx(found.p))


@pytest.mark.parametrize(
    ("new", "verdict", "level"),
    [
        ((85, 86, 84, 85, 86), "down", 0.99),
        ((117, 116, 118, 117, 116), "up", 0.99),
        ((100, 101, 100, 101, 100), "equivalent", 0.90),
        ((100, 140, 80, 70, 120), "cannot tell", 0.99),
        ((103, 103.1, 103.2, 103, 103.1), "equivalent", 0.90),  # sure, and too small to matter
    ],
)
def test_the_verdict_and_the_interval_that_it_rests_on(
    new: Sequence[float], verdict: Code, level: float
) -> None:
    found = ratios.unpaired([100, 101, 99, 100, 100], new, 0.05)
    assert (found.verdict, found.level) == (verdict, level)
    assert found.ratio.low is not None
    assert found.ratio.high is not None
    assert {
        "down": found.ratio.high < 1,
        "up": found.ratio.low > 1,
        "equivalent": found.ratio.low > 1 / 1.05 and found.ratio.high < 1.05,
        "cannot tell": found.ratio.low < 1 < found.ratio.high,
    }[verdict]
    assert bool(found.reason) == (verdict == "cannot tell")


def test_exchanging_the_sides_turns_the_verdict_round() -> None:
    base, new = [100, 101, 99, 100], [85, 86, 84, 85]
    forth, back = ratios.unpaired(base, new, 0.05), ratios.unpaired(new, base, 0.05)
    assert (forth.verdict, back.verdict) == ("down", "up")
    assert forth.p == pytest.approx(back.p)
    assert forth.ratio.low == pytest.approx(1 / (back.ratio.high or 0))


def test_figures_that_never_vary_are_told_all_the_same() -> None:
    assert ratios.unpaired([7.1] * 5, [7.1] * 6, 0.0).verdict == "cannot tell"
    assert ratios.unpaired([7.1] * 5, [7.1] * 6, 0.05).verdict == "equivalent"
    up = ratios.unpaired([7.1] * 5, [7.8] * 6, 0.05)
    assert (up.verdict, up.p, up.detectable) == ("up", 0.0, pytest.approx(0.0, abs=1e-12))


@pytest.mark.parametrize(
    ("base", "new", "reason"),
    [
        ((1, 2), (1, 2, 3), "2 visits of base; a verdict needs 3 a side"),
        ((1, 2, 3), (1,), "1 visit of new; a verdict needs 3 a side"),
        ((1, 2, 3), (), "new has no value"),
        ((1, 2, 3), (1, None, 2), "1 of 3 visits of new gave no value"),
        ((1, math.nan, 3), (1, 1, 2), "1 of 3 visits of base gave no value"),
        ((1, 0, 3), (1, 1, 2), "base has the value 0; ratios are of finite numbers above zero"),
        ((1, 1, 3), (1, -2, 2), "new has the value -2; ratios are of finite numbers above zero"),
        ((1, 1, 3), (1, math.inf, 2), "new has the value inf; ratios are of finite numbers above zero"),
    ],
)
def test_what_cannot_be_compared_says_why(
    base: Sequence[float | None], new: Sequence[float | None], reason: str
) -> None:
    found = ratios.unpaired(base, new, 0.05)
    assert (found.verdict, found.p, found.reason) == ("cannot tell", None, reason)
    assert found.ratio.low is None


def test_pairs_need_as_many_of_each_side() -> None:
    found = ratios.paired([1, 2, 3], [1, 2, 3, 4], 0.05)
    assert found.reason == "3 values of base and 4 of new; pairs need as many of each"
    assert ratios.paired([1, 2], [1, 2], 0.05).reason == "2 pairs; a verdict needs 3"
    assert ratios.paired([1, 2, 3], [1, 2, None], 0.05).reason == "1 of 3 visits of new gave no value"


# --- many figures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chances", "kept"),
    [
        ((0.009,), 1),
        ((0.009, 0.5), 0),
        ((0.004, 0.5), 1),
        ((0.001, 0.004, 0.5, 0.6), 2),  # 0.004 alone would need 0.0025, the second of two 0.005
        ((0.001, 0.004, 0.008, 0.0099), 4),  # all under 1 %
        ((0.0026, 0.3, 0.5, 0.6), 0),
    ],
)
def test_a_change_must_be_sure_among_as_many_as_there_are(chances: Sequence[float], kept: int) -> None:
    found = ratios.corrected([judged(p, "up" if p < 0.01 else "cannot tell") for p in chances])
    assert [one.verdict for one in found].count("up") == kept
    assert [one.p for one in found] == list(chances)
    lost = [one for p, one in zip(chances, found, strict=True) if p < 0.01 and one.verdict == "cannot tell"]
    assert all(f"not as one of {len(chances)} figures" in one.reason for one in lost)


def test_what_is_equivalent_stays_so_and_makes_nothing_else_surer() -> None:
    found = ratios.corrected([judged(1e-9, "equivalent"), judged(0.009), judged(0.9, "cannot tell")])
    assert [one.verdict for one in found] == ["equivalent", "cannot tell", "cannot tell"]


def test_what_has_no_verdict_does_not_count() -> None:
    found = ratios.corrected([judged(0.009), ratios.untold("nothing was measured")])
    assert [one.verdict for one in found] == ["up", "cannot tell"]
    assert ratios.corrected([]) == ()


@pytest.mark.parametrize("related", [0.0, 0.8])
def test_a_check_of_nothing_raises_an_alarm_once_in_a_hundred_however_many_figures_it_has(
    related: float,
) -> None:
    share = compared.alarms(dice(1), 300, figures=16, related=related, corrected=True)
    assert share <= 0.024  # 1 % and 2.5 standard errors
    # Of twenty such checks, more than one alarm: less than two in a hundred.
    assert 1 - 0.99**20 - 20 * 0.01 * 0.99**19 < 0.02


# --- simulated --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("visits", "others"), [(5, 5), (3, 10), (20, 4)])
def test_thousands_at_once_get_the_verdicts_of_one_by_one(visits: int, others: int) -> None:
    base = compared.visits(dice(2), 60, visits, 0.03)
    new = compared.visits(dice(3), 60, others, 0.05, 0.05)
    found = compared.unpaired(base, new, 0.08)
    for row, code in enumerate(found):
        one = ratios.unpaired(list(np.exp(base[row])), list(np.exp(new[row])), 0.08)
        assert CODES[one.verdict] == code
    logs = compared.visits(dice(4), 60, visits, 0.05, 0.04)
    assert [CODES[ratios.differences(list(row), 0.08).verdict] for row in logs] == list(
        compared.paired(logs, 0.08)
    )


@pytest.mark.parametrize(("base", "new"), [(3, 3), (5, 5), (3, 10), (5, 20), (20, 20)])
@pytest.mark.parametrize("margin", [0.05, 0.10])
def test_nothing_changed_is_called_slower_at_most_once_in_two_hundred(
    base: int, new: int, margin: float
) -> None:
    found = counted(
        compared.unpaired(
            compared.visits(dice(5), TRIALS, base, 0.04), compared.visits(dice(6), TRIALS, new, 0.04), margin
        )
    )
    assert found.up <= 0.0055  # 0.5 % and 1.5 standard errors: trials are seeded
    assert found.down <= 0.0055


def test_five_visits_a_side_that_vary_by_4_percent() -> None:
    """The published table of inference-doctor has 65 % at a drop of 15 %, and 98 % passed where nothing changed."""
    sides = compared.visits(dice(7), TRIALS, 5, 0.04), compared.visits(dice(8), TRIALS, 5, 0.04)
    nothing = counted(compared.unpaired(*sides, 0.10))
    drop = sides[1] + math.log1p(-0.15)
    ours = counted(compared.unpaired(sides[0], drop, 0.10))
    theirs = counted(compared.beyond_a_threshold(sides[0], drop, 0.10))
    assert nothing.down <= 0.005
    assert nothing.up <= 0.005
    assert ours.down > 0.97
    assert theirs.down == pytest.approx(0.65, abs=0.01)
    passed = counted(compared.beyond_a_threshold(*sides, 0.10)).equivalent
    assert passed == pytest.approx(0.98, abs=0.005)


@pytest.mark.parametrize(("base", "new"), [(3, 3), (5, 5), (3, 10), (10, 10), (20, 20)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_change_as_large_as_the_margin_is_called_equivalent_at_most_once_in_twenty(
    base: int, new: int, sign: int
) -> None:
    sides = compared.visits(dice(9), TRIALS, base, 0.04), compared.visits(dice(10), TRIALS, new, 0.04)
    found = counted(compared.unpaired(sides[0], sides[1] + sign * math.log1p(0.10), 0.10))
    assert found.equivalent <= 0.052  # 5 % and 2 standard errors


def test_ten_blocks_see_a_drop_of_5_percent_through_a_drift_of_10() -> None:
    seen = [
        counted(compared.paired(new - base))
        for base, new in (
            compared.session(dice(11), TRIALS, 10, 0.04, change, drift=0.10) for change in (0.0, -0.05)
        )
    ]
    assert seen[0].up + seen[0].down <= 0.01
    assert seen[1].down >= 0.80


def test_what_would_have_been_seen_is_seen_four_times_in_five() -> None:
    found = ratios.paired([100, 104, 97, 101, 99, 103], [101, 100, 101, 99, 98, 102], 0.05)
    assert found.detectable is not None
    logs = [
        math.log(n / b)
        for b, n in zip([100, 104, 97, 101, 99, 103], [101, 100, 101, 99, 98, 102], strict=True)
    ]
    spread = float(np.std(logs, ddof=1)) / math.sqrt(2)
    assert power.paired(spread, found.detectable, 6) == pytest.approx(0.8, abs=1e-6)


def test_the_page_has_the_tables_that_the_simulation_gives() -> None:
    text = tables.DOCS.read_text(encoding="utf-8")
    assert text.count(verdicts.BEGIN) == text.count(verdicts.END) == 1
    page = text.partition(verdicts.BEGIN)[2].partition(verdicts.END)[0]
    for one in (verdicts.beside, verdicts.numbers, verdicts.ways, verdicts.blocks):
        lines = one(40, lambda _: None).splitlines()
        assert lines[2] in page
        for line in lines[4:]:
            first = line.split(" | ")[0]
            assert f"{first} |" in page
