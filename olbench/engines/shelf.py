"""The models that can be served: files in the cache folder and in a folder of the user's."""

from dataclasses import dataclass, replace
from pathlib import Path

from olbench.engines import ladder
from olbench.engines.cache import sha256
from olbench.engines.gguf_header import Header, read

# The models of random weights, see tiny.py. The number is of what it writes: a change makes the cached files old.
TINY = {
    "olbench-tiny:latest": "olbench-tiny-1.F16.gguf",
    "olbench-tiny:q8_0": "olbench-tiny-1.Q8_0.gguf",
}


@dataclass(frozen=True, slots=True)
class Model:
    """One name and the file behind it."""

    name: str
    path: Path
    size: int
    modified_ns: int
    header: Header


class Shelf:
    """The files are looked at anew each time, so that one which comes, goes or changes is noticed."""

    def __init__(self, cache: Path, own: Path | None) -> None:
        """Serve the files of the cache folder and, as `<stem>:latest`, all of the folder `own`."""
        self._cache = cache
        self._own = own
        self._read: dict[Path, Model] = {}
        self._found: dict[str, Model] = {}

    def models(self) -> list[Model]:
        """All models whose headers can be read, by name."""
        found = []
        for name, path in sorted(self._files().items()):
            try:
                found.append(self._model(name, path))
            except (OSError, ValueError):  # whoever asks for it by name is told why
                continue
        return found

    def find(self, asked: str) -> Model | None:
        """The model of that name, tag `latest` if it has none; ValueError when its file is no GGUF file."""
        wanted = _full(asked)
        known = self._found.get(wanted)
        if known is not None and _same(known):  # the usual case costs no more than this
            return known
        files = {name.lower(): (name, path) for name, path in self._files().items()}
        if wanted not in files:
            return None
        self._found[wanted] = self._model(*files[wanted])
        return self._found[wanted]

    def digest(self, model: Model) -> str:
        """The SHA-256 of the file; remembered, as the first time takes seconds for gigabytes."""
        return sha256(model.path, self._cache)

    def _files(self) -> dict[str, Path]:
        own = {} if self._own is None else {f"{path.stem}:latest": path for path in self._own.glob("*.gguf")}
        tiny = {name: self._cache / file for name, file in TINY.items() if (self._cache / file).is_file()}
        return own | tiny | ladder.available(self._cache)

    def _model(self, name: str, path: Path) -> Model:
        known = self._read.get(path)
        if known is None or not _same(known):
            stat = path.stat()
            known = Model(name, path, stat.st_size, stat.st_mtime_ns, read(path))
            self._read[path] = known
        return known if known.name == name else replace(known, name=name)


def _same(model: Model) -> bool:
    try:
        stat = model.path.stat()
    except OSError:
        return False
    return (stat.st_size, stat.st_mtime_ns) == (model.size, model.modified_ns)


def _full(name: str) -> str:
    named = name if ":" in name.rpartition("/")[2] else f"{name}:latest"
    return named.lower()
