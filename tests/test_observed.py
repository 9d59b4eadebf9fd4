"""What visits tell beside costs: overhead, batches and what a cache keeps."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from builders import cell, observation, sample

from olbench.arrival import Load
from olbench.crowd import Beside
from olbench.gist import Told, gist
from olbench.model import Facts, Sample
from olbench.observed import beside
from olbench.queueing import Cache

PEOPLE = Load(pattern="sessions", users=4, questions_per_hour=60.0, turns=3, think_ns=10**9)


def told(*samples: Sample, **fields: object) -> Told:
    of = cell(**fields)
    return Told(of, 1, (gist(observation(of, samples), load=of.load),))


def talks(cached: Callable[[int, int], int], count: int = 12) -> Told:
    """Conversations of three turns, questions and answers of 50 tokens, with what came from the cache."""
    every = [
        sample(
            index=3 * talk + turn,
            turn=turn,
            sent_s=1.0 + 3 * talk + turn,
            prompt_tokens=50 + 100 * turn,
            cached=cached(talk, turn),
        )
        for talk in range(count)
        for turn in range(3)
    ]
    return told(*every, load=PEOPLE)


def test_overhead_is_what_a_request_alone_waits_beyond_the_reading_of_its_prompt() -> None:
    alone = told(*(sample(index=one, load_s=0.01, network_s=0.01 * one) for one in range(3)))
    crowded = told(sample(network_s=1.0), concurrency=4)
    assert beside([alone, crowded]).overhead == pytest.approx(0.02)
    assert beside([crowded]).overhead == 0.0


def test_nothing_seen_is_what_is_usual() -> None:
    assert beside([]) == Beside(cache="slot", batch=512, overhead=0.0)


def test_how_all_prompts_begin_is_what_comes_from_the_cache_of_those_that_were_never_sent() -> None:
    cold = told(*(sample(index=one, cached=cached) for one, cached in enumerate((0, 24, 24, 25))))
    repeated = told(*(sample(index=one, cached=63) for one in range(8)), cache="warm")
    assert beside([cold, repeated]).head == 24
    assert beside([repeated]).head == beside([told(sample(cached=None))]).head == 0


def test_a_batch_that_was_asked_for_is_taken() -> None:
    assert beside([told(options=(("num_batch", 1024), ("temperature", 0)))]).batch == 1024


@pytest.mark.parametrize(
    ("cached", "found"),
    [
        (lambda _, turn: 100 * turn, "all"),
        (lambda _, turn: 4 if turn else 0, "none"),
        (lambda talk, turn: 100 * turn * (talk % 2), "slot"),
    ],
)
def test_what_the_cache_keeps_is_seen_by_later_turns(cached: Callable[[int, int], int], found: Cache) -> None:
    assert beside([talks(cached)]).cache == found


def test_a_few_turns_tell_nothing_of_the_cache() -> None:
    assert beside([talks(lambda _, turn: 4 if turn else 0, count=3)]).cache == "slot"


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"server.version": "0.33.0-rc2"}, "all"),
        ({"server.version": "0.30.0"}, "all"),
        ({"server.version": "0.24.0"}, "slot"),
        ({"server.version": "0.33.0", "engine.name": "embedded"}, "slot"),
        ({}, "slot"),
    ],
)
def test_where_no_later_turns_were_seen_the_server_is_as_such_servers_are(facts: Facts, found: Cache) -> None:
    assert beside([replace(told(), facts=facts)]).cache == found
