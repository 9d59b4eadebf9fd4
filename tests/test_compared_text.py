"""A comparison on the terminal: the verdict first, then what differs, then figures that stand below each other."""

import re
from dataclasses import replace

import comparisons
import pytest

from olbench.differences import Unlike
from olbench.findings import Estimate
from olbench.report import compared_text
from olbench.report.columns import width_of
from olbench.report.tables.compared import changed, share, verdict_line, whole


@pytest.mark.parametrize(
    ("ratio", "shown"),
    [
        (Estimate(0.948, 0.939, 0.957), ("-5.2 %", "-6.1 to -4.3 %")),
        (Estimate(1.0300, 1.0296, 1.0304), ("+3.000 %", "+2.960 to +3.040 %")),  # as narrow as it is known
        (Estimate(1.003, 0.9985, 1.0075), ("+0.30 %", "-0.15 to +0.75 %")),
        (Estimate(1.02, 0.7, 1.9), ("+2 %", "-30 to +90 %")),  # no places that a wide interval does not bear
        (Estimate(0.9999, 0.97, 1.03), ("0.0 %", "-3.0 to +3.0 %")),  # never "-0.0"
        (Estimate(12.5, 11.9, 13.1), ("+1,150 %", "+1,090 to +1,210 %")),
        (Estimate(0.948, None, None, "1 visit"), ("-5.2 %", "")),
        (Estimate(None, None, None, "1 visit"), ("–", "")),
    ],
)
def test_a_ratio_reads_as_a_change_with_the_places_that_its_interval_bears(
    ratio: Estimate, shown: tuple[str, str]
) -> None:
    assert changed(ratio) == shown


@pytest.mark.parametrize(
    ("relative", "shown"), [(0.021, "2.1 %"), (0.02, "2 %"), (0.62, "62 %"), (0.001, "0.10 %"), (None, "–")]
)
def test_a_margin_has_no_sign(relative: float | None, shown: str) -> None:
    assert share(relative) == shown


def test_the_verdict_counts_what_matters_first_and_leaves_out_what_is_not_there() -> None:
    assert verdict_line(comparisons.small()) == "1 slower, 1 faster, 1 equivalent, 1 cannot tell"
    one = comparisons.comparison([comparisons.pair("×1", [comparisons.slower()])])
    assert verdict_line(one) == "1 slower"
    assert verdict_line(comparisons.comparison([])) == "nothing to compare: no cell stands on both sides"


def test_what_is_slower_is_named_before_what_is_faster() -> None:
    told = whole(comparisons.small()).changed
    assert [(pair.label, one.metric, one.word) for pair, one in told] == [
        ("×1", "decode", "slower"),
        ("×1", "ttft", "faster"),
    ]


def test_a_small_comparison_reads_like_this() -> None:
    made = replace(comparisons.small(), unlike=(Unlike("server.version", "0.33.0", "0.33.1", content=False),))
    assert compared_text.show(made).splitlines()[:16] == [
        "1 slower, 1 faster, 1 equivalent, 1 cannot tell",
        "base  run 20261122-220256-quickstart-3f9a · quickstart · 2026-11-22 22:02 UTC · olbench 0.1.0",
        "new   run 20261123-040000-quickstart-77aa · quickstart · 2026-11-23 04:00 UTC · olbench 0.1.0",
        "",
        "what differs    base    new",
        "server.version  0.33.0  0.33.1",
        "",
        "1. ×1 (4 visits a side)",
        "metric               unit      base    new   change         interval  seen from  verdict",
        "Decode rate          tok/s ↑   50.0  47.40   -5.2 %   -6.1 to -4.3 %      2.1 %  slower",
        "Time to first token  ms ↓     120.0  105.6  -12.0 %  -15.0 to -9.0 %      2.1 %  faster",
        "",
        "2. ×4 (4 visits a side)",
        "metric               unit      base    new   change         interval  seen from  verdict",
        "Decode rate          tok/s ↑  31.00  31.09   +0.3 %   -0.9 to +1.5 %      2.1 %  equivalent",
        "Time to first token  ms ↓       400    400        –                           –  cannot tell",
    ]


