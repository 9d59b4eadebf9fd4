"""Whether the cells of a run differ in nothing but what was asked: what the server or the models decided is named."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from olbench.gist import Told
from olbench.prose import counted, listed
from olbench.units import words
from olbench.validity.check import Said, placed
from olbench.validity.placed import seen_slots, vram_shares

LABEL = 36  # characters of a cell's label in a sentence
NAMED = 3  # groups of cells that a sentence names
# A model's own PARAMETERs that change how fast it computes; sampling costs next to nothing.
PACE = ("num_batch", "num_gpu", "num_thread", "main_gpu", "use_mmap", "draft_num_predict")

Cells = Sequence[tuple[str, Told]]  # with their labels


def unlike(cells: Cells) -> Iterator[Said]:
    """One sentence for each thing that makes cells unlike although nobody asked for it."""
    for look in (_digests, _contexts, _shares, _slots, _batches, _parameters):
        yield from look(cells)


def _digests(cells: Cells) -> Iterator[Said]:
    for model, own in _by_model(cells).items():
        groups = _groups(own, lambda told: {one.digest[:12] for _, one in placed(told) if one.digest})
        if len(groups) > 1:
            yield Said(
                f"{_cut(model)} is not the same model in all cells: {_named(groups)}",
                action="do not pull or create models while a run goes on; run all cells again",
            )


def _contexts(cells: Cells) -> Iterator[Said]:
    """Cells that asked for different contexts and got the same."""
    for own in _by_model(cells).values():
        groups = _groups(
            own, lambda told: {f"{one.context_length:,}" for _, one in placed(told) if one.context_length}
        )
        for given, labels in groups.items():
            asked = {told.cell.num_ctx for label, told in own if label in labels}
            if len(asked) > 1:
                yield Said(
                    f"cells that asked for different contexts ran with the same, of {given} tokens: {_some(labels)}",
                    action=f"sweep num_ctx only up to {given.replace(',', '')} with this model",
                )


def _shares(cells: Cells) -> Iterator[Said]:
    shares = {label: max(own.values()) for label, told in cells if (own := vram_shares(told))}
    bar = max((told.limits["vram_share"] for _, told in cells), default=0.0)
    if shares and max(shares.values()) - min(shares.values()) > bar:
        groups: dict[str, list[str]] = {}
        for label, share in sorted(shares.items(), key=lambda one: -one[1]):
            groups.setdefault(f"{words(share, 'share', 2)} on the GPU", []).append(label)
        yield Said(
            f"cells differ in where their model lies: {_named(groups)}",
            action="compare only cells whose model lies in GPU memory as a whole, or say that the others do not fit",
        )


def _slots(cells: Cells) -> Iterator[Said]:
    groups = _groups(cells, lambda told: {counted(n, "slot") for n in [_exact(told)] if n is not None})
    if len(groups) > 1:
        yield Said(
            f"cells differ in the server's slots: {_named(groups)}",
            action="start the server with one OLLAMA_NUM_PARALLEL for all; some model families get one slot whatever it says",
        )


def _exact(told: Told) -> int | None:
    seen = seen_slots(told)
    return None if seen.at_least else seen.count


def _batches(cells: Cells) -> Iterator[Said]:
    """The batch size that the server chose by num_ctx: then prefill does not tell the cost of the context alone."""
    for own in _by_model(cells).values():
        chosen = [(label, told) for label, told in own if "num_batch" not in dict(told.cell.options)]
        groups = _groups(chosen, lambda told: {f"{one.batch:,}" for _, one in placed(told) if one.batch})
        if len(groups) > 1:
            yield Said(
                f"the server chose different batch sizes: {_named(groups)}; prefill differs for that, too",
                action="set `num_batch = 512` in `[sweep]`, so that all cells have the same",
            )


def _parameters(cells: Cells) -> Iterator[Said]:
    """What models say of themselves and no request overrides."""
    own = {label: _pace(told) for label, told in cells if told.card is not None}
    for name in PACE:
        said = {label: one[name] for label, one in own.items() if name in one}
        if said and (len(set(said.values())) > 1 or len(said) < len(own)):
            groups: dict[str, list[str]] = {}
            for label, value in said.items():
                groups.setdefault(_cut(value), []).append(label)
            yield Said(
                f"models bring a {name} of their own: {_named(groups)}",
                action=f"give `{name}` in `[sweep]`: what a request says wins over the model",
            )


def _pace(told: Told) -> Mapping[str, str]:
    asked = dict(told.cell.options)
    return {name: value for name, value in (told.card.parameters if told.card else ()) if name not in asked}


# --- groups of cells ------------------------------------------------------------------------------------------


def _by_model(cells: Cells) -> Mapping[str, list[tuple[str, Told]]]:
    found: dict[str, list[tuple[str, Told]]] = {}
    for label, told in cells:
        found.setdefault(told.cell.model, []).append((label, told))
    return found


def _groups(cells: Cells, read: Callable[[Told], Iterable[str]]) -> Mapping[str, list[str]]:
    """What was seen -> the labels of the cells in which it was; a cell whose visits differ is in none, and flagged itself."""
    found: dict[str, list[str]] = {}
    for label, told in cells:
        seen = sorted(set(read(told)))
        if len(seen) == 1:
            found.setdefault(seen[0], []).append(label)
    return found


def _named(groups: Mapping[str, Sequence[str]]) -> str:
    shown = [f"{value} in {_some(labels)}" for value, labels in list(groups.items())[:NAMED]]
    rest = len(groups) - len(shown)
    return "; ".join([*shown, *([f"{rest} more"] if rest else [])])


def _some(labels: Sequence[str]) -> str:
    first = _cut(labels[0])
    return first if len(labels) == 1 else listed([first, counted(len(labels) - 1, "more cell")])


def _cut(text: str) -> str:
    return text if len(text) <= LABEL else f"{text[: LABEL - 1]}…"
