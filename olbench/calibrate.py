"""How long a synthetic passage must be for the server to count the tokens that were asked for.

The caller sends a prompt of the size that `next_size` names, with num_predict 1, hands the server's own
prompt_eval_count back with all earlier tries, and does so until it is Settled or Impossible.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from olbench.passages import Language

MOST_TRIES = 6
_SPREAD = 2  # tokens that are left over for prompts of one size that differ from the one that was counted
_PATIENCE = 4  # tries after which they are not
_DOUBT = 32  # tokens that must be missing before the server is blamed
_FIRST = 1024  # tokens that the first try stays below, whatever the tokenizer
_FRAME = 256  # tokens that template, opening and closing may have if each byte is a token
_STRIDE = (
    64  # a long prompt takes minutes, so the way to it leads over short ones, never further than this factor
)


@dataclass(frozen=True, slots=True)
class Try:
    """A size that was sent and the tokens that the server counted."""

    size: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Settled:
    """Prompts of this size have the tokens that were asked for, within the tolerance."""

    size: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Impossible:
    """It cannot be had; the reason is a sentence for the user."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Habit:
    """What tokenizers make of a language, per unit of size."""

    unit: str
    fewest: float  # fewer tokens a unit than any tokenizer makes
    most: float  # each byte a token
    frame: int  # units that template, opening and closing are worth


_HABITS: Mapping[Language, _Habit] = {
    "en": _Habit("words", 0.5, 6.2, 33),
    "zh": _Habit("characters", 0.2, 3.1, 70),
}


def tolerance(asked: int) -> int:
    """Tokens by which a prompt may miss what was asked: 2 %, and 4 for short prompts."""
    return max(4, asked * 2 // 100)


def next_size(language: Language, asked: int, tried: Sequence[Try]) -> int | Settled | Impossible:
    """The size to try next, or the end of the search. At most six tries, seldom more than three."""
    habit = _HABITS[language]
    if not tried:
        return max(0, int((min(asked, _FIRST) - _FRAME) / habit.most))
    best = min(tried, key=lambda one: abs(one.tokens - asked))
    missed = abs(best.tokens - asked)
    allowed = tolerance(asked) - (_SPREAD if len(tried) < _PATIENCE else 0)
    if missed <= allowed:
        return Settled(best.size, best.tokens)
    reason = _hopeless(habit, asked, tried)
    if not reason:
        return _aim(habit, asked, tried)
    if missed <= tolerance(asked):
        return Settled(best.size, best.tokens)
    return Impossible(reason)


def _aim(habit: _Habit, asked: int, tried: Sequence[Try]) -> int:
    """The size at which a straight line through the tries around the goal, or nearest to it, meets the goal."""
    near, slope = _line(habit, asked, tried)
    goal = min(_goal(asked, near.tokens, len(tried)), _STRIDE * max(one.tokens for one in tried))
    size = max(0, near.size + round((goal - near.tokens) / slope))
    untried = set(range(max(0, size - MOST_TRIES), size + MOST_TRIES)) - {one.size for one in tried}
    return min(untried, key=lambda one: abs(one - size))


def _goal(asked: int, counted: int, tries: int) -> float:
    """What to aim at: after one try the slope is a guess, and a long prompt must not run out of the context."""
    return asked if tries > 1 or asked <= _FRAME else counted + 0.8 * (asked - counted)


def _line(habit: _Habit, asked: int, tried: Sequence[Try]) -> tuple[Try, float]:
    """A try and the tokens per unit of size from there on."""
    near, *others = sorted(tried, key=lambda one: abs(one.tokens - asked))
    if not others:
        slope = near.tokens / (near.size + habit.frame)
    else:
        across = [one for one in others if (one.tokens > asked) != (near.tokens > asked)]
        other = (across or others)[0]
        slope = (near.tokens - other.tokens) / (near.size - other.size)
    return near, min(habit.most, max(habit.fewest, slope))


def _hopeless(habit: _Habit, asked: int, tried: Sequence[Try]) -> str:
    """Why no further try can help; "" where one may."""
    frame = next((one.tokens for one in tried if one.size == 0), None)
    if frame is not None and frame > asked:
        return (
            "the chat template, the system prompt, the opening words and the closing instruction alone are "
            f"{frame} tokens; prompt_tokens = {asked} cannot be had, {frame} or more can"
        )
    for less, more in pairwise(sorted(tried, key=lambda one: one.size)):
        expected = habit.fewest / 2 * (more.size - less.size)
        if more.tokens - less.tokens < expected - max(_DOUBT, tolerance(asked)):
            return (
                f"the server counts {less.tokens} tokens for {less.size} {habit.unit} and {more.tokens} for "
                f"{more.size}; it cuts the prompt or does not count what it has cached, try a larger num_ctx"
            )
    if len(tried) >= MOST_TRIES:
        best = min(tried, key=lambda one: abs(one.tokens - asked))
        return (
            f"no passage came within {tolerance(asked)} tokens of prompt_tokens = {asked}; "
            f"the nearest has {best.size} {habit.unit} and {best.tokens} tokens"
        )
    return ""
