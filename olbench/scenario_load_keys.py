"""The keys of the sections on people, loads and service levels."""

import math
import re
from collections.abc import Mapping

from olbench import slo
from olbench.arrival import PATTERNS, Pattern
from olbench.scenario_values import (
    REQUIRED,
    SPAN,
    Key,
    UnfitError,
    above_0,
    one_of,
    seconds,
    share,
    span,
    text,
    whole,
)

_ANSWER_RATE = re.compile(r"(\d+(?:\.\d+)?) ?tok/s")
_MOST_TURNS = 1000
_QUANTIZATION = 'a quantization such as "q8_0"'
# Sessions are [persona]'s.
OPEN: tuple[Pattern, ...] = tuple(pattern for pattern in PATTERNS if pattern != "sessions")


def _answer_rate(value: str | float) -> float:
    """A number of tokens a second, or a text such as "10 tok/s"."""
    if not isinstance(value, str):
        return above_0(value)
    found = _ANSWER_RATE.fullmatch(value)
    if found is None:
        raise UnfitError
    return above_0(float(found[1]))


def _part_of_all(value: str | float) -> float:
    found = share(value)
    if found > 1:
        raise UnfitError
    return found


def _from_0(value: float) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise UnfitError
    return float(value)


def _bound(aspect: slo.Aspect) -> Key:
    match aspect:
        case "answer_rate":
            return Key(str | float, 'tokens a second, such as 10 or "10 tok/s",', None, then=_answer_rate)
        case "success":
            return Key(
                str | float, 'a share above 0 and of at most 1, such as "99%",', None, then=_part_of_all
            )
        case _:
            return Key(str | float, SPAN, None, then=seconds)


RATE = Key(float, "a number of requests a second above 0", None, then=above_0)
SLO: Mapping[str, Key] = {key: _bound(aspect) for key, (aspect, _) in slo.KEYS.items()}
PERSONA: Mapping[str, Key] = {
    "users": whole(REQUIRED, 1, 100_000),
    "questions_per_hour": Key(
        float, "a number of one user's questions an hour above 0", REQUIRED, then=above_0
    ),
    "prompt_tokens": whole(REQUIRED, 8),
    "output_tokens": whole(REQUIRED, 1),
    "turns": whole(1, 1, _MOST_TURNS),
    "think": Key(str | float, SPAN, 30 * 10**9, then=span),
}
LOAD: Mapping[str, Key] = {
    "pattern": one_of("poisson", *OPEN),
    "start_rate": Key(float, "a number of requests a second of at least 0", None, then=_from_0),
    "burst": whole(None, 1, 100_000),
    "file": text(None, "the path of a trace, from the scenario's folder"),
    "speed": Key(float, "a number above 0, such as 2 for twice as fast,", None, then=above_0),
}
MIX: Mapping[str, Key] = {
    "model": text(None, 'the name of a model, such as "llama3.2:3b"'),
    "quantization": text(None, _QUANTIZATION),
    "weight": Key(float, "a number above 0", 1.0, then=above_0),
    "prompt_tokens": whole(None, 8),
    "output_tokens": whole(None, 1),
}
SIZE: Mapping[str, Key] = {
    "by": one_of(None, "users", "rate", "concurrency"),
    "least": Key(float, "a number above 0", None, then=above_0),
    "most": Key(float, "a number above 0", None, then=above_0),
    "step": Key(str | float, 'a share above 0 and of at most 1, such as "10%",', 0.1, then=_part_of_all),
    "probes": whole(15, 1, 1000),
    "requests": whole(None, 1, 100_000),
    "effort": one_of("usual", "quick", "usual", "sharp"),
}
