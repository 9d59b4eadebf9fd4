"""Twelve servers that lie, each caught by the check that is meant for it; and honest ones, of which nothing is said."""

from dataclasses import replace

import pytest
from lying import HONEST, MS, asked, findings, flagged

from olbench.engines.scripted_lies import Lies
from olbench.engines.scripted_script import Script

FOUR = {"server.parallel": 4}
LIES = {
    "cache hits on prompts with a nonce": (replace(HONEST, lies=Lies(cached_from=24)), 1, "cache state"),
    "the same, from a server that does not count them": (
        replace(HONEST, lies=Lies(cached_from=24), tells_cached=False),
        1,
        "cache state",
    ),
    "a third of the model on the CPU": (replace(HONEST, vram_share=0.69), 1, "GPU share"),
    "a clamped context": (replace(HONEST, context_length=2048), 1, "context"),
    "one slot instead of four": (replace(HONEST, slots=1), 4, "slots"),
    "a reload in mid-cell": (replace(HONEST, lies=Lies(reload_at=33)), 1, "reloads"),
    "another digest": (replace(HONEST, lies=Lies(digest_from=25)), 1, "model digest"),
    "another version": (replace(HONEST, lies=Lies(version_from=25)), 1, "server version"),
    "a queue behind somebody else": (
        replace(HONEST, lies=Lies(queue_from=20, queue_ns=300 * MS)),
        1,
        "durations",
    ),
    "a slow drift": (replace(HONEST, lies=Lies(drift=0.004)), 1, "drift"),
    "a step": (replace(HONEST, lies=Lies(step_from=25, step=0.25)), 1, "step"),
    "a stall": (replace(HONEST, lies=Lies(stall_at=33, stall_ns=2500 * MS)), 1, "stall"),
    "durations that do not sum": (replace(HONEST, lies=Lies(overstated=0.1)), 1, "durations"),
}


@pytest.mark.parametrize(("script", "streams", "check"), LIES.values(), ids=LIES.keys())
def test_a_lie_is_caught_and_says_what_to_do(script: Script, streams: int, check: str) -> None:
    found = findings(script, asked(concurrency=streams), FOUR if streams > 1 else None)
    caught = [flag for flag in flagged(found) if flag.check == check]
    assert caught
    assert all(flag.sentence and flag.action for flag in flagged(found))
    assert any(row.state == "amber" for row in found.trust)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("streams", [1, 4])
def test_of_an_honest_server_nothing_is_said(streams: int, seed: int) -> None:
    found = findings(replace(HONEST, seed=seed), asked(concurrency=streams), FOUR if streams > 1 else None)
    assert flagged(found) == ()
    assert {row.state for row in found.trust} == {"green", "grey"}


def test_requests_with_the_wrong_cache_leave_the_figures() -> None:
    script, streams, _ = LIES["the same, from a server that does not count them"]
    (cell,) = findings(script, asked(concurrency=streams)).cells
    (honest,) = findings(HONEST, asked(concurrency=streams)).cells
    assert cell.contaminated > 0
    assert cell.summaries["ttft"].samples == honest.summaries["ttft"].samples - cell.contaminated
    typical, usual = cell.summaries["ttft"].typical.value, honest.summaries["ttft"].typical.value
    assert typical == pytest.approx(usual, rel=0.05)
