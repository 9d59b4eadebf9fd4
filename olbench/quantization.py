"""Which installed tag is a model at a quantization."""

import re
from collections.abc import Mapping, Sequence

from olbench.model import ModelCard

Table = Mapping[str, Mapping[str, str]]  # model -> quantization -> the name to use, from the scenario
_DEFAULT_PLACES = ("registry.ollama.ai/", "library/")
_HUGGING_FACE = ("hf.co/", "huggingface.co/")
_SUFFIX = re.compile(r"(?:^|-)(?:i?q\d\w*|tq\d\w*|bf16|fp?16|fp?32|nvfp4|mxfp\d\w*|int[48])$", re.IGNORECASE)
_SAME_LEVEL = {"fp16": "f16", "fp32": "f32"}
_LIBRARY_SPELLING = {"f16": "fp16", "f32": "fp32"}
_UNTUNED = re.compile(r"-(?:text|base|code)\b")  # a model that completes text is not the one that answers
# Families whose tags have a word between size and quantization: llama3.2:3b is llama3.2:3b-instruct-q4_K_M.
_VARIANTS = {
    "llama3": "instruct",
    "llama3.1": "instruct",
    "llama3.2": "instruct",
    "llama3.3": "instruct",
    "gemma2": "instruct",
    "gemma3": "it",
    "qwen2": "instruct",
    "qwen2.5": "instruct",
    "qwen2.5-coder": "instruct",
    "smollm": "instruct",
    "smollm2": "instruct",
}


def canonical(name: str) -> str:
    """A model's name as a server compares it: lower case, with its tag, without the default registry."""
    short = name.lower()
    for place in _DEFAULT_PLACES:
        short = short.removeprefix(place)
    model, tag = _split(short)
    return f"{model}:{tag or 'latest'}"


def level(label: str) -> str:
    """A quantization as it is compared: lower case, and fp16 is f16."""
    low = label.lower()
    return _SAME_LEVEL.get(low, low)


def installed(name: str, catalog: Sequence[ModelCard]) -> ModelCard | None:
    """The model of that name, whatever its case and with or without `:latest`."""
    return next((card for card in catalog if canonical(card.name) == canonical(name)), None)


def resolve(base: str, label: str, catalog: Sequence[ModelCard], table: Table) -> str | None:
    """The installed tag of `base` at the quantization `label`; None when there is none."""
    return next(iter(matches(base, label, catalog, table)), None)


def matches(base: str, label: str, catalog: Sequence[ModelCard], table: Table) -> tuple[str, ...]:
    """All installed tags that are `base` at `label`, the best first, one for each digest.

    The scenario's table decides alone where it names the pair. Else the tag that the library's convention
    makes of the two comes first, then `base` itself, then tags of the same name and size, the shortest first.
    """
    named = _named(base, label, table)
    if named is not None:
        card = installed(named, catalog)
        return () if card is None else (card.name,)
    found = sorted(
        (_rank(card, base, label), len(card.name), card.name, card.digest or card.name)
        for card in catalog
        if card.remote is None and _is_at(card, label) and _is_variant(card, base, catalog)
    )
    best = {digest: name for _, _, name, digest in reversed(found)}
    return tuple(name for _, _, name, digest in found if best[digest] == name)


def wanted_tag(base: str, label: str, table: Table | None = None) -> str:
    """The name that a pull of `base` at `label` needs: from the table, else by the library's convention."""
    named = _named(base, label, table or {})
    if named is not None:
        return named
    model, tag = _split(base)
    stem = _stem(tag)
    if model.lower().startswith(_HUGGING_FACE):
        return f"{model}:{level(label).upper()}"
    if not stem:
        return f"{model}:{_spelled(label)}"
    variant = _VARIANTS.get(canonical(model).removesuffix(":latest"))
    if variant is not None and "-" not in stem:
        stem = f"{stem}-{variant}"
    return f"{model}:{stem}-{_spelled(label)}"


def variants(base: str, catalog: Sequence[ModelCard]) -> tuple[ModelCard, ...]:
    """The installed tags of the same name and size as `base`, whatever their quantization."""
    return tuple(card for card in catalog if card.remote is None and _is_variant(card, base, catalog))


def _split(name: str) -> tuple[str, str]:
    """A name -> model and tag; the tag is "" when there is none. The port of a registry is no tag."""
    head, mark, tag = name.rpartition(":")
    return (name, "") if not mark or "/" in tag else (head, tag)


def _stem(tag: str) -> str:
    """The tag without its quantization: 3b-instruct-q8_0 -> 3b-instruct; "" for latest, which names no size."""
    return "" if tag.lower() == "latest" else _SUFFIX.sub("", tag)


def _spelled(label: str) -> str:
    """The label as the library's tags spell it: q4_k_m -> q4_K_M, F16 -> fp16."""
    low = _LIBRARY_SPELLING.get(level(label), level(label))
    return re.sub(r"_k(?=_|$)(_[a-z]+)?", lambda found: found[0].upper(), low)


def _named(base: str, label: str, table: Table) -> str | None:
    return next(
        (
            name
            for model, names in table.items()
            if canonical(model) == canonical(base)
            for quantization, name in names.items()
            if level(quantization) == level(label)
        ),
        None,
    )


def _is_at(card: ModelCard, label: str) -> bool:
    """Whether the server says so; where it does not say, whether the tag does."""
    if card.quantization and card.quantization.lower() != "unknown":
        return level(card.quantization) == level(label)
    tag = _split(card.name)[1]
    return level(tag[len(_stem(tag)) :].lstrip("-")) == level(label)


def _is_variant(card: ModelCard, base: str, catalog: Sequence[ModelCard]) -> bool:
    """Whether a card is the same model as `base` but for its quantization, as far as names and sizes tell."""
    model, tag = _split(canonical(card.name))
    wanted, wanted_size = _split(canonical(base))
    if model != wanted:
        return False
    stem = _stem(wanted_size)
    if stem:
        return _stem(tag) == stem or tag.startswith(f"{stem}-")
    own = installed(base, catalog)
    return (
        own is None
        or None in {own.parameter_size, card.parameter_size}
        or own.parameter_size == card.parameter_size
    )


def _rank(card: ModelCard, base: str, label: str) -> int:
    name = canonical(card.name)
    model, tag = _split(canonical(base))
    plain = {f"{model}:{_stem(tag)}-{spelling}" for spelling in (level(label), _spelled(label).lower())}
    preferred = (
        name in plain,
        name == canonical(wanted_tag(base, label)),
        name == canonical(base),
        not _UNTUNED.search(name),
        True,
    )
    return preferred.index(True)
