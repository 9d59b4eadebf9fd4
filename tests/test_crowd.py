"""People in a simulated queue: what they are held against, and a scripted server that they are played through beside it."""

import asyncio
import math
from collections.abc import Sequence

import pytest
import virtual
from phone import Phone, hang_up, lines

from olbench.arrival import Persona, Talk, talks
from olbench.clock import now, sleep_until
from olbench.crowd import Beside, Crowd, met
from olbench.engines.scripted import Script, Scripted
from olbench.queueing import Engine, Served, Shape, simulate
from olbench.slo import Aspect, Term

MS = 1_000_000
LEAD_NS = 5 * 10**9  # until the first question
PEOPLE = Persona(
    users=12, questions_per_hour=120, prompt_tokens=120, output_tokens=20, turns=4, think_ns=8 * 10**9
)


def served(first: float, end: float, output: int = 11) -> Served:
    return Served(0, 0, 100.0, 100.0, 100.0 + first, 100.0 + end, 50, 0, output, False)


# Of tokens 0.1, 0.2 and 0.3 s apart after 1, 2 and 3 s, and one that is alone.
FOUR = (served(1.0, 2.0), served(2.0, 4.0), served(3.0, 6.0), served(0.5, 0.5, output=1))


@pytest.mark.parametrize(
    ("aspect", "bound", "share"),
    [
        ("ttft", 2.0, 0.75),
        ("ttft", 1.999, 0.5),
        ("e2e", 4.0, 0.75),
        ("tpot", 0.2000001, 0.5),
        ("answer_rate", 4.999, 0.5),
        ("answer_rate", 3.0, 0.75),
        ("success", None, 1.0),
    ],
)
def test_a_line_is_met_by_those_within_its_bound_and_by_none_without_such_a_figure(
    aspect: Aspect, bound: float | None, share: float
) -> None:
    assert met(Term(key="", aspect=aspect, share=0.95, bound=bound), FOUR, 0.0) == share


def test_what_takes_neither_slot_nor_engine_is_charged_to_the_first_token_and_the_whole_only() -> None:
    bounds: dict[Aspect, tuple[float, float]] = {
        "ttft": (2.0, 0.5),
        "e2e": (4.0, 0.5),
        "tpot": (0.2000001, 0.5),
    }
    for aspect, (bound, share) in bounds.items():
        assert met(Term(key="", aspect=aspect, share=0.95, bound=bound), FOUR, 0.01) == share


def test_a_crowd_leaves_out_those_who_found_the_house_empty_and_is_the_same_each_time() -> None:
    crowd = Crowd(PEOPLE, (Term(key="ttft_p95", aspect="ttft", share=0.95, bound=0.5),), 1, Beside())
    engine = Engine(slots=2, step=0.02, stream=0.0, depth=0.0, opening=0.0, token=0.001, square=0.0)
    played = crowd.played(engine, 12, 500)
    assert len(played.served) == pytest.approx(500, rel=0.15)
    assert played.served[0].due > 0.1 * played.length
    assert {one.prompt for one in played.served} == {120, 260, 400, 540}
    assert crowd.shares(engine, 12, 500) == crowd.shares(engine, 12, 500)
    assert crowd.room(engine, 12, 500) == crowd.shares(engine, 12, 500)["ttft_p95"] - 0.95


# --- beside the scripted server -------------------------------------------------------------------------------


class People:
    """Users of a scripted server, who ask as the talks have it, and what they saw."""

    def __init__(self, server: Scripted, people: Sequence[Talk]) -> None:
        self.server, self.people = server, people
        self.ttft: list[float] = []
        self.e2e: list[float] = []
        self.cached: list[int] = []

    async def live(self) -> None:
        began = now() + LEAD_NS
        owns = [[talk for talk in self.people if talk.user == user] for user in range(PEOPLE.users)]
        await asyncio.gather(*(self.user(began, own) for own in owns))

    async def user(self, began: int, own: Sequence[Talk]) -> None:
        free = began
        for number, talk in enumerate(own):
            due, text = max(free, began + talk.start_ns), ""
            for turn, think in enumerate((0, *talk.thinks_ns)):
                words = range(PEOPLE.prompt_tokens)
                text = " ".join([text, *(f"{talk.user}.{number}.{turn}.{word}" for word in words)]).strip()
                text = f"{text} {await self.ask(text, due + think)}"
                due = now()
            free = due

    async def ask(self, text: str, due: int) -> str:
        await sleep_until(due)
        phone = Phone(self.server)
        options = {"num_predict": PEOPLE.output_tokens, "num_ctx": 8192}
        await phone.post("/api/generate", model="scripted:1b", prompt=text, options=options)
        said = lines(await phone.answer())
        phone.close()
        first = next(moment for moment, data in phone.heard if b'"response"' in data)
        self.ttft.append((first - due) / 1e9)
        self.e2e.append((phone.heard[-1][0] - due) / 1e9)
        self.cached.append(said[-1]["prompt_eval_cached_count"])
        return "".join(one["response"] for one in said).strip()


def lived(script: Script, people: Sequence[Talk]) -> People:
    async def story() -> People:
        server = Scripted(script, kernel=False)
        try:
            found = People(server, people)
            await found.live()
            return found
        finally:
            await server.stop()
            hang_up()

    return virtual.run(story())


def mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def late(numbers: Sequence[float]) -> float:
    return sorted(numbers)[math.ceil(0.95 * len(numbers)) - 1]


@pytest.mark.parametrize(("slots", "sharing"), [(1, 1.0), (2, 0.2), (4, 1.0)])
def test_people_wait_as_long_in_the_simulation_as_at_a_server_that_does_what_it_assumes(
    slots: int, sharing: float
) -> None:
    """The scripted server reads whole prompts one after the other, and its answers go their own pace."""
    step = 0.06
    script = Script(
        load_ns=0,
        prefill_ns_per_token=2 * MS,
        itl_ns=60 * MS,
        slots=slots,
        sharing=sharing,
        one_engine=True,
        conversations=True,
    )
    people = talks(PEOPLE.load(PEOPLE.users), 300 * 10**9, (1.0,), 3)
    engine = Engine(
        slots=slots,
        cache="all",
        batch=10**6,
        step=step * (1 - sharing),
        stream=step * sharing,
        depth=0.0,
        opening=0.0,
        token=0.002,
        square=0.0,
    )
    shape = Shape(PEOPLE.prompt_tokens, PEOPLE.output_tokens)
    told = simulate(engine, people, [shape]).served
    seen = lived(script, people)
    # Ours take steps together, and who comes waits for the one in hand.
    half = step * (1 + sharing * (slots - 1)) / 2
    assert mean(seen.ttft) == pytest.approx(mean([one.first - one.due for one in told]), rel=0.03, abs=half)
    assert mean(seen.e2e) == pytest.approx(mean([one.end - one.due for one in told]), rel=0.08)
    assert mean(seen.cached) == pytest.approx(mean([one.cached for one in told]), rel=0.03)
