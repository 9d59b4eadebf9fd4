"""What differs between the set-ups of two sides: what may be compared on purpose, and what is another measurement.

Versions, drivers, machines and settings are what regressions are looked for in. Another model behind the same name, other
prompts or another form of the answer are other work: their times say nothing of each other unless one asks for that.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from olbench import units
from olbench.differences import Side, Unlike
from olbench.model import Fact, Facts
from olbench.prose import listed

UNSET = "not set"
_ENV, _ENV_READ = "server.env.", "server.env"
# Facts that tell set-ups apart, in the order in which a reader looks for the cause. Others are not compared: what is
# always different (how long the machine is up), and what is of no consequence.
_COMPARED = tuple(
    re.compile(one)
    for one in (
        *(r"server\.version", r"server\.program", r"engine\.(?:name|version|device|threads|parallel)"),
        *(r"server\.env\..+", r"server\.local"),
        *(r"gpu\d+\.name", r"gpu\d+\.total", r"gpu\d+\.driver", r"gpu\d+\.power_limit"),
        *(r"os\.(?:name|version|kernel)", r"cpu\.(?:model|arch|cores|threads|usable|limit)"),
        *(
            r"cpu\.(?:governor|energy_preference|clock_driver|boost|no_turbo|smt)",
            r"power\.(?:source|profile)",
        ),
        *(r"ram\.(?:total|limit|huge_pages)", r"machine\.(?:hypervisor|container)", r"python\.version"),
    )
)
# What a kernel keeps for itself differs from boot to boot.
_ROUGH = {"total": 0.01}
# Settings of a scenario: whether they are content.
_SETTINGS: Mapping[str, bool] = {
    "language": True,
    "own_prompts": True,
    "file": True,
    "system": True,
    "format": True,
    "stream": True,
    "server.url": False,
    "server.engine": False,
    "server.parallel": False,
    "server.threads": False,
    "requests": False,
    "warmup": False,
    "order": False,
    "cold_load": False,
    "seed": False,
}
# Settings that no scenario need say: without them the server's own way holds, and that is no unknown.
_MAY_LACK = {
    "own_prompts": "none",
    "file": "none",
    "system": "none",
    "format": "none",
    "server.parallel": "the server's own",
    "server.threads": "the engine's own",
    "server.url": "none",
    "server.engine": "none",
    "language": "of own prompts",
}
# What makes a model this model, and how a sentence calls it.
_MODEL = {
    "digest": "digest",
    "template": "template",
    "quantization": "quantization",
    "parameters": "parameters",
    "system": "system prompt",
}
_DIGESTS, _DIGITS = ("digest", "template"), 12
_SHOWN_AT_MOST = 60
_NAMED_AT_MOST = 6


@dataclass(frozen=True, slots=True)
class _Both:
    """One thing as both sides say it; None: unknown."""

    what: str
    base: Fact
    new: Fact
    content: bool = False

    @property
    def known(self) -> bool:
        return self.base is not None and self.new is not None

    @property
    def differs(self) -> bool:
        if not self.known or self.base == self.new:
            return False
        rough = _ROUGH.get(self.what.rpartition(".")[2])
        if rough is None or isinstance(self.base, str | None) or isinstance(self.new, str | None):
            return True
        return abs(self.base - self.new) > rough * max(abs(self.base), abs(self.new))


def unlike(base: Side, new: Side) -> tuple[Unlike, ...]:
    """What differs, the most telling first. What one side does not know is no difference: see `unknown`."""
    return tuple(
        Unlike(one.what, shown(one.what, one.base), shown(one.what, one.new), one.content)
        for one in _both(base, new)
        if one.differs
    )


def unknown(base: Side, new: Side) -> tuple[str, ...]:
    """What cannot be compared because one side does not say it: a sentence for each side."""
    missing = [one for one in _both(base, new) if not one.known]
    sides = (
        ("base", [one.what for one in missing if one.base is None and one.new is not None]),
        ("new side", [one.what for one in missing if one.new is None and one.base is not None]),
    )
    return tuple(
        f"the {name} does not say {_few(what)}: whether that is the same is unknown"
        for name, what in sides
        if what
    )


def shown(what: str, value: Fact) -> str:
    """A fact as a difference shows it: sizes in people's units, digests as far as people compare them."""
    if isinstance(value, bool) or value is None:
        return {True: "on", False: "off", None: "unknown"}[value]
    if what.endswith(".total") and not isinstance(value, str):
        return units.words(value, "B", 4)
    text = str(value)
    if what.partition(" of ")[0] in _DIGESTS:
        return text if text.startswith("sha256:") else text[:_DIGITS]
    return text if len(text) <= _SHOWN_AT_MOST else f"{text[:_SHOWN_AT_MOST]}…"


def _few(names: Sequence[str]) -> str:
    more = len(names) - _NAMED_AT_MOST
    return listed(names if more <= 0 else [*names[:_NAMED_AT_MOST], f"{more} more"])


def _both(base: Side, new: Side) -> Iterator[_Both]:
    yield from _models(base, new)
    for name, content in _SETTINGS.items():
        if content:
            yield _setting(name, base, new)
    yield from _facts(base.facts, new.facts)
    yield _Both("olbench", base.olbench, new.olbench)
    for name, content in _SETTINGS.items():
        if not content:
            yield _setting(name, base, new)


def _models(base: Side, new: Side) -> Iterator[_Both]:
    """Models by the same name on both sides. The same digest is the same model, whatever a newer server says of it."""
    for name in _used(base):
        if name not in _used(new):
            continue
        old, now = base.models.get(name, {}), new.models.get(name, {})
        digests = _Both(f"digest of {name}", _bare(old.get("digest")), _bare(now.get("digest")), content=True)
        yield digests
        if digests.known and not digests.differs:
            continue
        for key, word in _MODEL.items():
            if key != "digest":
                yield _Both(f"{word} of {name}", old.get(key), now.get(key), content=True)


def _bare(digest: Fact) -> Fact:
    return digest.removeprefix("sha256:") if isinstance(digest, str) else digest


def _used(side: Side) -> Sequence[str]:
    return tuple(dict.fromkeys(one.cell.model for one in side.cells))


def _setting(name: str, base: Side, new: Side) -> _Both:
    old, now = (side.settings.get(name) for side in (base, new))
    if (lacking := _MAY_LACK.get(name)) is not None:
        old, now = (lacking if one is None else one for one in (old, now))
    return _Both(name, old, now, content=_SETTINGS[name])


def _facts(base: Facts, new: Facts) -> Iterator[_Both]:
    names = sorted({*base, *new})
    for pattern in _COMPARED:
        for name in names:
            if pattern.fullmatch(name):
                yield _Both(name, _fact(base, name), _fact(new, name))


def _fact(known: Facts, name: str) -> Fact:
    """A fact; a variable that is not in an environment that could be read is not set, and that is known."""
    if name.startswith(_ENV) and name not in known and known.get(_ENV_READ) is not None:
        return UNSET
    return known.get(name)
