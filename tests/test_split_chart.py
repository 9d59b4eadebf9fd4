"""Where the time of a request went, drawn: the parts in the order of time, and the first token among them."""

from dataclasses import replace

import records

from olbench.analysis import analyse
from olbench.findings import Findings
from olbench.model import Sample
from olbench.report import figures


def drawn(seen: Sample) -> tuple[str, str, list[str]]:
    """The drawing, the note below it and the names in its legend."""
    (chart,) = figures.time_split(told(seen))
    return chart.panels[0].svg, chart.note, [key.name for key in chart.keys]


def told(seen: Sample) -> Findings:
    one = records.cell()
    return analyse(records.record([one], [records.observation(one, [seen])]))


def test_the_parts_follow_each_other_and_the_first_token_stands_where_prefill_ends() -> None:
    svg, note, names = drawn(records.sample(late_s=0.03, network_s=0.02, load_s=0.02, queue_s=0.2))
    assert names == ["connect", "network", "load", "queue", "prefill", "decode"]
    # 30 ms late, 20 of network, 20 of load, 200 of queue and 80 of prefill: 350
    assert (
        "connect 30.0, network 20.0, load 20.0, queue 200, prefill 80.0, decode 140, first token at 350 ms"
        in svg
    )
    assert "unknown" not in note


def test_what_is_unexplained_is_drawn_as_a_part_of_its_own() -> None:
    whole = records.sample()
    assert whole.counts is not None
    svg, _, names = drawn(replace(whole, counts=replace(whole.counts, eval_ns=70_000_000)))
    assert names[-1] == "unexplained"
    assert "decode 70.0, unexplained 70.0" in svg


def test_without_a_stream_there_is_no_first_token_and_the_note_says_what_is_unknown() -> None:
    svg, note, names = drawn(records.sample(streamed=False))
    assert "first token" not in svg
    assert "unexplained" not in names
    assert (
        "Unexplained: unknown in 1 cell (the response was not streamed: its queue and network are remainders"
        in note
    )


def test_a_server_that_says_nothing_of_its_time_has_no_bar() -> None:
    assert figures.time_split(told(records.sample(counts=None, late_s=0.03))) == ()
