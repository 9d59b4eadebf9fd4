"""Two runs that `olbench ab` took in turn, told once more."""

from pathlib import Path

from olbench import paired
from olbench.differences import Comparison
from olbench.store import Store


def comparison(base: str, new: str, db: Path) -> Comparison | None:
    """The comparison block by block; None where these words name no two runs that were taken in turn."""
    if any(Path(word).suffix.lower() == ".json" or Path(word).is_file() for word in (base, new)):
        return None
    store = Store(db)
    try:
        a, b = (store.record(store.find(word)) for word in (base, new))
        return paired.again(a, b) if paired.twins(a, b) else None
    finally:
        store.close()
