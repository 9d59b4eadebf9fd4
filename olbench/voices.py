"""What the requests of a visit are made from: each part's cell as it is sent, and prompts of its length."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from olbench import lengths, workload
from olbench.arrival import Arrival, Share
from olbench.bench import Bench
from olbench.calibrate import Settled
from olbench.lengths import Fit
from olbench.model import Cell, ModelCard
from olbench.ports import Prompts
from olbench.prepare import cards_by_name

Ready = Callable[[Cell], Awaitable[None]]  # brings a cell's model into memory


@dataclass(frozen=True, slots=True)
class Voices:
    """All parts; a cell without a mix has one."""

    cells: tuple[Cell, ...]  # each keeps the id of the whole: they are parts of one cell
    prompts: tuple[Prompts, ...]
    fits: tuple[Callable[[int], Prompts] | None, ...]  # by number of tokens; None: all are of one length

    def cell(self, part: int, entry: Arrival | None = None) -> Cell:
        """What is sent for a request of that part, and of that entry of a trace."""
        if entry is None:
            return self.cells[part]
        return replace(self.cells[part], prompt_tokens=entry.prompt_tokens, output_tokens=entry.output_tokens)

    def source(self, part: int, entry: Arrival | None = None) -> Prompts:
        """Its prompts."""
        fit = self.fits[part]
        return self.prompts[part] if entry is None or fit is None else fit(entry.prompt_tokens)


def parts(cell: Cell, cards: Sequence[ModelCard]) -> tuple[Cell, ...]:
    """The cell as it is sent, once for each share of its mix."""
    named = cards_by_name(tuple(cards))
    return tuple(_part(cell, one, named.get(one.model)) for one in cell.mix) or (cell,)


def _part(cell: Cell, share: Share, card: ModelCard | None) -> Cell:
    return replace(
        cell,
        model=share.model,
        base=share.base,
        quantization=share.quantization,
        prompt_tokens=share.prompt_tokens,
        output_tokens=share.output_tokens,
        think=_think(cell, share, card),
    )


def _think(cell: Cell, share: Share, card: ModelCard | None) -> bool | str | None:
    """As the cell says it, as far as this model can think; it is told off where only the others cannot."""
    if share.model == cell.model:
        return cell.think
    if card is None or card.capabilities is None or "thinking" not in card.capabilities:
        return None
    return False if cell.think is None else cell.think


async def found(bench: Bench, cells: Sequence[Cell], trace: Sequence[Arrival], ready: Ready) -> Voices:
    """The voices of these parts; models are made ready where the length of a prompt has to be found out."""
    if bench.own_prompts is not None:
        return Voices(tuple(cells), (bench.own_prompts,) * len(cells), (None,) * len(cells))
    if trace:
        (cell,) = cells
        fit = partial(_of_length, bench, await _fit(bench, cell, trace, ready))
        return Voices((cell,), (fit(cell.prompt_tokens or lengths.SHORT),), (fit,))
    sizes = [(await _settled(bench, cell, ready)).size for cell in cells]
    return Voices(tuple(cells), tuple(_text(bench, size) for size in sizes), (None,) * len(cells))


async def _fit(bench: Bench, cell: Cell, trace: Sequence[Arrival], ready: Ready) -> Fit:
    """Two or three lengths are counted, whatever number of them there is."""
    room = cell.num_ctx - 1
    asked = [min(room, entry.prompt_tokens) for entry in trace]
    counted = []
    for tokens in lengths.anchors(asked):
        one = await _settled(bench, replace(cell, prompt_tokens=tokens), ready)
        counted.append((one.tokens, one.size))
    return Fit(tuple(sorted(counted)))


async def _settled(bench: Bench, cell: Cell, ready: Ready) -> Settled:
    terms, sizes = bench.terms, bench.state.sizes
    card = cards_by_name(bench.cards).get(cell.model)
    key = lengths.key(cell, card)
    if key not in sizes:
        await ready(cell)
        bench.audience.doing("finding the prompt's length")
        text = lengths.Text(terms.language, terms.system, terms.seed, terms.nonce)
        sizes[key] = await lengths.settled(bench.api, cell, text, terms.timeout_ns)
    return sizes[key]


def _text(bench: Bench, size: int) -> Prompts:
    terms = bench.terms
    return workload.Synthetic(terms.language, size, terms.seed, terms.system)


def _of_length(bench: Bench, fit: Fit, tokens: int) -> Prompts:
    return _text(bench, fit.size(tokens))
