"""How much synthetic text makes the tokens that a cell asks for, by the server's own count."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from olbench.calibrate import Impossible, Settled, Try, next_size
from olbench.drive import closed_loop, decoded
from olbench.errors import ServerError
from olbench.model import GOOD, Cell, ModelCard, Request
from olbench.passages import Language
from olbench.ports import Api
from olbench.workload import Synthetic

Key = tuple[str, int | None, str, bool | str | None]  # what the count depends on
SHORT = 128  # tokens


@dataclass(frozen=True, slots=True)
class Text:
    """What all synthetic prompts of a run share."""

    language: Language
    system: str | None
    seed: int
    nonce: str


def key(cell: Cell, card: ModelCard | None) -> Key:
    """Cells with the same key have prompts of the same size."""
    name = card.digest if card and card.digest else cell.model
    return name, cell.prompt_tokens, cell.api, cell.think


async def settled(api: Api, cell: Cell, text: Text, timeout_ns: int) -> Settled:
    """The size of text that the server counts as the cell's prompt_tokens. ServerError when there is none.

    The model must be loaded as the cell wants it. Each try is one request that generates one token.
    """
    asked = cell.prompt_tokens or 0
    brief = replace(cell, output_tokens=1)
    tried: list[Try] = []
    while True:
        found = next_size(text.language, asked, tried)
        if isinstance(found, Settled):
            return found
        if isinstance(found, Impossible):
            raise ServerError(f"prompts of {asked} tokens cannot be made for {cell.model}: {found.reason}")
        source = Synthetic(text.language, found, text.seed, text.system)
        prompt = source.prompt(0, f"calibration {text.nonce} {len(tried)}")
        tokens = await _counted(api, brief, Request(len(tried), "warmup", prompt), timeout_ns)
        tried.append(Try(found, tokens))


async def _counted(api: Api, cell: Cell, request: Request, timeout_ns: int) -> int:
    wire = api.encode(cell, request)
    taken = await closed_loop(api, [wire], streams=1, timeout_ns=timeout_ns, stop=asyncio.Event())
    (sample,) = decoded(api, cell, taken)
    if sample.outcome not in GOOD:
        raise ServerError(
            f"finding the prompt's length ended as {sample.outcome}: {sample.words}", status=sample.status
        )
    if sample.counts is None or sample.counts.prompt_eval_count is None:
        raise ServerError(
            "the server does not count prompt tokens, so their number cannot be steered; own prompts would do"
        )
    return sample.counts.prompt_eval_count


# --- prompts of many lengths ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fit:
    """Sizes between those that were counted: of natural text each word is worth as many tokens as the last."""

    counted: tuple[tuple[int, int], ...]  # (tokens, size), both ascending

    def size(self, tokens: int) -> int:
        """The size whose prompts have about so many tokens; beyond the counted ones in the same proportion."""
        (less, small), (more, large) = self._around(tokens)
        if more == less:
            return max(0, small * tokens // max(1, less))
        return max(0, small + round((large - small) * (tokens - less) / (more - less)))

    def _around(self, tokens: int) -> tuple[tuple[int, int], tuple[int, int]]:
        if len(self.counted) == 1:
            return self.counted[0], self.counted[0]
        pairs = list(pairwise(self.counted))
        return next((pair for pair in pairs if tokens <= pair[1][0]), pairs[-1])


def anchors(lengths: Iterable[int]) -> tuple[int, ...]:
    """Three lengths, at most, that are counted so that all others can be told: the shortest, the longest, one between.

    Of very short ones most is the template, and the shortest may be shorter than that: from `SHORT` on words decide.
    """
    found = sorted(lengths)
    least, most = max(SHORT, found[0]), max(SHORT, found[-1])
    if found[0] < SHORT == most:
        return SHORT, 2 * SHORT  # from these two a line leads down
    return tuple(sorted({least, round((least * most) ** 0.5), most}))
