"""How much synthetic text makes the tokens that a cell asks for, by the server's own count."""

import asyncio
from dataclasses import dataclass, replace

from olbench.calibrate import Impossible, Settled, Try, next_size
from olbench.drive import closed_loop, decoded
from olbench.errors import ServerError
from olbench.model import GOOD, Cell, ModelCard, Request
from olbench.passages import Language
from olbench.ports import Api
from olbench.workload import Synthetic

Key = tuple[str, int | None, str, bool | str | None]  # what the count depends on


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
