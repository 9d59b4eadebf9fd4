"""Model cards for tests: a few of the library's models, as a server would describe them."""

from dataclasses import replace

from olbench.model import ModelCard

PLAIN = ModelCard(
    name="llama3.2:3b",
    digest=None,
    size=2_019_393_189,
    format="gguf",
    family="llama",
    parameter_size="3.2B",
    parameter_count=3_212_749_888,
    quantization="Q4_K_M",
    context_length=131_072,
    capabilities=("completion", "tools"),
    parameters=(),
    system=None,
    template_sha256=None,
    blob=None,
    kv_bytes_per_token=114_688.0,
    remote=None,
)
THINKER = replace(
    PLAIN, name="qwen3:4b", family="qwen3", context_length=40_960, capabilities=("completion", "thinking")
)


def installed(*names: str) -> list[ModelCard]:
    """A card for each name; `name=LEVEL` says its quantization, `name=LEVEL@digest` its digest as well."""
    cards = []
    for words in names:
        name, _, rest = words.partition("=")
        level, _, digest = rest.partition("@")
        cards.append(replace(PLAIN, name=name, quantization=level or None, digest=digest or None))
    return cards
