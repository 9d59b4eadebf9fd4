"""What was measured on and with: the facts of machine and server at both ends of the run, and the models."""

import re

from olbench.findings import Findings
from olbench.model import Fact, Facts, ModelCard
from olbench.prose import listed
from olbench.report.tables import Entry, Group, Heading, Table
from olbench.report.wording import NOTHING, plain
from olbench.units import words

_NOT_READ = "not available"
_SETTINGS = "server.env"  # how many of the settings that a server's environment may give were found there
# How a fact's name tells its unit.
_UNITS = (
    (re.compile(r"(ram|swap|gpu\d+)\.(total|limit|available|free|used|memory\w*|vram\w*)"), "B"),
    (re.compile(r"\w+\.\w*clock"), "Hz"),
    (re.compile(r"\w+\.power_limit"), "W"),
)


def facts(findings: Findings) -> tuple[Group, ...]:
    """All facts by their first word, in the order in which they were found; with both values where they differ."""
    start, end = findings.record.facts, findings.record.facts_end
    groups: dict[str, list[tuple[str, str, bool]]] = {}
    for name in dict.fromkeys((*start, *(end or {}))):
        title, _, rest = name.partition(".")
        before = fact(name, start.get(name, ""))
        after = before if end is None else fact(name, end.get(name, ""))
        value = before if before == after else f"{before or NOTHING} → {after or NOTHING}"
        groups.setdefault(title, []).append((plain(rest or title), value, before != after))
    return tuple(Group(plain(title), tuple(rows)) for title, rows in groups.items())


def changed(findings: Findings) -> str:
    """The sentence on what differs between the start and the end of the run."""
    start, end = findings.record.facts, findings.record.facts_end
    if end is None:
        return "The run did not come to reading them again at its end."
    names = [name for name in dict.fromkeys((*start, *end)) if start.get(name) != end.get(name)]
    return f"Changed during the run: {plain(listed(names))}." if names else "Nothing changed during the run."


def fact(name: str, value: Fact) -> str:
    """One fact in words: sizes in GiB, booleans as yes and no."""
    if value is None:
        return _NOT_READ
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == _SETTINGS:
        return f"{value} set" if value else "no setting found"
    unit = next((unit for pattern, unit in _UNITS if pattern.fullmatch(name)), None)
    if unit is not None and isinstance(value, int | float):
        return words(float(value), unit)
    return plain(str(value))


def machine(known: Facts) -> str:
    """The machine in one line, of whatever is known."""
    threads = known.get("cpu.usable") or known.get("cpu.threads")
    cards = [value for name, value in known.items() if re.fullmatch(r"gpu\d+\.name", name)]
    parts = (
        _text(known.get("cpu.model")),
        f"{threads} threads" if threads else "",
        f"{fact('ram.total', known['ram.total'])} RAM" if known.get("ram.total") else "",
        *map(_text, cards),
        " ".join(filter(None, (_text(known.get("os.name")), _text(known.get("os.kernel"))))),
    )
    line = " · ".join(part for part in parts if part)
    return f"olbench ran elsewhere: {line}" if line and known.get("server.local") is False else line


def server(known: Facts) -> str:
    """The server in one line, of whatever is known."""
    version = _text(known.get("server.version"))
    program = _text(known.get("server.program")) or "server"
    who = f"{program} {version}" if version else ""
    if known.get(
        "engine.name"
    ):  # its program is Python and its version that of the engine: neither says more
        who = f"{_text(known['engine.name'])} engine, {_text(known.get('engine.version')) or version}".rstrip(
            ", "
        )
    parts = (who, _text(known.get("server.url")))
    return " · ".join(part for part in parts if part)


def _text(value: Fact) -> str:
    return "" if value is None else plain(str(value))


def models(findings: Findings) -> Table:
    """The models, with what their Modelfiles bring along."""
    heads = (
        Heading("Model"),
        Heading("Quantization"),
        Heading("File", numeric=True),
        Heading("Parameters", numeric=True),
        Heading("Trained context", numeric=True),
        Heading("Family"),
        Heading("Digest"),
        Heading("Own parameters and system prompt"),
    )
    return Table(heads, tuple(_model(card) for card in findings.record.cards))


def _model(card: ModelCard) -> tuple[Entry, ...]:
    own = "; ".join(f"{name} {value}" for name, value in card.parameters)
    return (
        Entry(plain(card.name), f"cloud model of {plain(card.remote)}" if card.remote else ""),
        Entry(plain(card.quantization or NOTHING)),
        Entry(words(card.size, "B")),
        Entry(plain(card.parameter_size or NOTHING)),
        Entry(NOTHING if card.context_length is None else f"{card.context_length:,}"),
        Entry(plain(card.family or NOTHING), plain(", ".join(card.capabilities or ()))),
        Entry(digest(card.digest)),
        Entry(plain(own) or NOTHING, plain(f"system: {card.system}") if card.system else ""),
    )


def digest(whole: str | None) -> str:
    """The first twelve digits, as `ollama list` shows them."""
    return NOTHING if whole is None else plain(whole.removeprefix("sha256:")[:12])