def test_what_cannot_be_told_has_its_reason_below_it() -> None:
    lines = compared_text.show(comparisons.small()).splitlines()
    place = next(place for place, line in enumerate(lines) if line.endswith("–  cannot tell"))
    assert lines[place + 1] == "    1 visit of the new side; an interval needs 2"


@pytest.mark.parametrize("width", [92, 100])
def test_no_line_is_wider_than_a_terminal_even_with_wide_characters(width: int) -> None:
    lines = compared_text.show(comparisons.whole(), width=width).splitlines()
    assert max(map(width_of, lines)) <= width


def test_colours_stand_beside_words_and_change_none_of_them() -> None:
    made = comparisons.whole()
    coloured, bare = compared_text.show(made, colour=True), compared_text.show(made)
    assert re.sub(r"\x1b\[\d+m", "", coloured) == bare
    assert "\x1b[31mslower\x1b[0m" in coloured
    assert "\x1b[32mfaster\x1b[0m" in coloured


def test_everything_that_is_said_of_a_comparison_stands_there() -> None:
    text = " ".join(compared_text.show(comparisons.whole()).split())
    for said in (
        "Unlike cells are compared on purpose, across quantization.",
        "OLLAMA_FLASH_ATTENTION not set 1",
        "changes what is measured",
        "only on one side: llama3.2:3b · ×8 (base only)",
        "Decode rate -2.0 % -2.9 to -1.1 %",
        "1 pair has it; a mean needs 2",
        "widened after Holm",
        "2 visits of the base are left out",
        "within 2 % (Decode rate, Peak RAM of the server, Load time, cold); 5 % (Time to first token)",
    ):
        assert said in text, said


def test_set_ups_without_a_difference_say_so() -> None:
    assert "Nothing that was looked at differs" in compared_text.show(comparisons.small())


def test_visits_that_are_left_out_are_said_at_their_cell() -> None:
    pair = comparisons.pair("×1", [comparisons.slower()])
    pair = replace(pair, base=replace(pair.base, marked=2))
    assert "(4 visits a side; left out as disturbed: 2 of the base)" in compared_text.show(
        comparisons.comparison([pair])
    )


def test_control_characters_reach_no_terminal() -> None:
    made = comparisons.comparison([comparisons.pair("a\x1b[2Jb", [comparisons.slower()])], notes=("x\x07y",))
    made = replace(made, unlike=(Unlike("w\x1b", "\x9b1", "n\r", content=False),), alone=("a\x00",))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", compared_text.show(made))


def test_a_reason_that_all_metrics_of_a_cell_share_is_said_once() -> None:
    why = "1 visit of the new side; a verdict needs 3"
    pair = comparisons.pair("×1", [comparisons.untold(metric, why) for metric in ("decode", "ttft", "tpot")])
    assert compared_text.show(comparisons.comparison([pair])).count(why) == 1


def test_memory_is_not_slower_there_is_more_of_it() -> None:
    more = [comparisons.difference("ram_peak", (1.2, 1.1, 1.3), "slower", base=1e9) for _ in range(2)]
    pairs = [comparisons.pair("×1", more[:1])]
    assert verdict_line(comparisons.comparison(pairs)) == "1 takes more"
    both = comparisons.comparison([*pairs, comparisons.pair("×2", more[1:])])
    assert verdict_line(both) == "2 take more"
    assert compared_text.show(both).count("%  more\n") == 2


def test_an_interval_says_how_sure_it_is_unless_blocks_were_looked_at_one_by_one() -> None:
    one = comparisons.slower()
    said = "Intervals of changes are 99 % ones, and 90 % ones where the verdict is equivalent."
    unpaired = comparisons.comparison([comparisons.pair("×1", [one])])
    paired = comparisons.comparison([comparisons.pair("×1", [replace(one, paired=True)])])
    assert said in compared_text.show(unpaired)
    assert said not in compared_text.show(paired)
    assert "Blocks were measured in turn" in compared_text.show(paired)
