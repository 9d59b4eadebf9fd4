"""The answer of a sizing, in words."""

from typing import Any

import pytest
import sizings

from olbench.sized import Capacity, Elsewhere, Step
from olbench.sizing_words import answer
from olbench.slo import Term


def capacity(**changes: object) -> Capacity:
    """Nine users, ten are too many, decoding binds."""
    fields: dict[str, object] = {
        "label": "small q4_0",
        "by": "users",
        "answer": 9.0,
        "over": 10.0,
        "resolved": True,
        "reason": "",
        "steps": (),
        "predicted": None,
        "binds": "decode",
    }
    return Capacity(**{**fields, **changes})  # type: ignore[arg-type] # the fields are those above


def elsewhere(machine: str, *, meets: bool | None) -> Elsewhere:
    """A machine that would do, or would not."""
    return Elsewhere(
        machine=machine,
        label="small",
        fits=True,
        memory=1e9,
        decode=None,
        prefill=None,
        users=None,
        meets=meets,
        reason="",
    )


@pytest.mark.parametrize(
    ("found", "target", "told"),
    [
        (
            capacity(),
            None,
            ("This machine carries 9 such users; writing answers (decode) is what limits it.",),
        ),
        (
            capacity(),
            20.0,
            (
                "This machine carries 9 such users; writing answers (decode) is what limits it.",
                "For 20 users it is not enough (at least 3 machines like this one).",
            ),
        ),
        (
            capacity(answer=20.0, over=22.0),
            20.0,
            (
                "This machine carries 20 such users; writing answers (decode) is what limits it.",
                "For 20 users it is enough.",
            ),
        ),
        (
            capacity(resolved=False, over=12.0, reason="not clear after 15 probes"),
            10.0,
            (
                "This machine carries 9 to 11 such users; writing answers (decode) is what limits it.",
                "Whether it carries 10 users was not shown.",
            ),
        ),
        (
            capacity(resolved=False, over=None, reason="even the highest load was kept", binds=None),
            None,
            ("This machine carries 9 such users or more (even the highest load was kept).",),
        ),
        (
            capacity(by="rate", answer=1.0, over=1.1, binds="slots"),
            None,
            (
                "This machine carries 1 request a second; the number of answers at once (slots) is what limits it.",
            ),
        ),
        (
            capacity(answer=None, over=None, reason="no load was tried", binds=None),
            None,
            ("This machine was not measured under load: no load was tried.",),
        ),
    ],
)
def test_the_answer_says_what_is_carried_what_binds_and_what_the_target_takes(
    found: Capacity, target: float | None, told: tuple[str, ...]
) -> None:
    assert answer([found], target, ()) == told


LINE = Term(key="ttft_p90", aspect="ttft", share=0.9, bound=2.0)


def seen(load: float, met: int, **changes: Any) -> Step:
    """A load of which so many of 100 requests met a bound that 90 of them must."""
    made = sizings.service([met / 100], [LINE], **changes)
    return Step(place=round(load) - 1, load=load, cell="c", service=made)


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ((seen(9, 97), seen(10, 83)), "This machine seems to carry 9 such users: so it was seen, but too briefly to be sure."),
        ((seen(9, 83), seen(10, 97)), "This machine was not shown to keep the service level for 9 such users."),
        ((seen(9, 97), seen(7, 0, invalid="the client was late")), "This machine seems to carry 9 such users: so it was seen, but too briefly to be sure."),
        ((seen(9, 0, invalid="the client was late"),), "This machine could not be judged under load: the client was late."),
        ((seen(7, 0, invalid="the client was late"), seen(9, 83)), "This machine was not shown to keep the service level for 9 such users."),
        ((seen(9, 97, cut_short=True),), "This machine was not shown to keep the service level for 9 such users."),
    ],
)  # fmt: skip
def test_what_was_seen_but_not_shown_is_told_as_that(steps: tuple[Step, ...], told: str) -> None:
    one = capacity(answer=None, over=None, resolved=False, reason="it ended", binds=None, steps=steps)
    assert answer([one], None, ()) == (told,)


def test_beside_what_was_shown_stands_what_was_seen() -> None:
    one = capacity(
        answer=5.0,
        over=12.0,
        resolved=False,
        reason="it ended",
        binds=None,
        steps=(seen(9, 97), seen(10, 83)),
    )
    assert answer([one], None, ()) == ("This machine carries 5 to 11 such users (by what was seen 9).",)


def test_machines_that_would_do_are_named_as_estimates() -> None:
    there = [
        elsewhere("Big GPU", meets=True),
        elsewhere("Small GPU", meets=False),
        elsewhere("Odd GPU", meets=None),
    ]
    assert answer([capacity()], 20.0, there)[-1] == (
        "For 20 users it is not enough (at least 3 machines like this one); by estimate, these would do: Big GPU."
    )


def test_several_models_are_told_apart() -> None:
    told = answer([capacity(), capacity(label="large q8_0", answer=4.0, over=5.0)], 4.0, ())
    assert told[0].startswith("With small q4_0, this machine carries 9 such users")
    assert told[1].startswith("With large q8_0, this machine carries 4 such users")
    assert told[2] == "For 4 users it is enough."
