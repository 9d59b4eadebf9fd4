"""What the requests of a visit say: synthetic text or own prompts, each cold prompt opened by words of its own.

A cold cell asks what a prompt costs that the server has never seen: every request, warm-ups too, opens with words
drawn by its nonce. They stand at the beginning of the first message, which is the system message where there is one,
because servers keep what they computed for a common beginning: anything shared before the nonce would be cached.

A warm cell asks what the cache saves: the nonce is "", so all its requests say the same (with own prompts: the same
whenever a prompt's turn comes again), and after the first one only the end of the prompt is computed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from olbench import passages
from olbench.arrival import parts
from olbench.model import Cell, Message, Phase, Prompt, Request
from olbench.passages import Language
from olbench.ports import Prompts

SYNTHETIC = "synthetic"


@dataclass(frozen=True, slots=True)
class Synthetic:
    """Natural text of one size: the opening, a passage of the chronicle, and the request to write on.

    All prompts of one size hold the same lines in another order, so they have the same number of tokens. With the
    nonce "" the words of the opening and the order come from the seed: as many tokens, and always the same prompt.
    """

    language: Language
    size: int  # words (en) or characters (zh) of the passage, as calibrate found it
    seed: int
    system: str | None

    def prompt(self, index: int, nonce: str) -> Prompt:  # noqa: ARG002 - the port's shape; the nonce tells prompts apart
        """The prompt that `nonce` draws, whatever its index."""
        draw = nonce or f"warm {self.seed}"
        passage = passages.passage(self.language, self.size, draw)
        lines = [line for line in (passage, passages.closing(self.language)) if line]
        messages = _under(self.system, (Message("user", "\n".join(lines)),))
        return Prompt(SYNTHETIC, _opened(messages, passages.opening(self.language, draw)))

    def names(self) -> Sequence[str]:
        """The one name."""
        return (SYNTHETIC,)


@dataclass(frozen=True, slots=True)
class Batch:
    """Own prompts that take turns. A system message of their own stands in for the scenario's."""

    prompts: tuple[Prompt, ...]
    system: str | None

    def prompt(self, index: int, nonce: str) -> Prompt:
        """The prompt whose turn it is; with the nonce "" exactly as it was given."""
        own = self.prompts[index % len(self.prompts)]
        messages = _under(self.system, own.messages)
        if nonce:
            messages = _opened(messages, passages.opening(_language(messages), nonce))
        return replace(own, messages=messages)

    def names(self) -> Sequence[str]:
        """All names, in turn."""
        return tuple(prompt.name for prompt in self.prompts)


def requests(
    cell: Cell,
    prompts: Prompts,
    *,
    seed: int,
    repeat: int,
    run_nonce: str,
    warmup: int,
    measured: int,
    cold: bool,
    mix: Sequence[Prompts] = (),
) -> tuple[Request, ...]:
    """All requests of one visit: the one that carries the load if `cold`, the warm-ups, the measured ones.

    `mix` has the prompts of each part of the cell's mix; the first part carries the load, the others are drawn.

    Pure: the same arguments give the same bytes. `run_nonce` must be new for each execution, a resumed one too;
    otherwise a prompt could meet a server that still remembers it.
    """
    counts: tuple[tuple[Phase, int], ...] = (("cold", int(cold)), ("warmup", warmup), ("measured", measured))
    phases = [phase for phase, count in counts for _ in range(count)]
    weights = tuple(share.weight for share in cell.mix)
    drawn = parts(weights, warmup + measured, f"{seed}/{repeat}")
    sources = mix or (prompts,)
    return tuple(
        Request(
            index,
            phase,
            sources[part].prompt(index, nonce(cell, seed, repeat, str(index), run_nonce)),
            part,
        )
        for index, (phase, part) in enumerate(zip(phases, (0,) * cold + drawn, strict=True))
    )


def nonce(cell: Cell, seed: int, repeat: int, what: str, run_nonce: str) -> str:
    """What draws the words that open a prompt; "" in a warm cell, where prompts are to be alike."""
    return "" if cell.cache == "warm" else f"{seed} {cell.id} {repeat} {what} {run_nonce}"


def _under(system: str | None, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    if system is None or any(message.role == "system" for message in messages):
        return messages
    return (Message("system", system), *messages)


def _opened(messages: tuple[Message, ...], words: str) -> tuple[Message, ...]:
    first, *others = messages
    return (replace(first, content=f"{words}\n{first.content}"), *others)


def _language(messages: Sequence[Message]) -> Language:
    """The language whose words open these messages: Chinese where there is any Chinese character."""
    chinese = any("\u4e00" <= char <= "\u9fff" for message in messages for char in message.content)
    return "zh" if chinese else "en"
