"""Unchecked TOML -> checked values; every fault is a sentence and none ends the check."""

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec

from olbench import options
from olbench.grid import Axis, Rule
from olbench.model import OptionValue
from olbench.quantization import canonical, level
from olbench.scenario_keys import LISTS, SECTIONS, SWEEP, TOP
from olbench.scenario_lines import Path
from olbench.scenario_text import Source, dotted
from olbench.scenario_values import REQUIRED, Key, UnfitError

_SHOWN = 60  # characters of a wrong value that a sentence holds
_LAST = 10**9  # overrides come after all lines of the file
# Sections whose keys no sentence holds.
_TOO_MANY = {
    "thresholds": "`olbench thresholds` lists them",
    "margins": "the key of a metric, such as decode or ttft, would do",
    "slo": "ttft, tpot or e2e with _p50, _p90, _p95 or _p99, answer_rate or success would do",
}
Tables = Mapping[str, Any]


class Faults:
    """What was found wrong so far."""

    def __init__(self, source: Source, sentences: Sequence[str] = ()) -> None:
        """Begin with the `sentences` that say all by themselves; the others are located by `source`."""
        self.source = source
        self._found = [(_LAST, sentence) for sentence in sentences]
        self._keys: set[Path] = set()

    def add(self, key: Path, sentence: str) -> None:
        """Note that `key` has a fault; the sentence goes on from the key's name."""
        where = self.source.where(key)
        line = _LAST if where.startswith("--set ") else self.source.line(key)
        self._found.append((line, f"{where}: {dotted(key)} {sentence}"))
        self._keys.add(key)

    def say(self, sentence: str) -> None:
        """Note a fault that stands in no file."""
        self._found.append((_LAST, sentence))

    def under(self, key: Path) -> bool:
        """Whether `key`, or anything within it, has a fault."""
        return any(one[: len(key)] == key for one in self._keys)

    def sentences(self) -> tuple[str, ...]:
        """All of them, in the order of the file's lines."""
        return tuple(sentence for _, sentence in sorted(self._found, key=lambda one: one[0]))


def top(tables: Mapping[str, Any], faults: Faults) -> dict[str, Any]:
    """The keys above all sections. What is neither a key nor a section is a fault."""
    for name, value in tables.items():
        if name in SECTIONS:
            if not isinstance(value, dict):
                faults.add((name,), f"is a value; a section [{name}] with keys of its own would do")
        elif name not in TOP and name not in LISTS:
            faults.add((name,), _unknown("", name, (*TOP, *SECTIONS, *LISTS)))
    return _values((), {name: value for name, value in tables.items() if name in TOP}, TOP, faults)


def section(tables: Mapping[str, Any], name: str, faults: Faults) -> dict[str, Any]:
    """All keys of a section: what the file says, else the default, also where the file's value is a fault."""
    keys = SECTIONS[name]
    table = _table(tables, name)
    for key in table:
        if key not in keys:
            faults.add((name, key), _unknown(name, key, tuple(keys)))
    return _values((name,), {key: value for key, value in table.items() if key in keys}, keys, faults)


def tables(whole: Tables, name: str, faults: Faults) -> tuple[dict[str, Any], ...]:
    """The same for each table of a list such as [[mix]]; () when any has a fault."""
    given = whole.get(name, [])
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        faults.add((name,), f"is {shown(given)}; sections [[{name}]], each with keys of its own, would do")
        return ()
    found = []
    for index, table in enumerate(given):
        for key in table.keys() - LISTS[name].keys():
            faults.add((name, index, key), _unknown(f"[{name}]", key, tuple(LISTS[name])))
        known = {key: value for key, value in table.items() if key in LISTS[name]}
        found.append(_values((name, index), known, LISTS[name], faults))
    return () if faults.under((name,)) else tuple(found)


def has(whole: Tables, key: Path) -> bool:
    """Whether the file has a key of a section, or a section: ("sweep", "rate"), ("persona",)."""
    here: Any = whole
    for part in key:
        if isinstance(here, list) and isinstance(part, int):
            if part >= len(here):
                return False
        elif not isinstance(here, dict) or part not in here:
            return False
        here = here[part]
    return True


def axes(tables: Mapping[str, Any], faults: Faults) -> list[Axis]:
    """The axes that the file gives, in its order. Faulty values are left out."""
    table = _table(tables, "sweep")
    found = []
    for name, value in table.items():
        if name in SWEEP:
            found.append(Axis(name, _axis(("sweep", name), value, faults), given=True))
        elif name != "exclude":
            faults.add(("sweep", name), _unknown("sweep", name, (*SWEEP, "exclude")))
    if "model" not in table and not _mixed_models(tables):
        faults.add(("sweep", "model"), f"is missing; {SWEEP['model'].wants}, or a list of names, would do")
    return found


def rules(tables: Mapping[str, Any], names: Collection[str], faults: Faults) -> list[Rule]:
    """The `exclude` rules; `names` are the axes that a rule may speak of."""
    path: Path = ("sweep", "exclude")
    value = _table(tables, "sweep").get("exclude", [])
    if not isinstance(value, list):
        faults.add(path, f"is {shown(value)}; a list of tables such as [{{ num_ctx = 32768 }}] would do")
        return []
    found = []
    for index, rule in enumerate(value):
        here = (*path, index)
        if isinstance(rule, dict) and rule:
            found.append(_rule(here, rule, names, faults))
            continue
        what = "an empty table" if rule == {} else shown(rule)
        faults.add(here, f"is {what}; a table such as {{ num_ctx = 32768, concurrency = [4, 8] }} would do")
    return found


def quantizations(tables: Mapping[str, Any], faults: Faults) -> dict[str, dict[str, str]]:
    """Model -> quantization -> the name to use, as the file spells it out."""
    found: dict[str, dict[str, str]] = {}
    for base, names in _table(tables, "quantizations").items():
        key = ("quantizations", base)
        if not isinstance(names, dict):
            faults.add(key, f'is {shown(names)}; a table such as {{ q8_0 = "name:of-that-model" }} would do')
            continue
        found[base] = {
            label: str(_value((*key, label), name, SWEEP["model"], faults)) for label, name in names.items()
        }
    return found


def shown(value: Any) -> str:
    """A value as a sentence holds it: as TOML writes it, cut short, in one line."""
    match value:
        case bool():
            words = str(value).lower()
        case str():
            words = '"' + "".join(one if one.isprintable() else repr(one)[1:-1] for one in value) + '"'
        case list():
            words = "[" + ", ".join(shown(one) for one in value[:_SHOWN]) + "]"
        case dict():
            words = "{ " + ", ".join(f"{name} = {shown(one)}" for name, one in value.items()) + " }"
        case _:
            words = str(value)
    return words if len(words) <= _SHOWN else words[:_SHOWN] + "..."


def _mixed_models(whole: Tables) -> bool:
    """Whether all parts of a mix name their model, so that the sweep need not."""
    parts = whole.get("mix")
    return (
        isinstance(parts, list)
        and bool(parts)
        and all(isinstance(one, dict) and "model" in one for one in parts)
    )


def _table(tables: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = tables.get(name, {})
    return table if isinstance(table, dict) else {}


def _values(place: Path, table: Mapping[str, Any], keys: Mapping[str, Key], faults: Faults) -> dict[str, Any]:
    values = {name: key.default for name, key in keys.items()}
    for name, value in table.items():
        key = keys[name]
        read = _items if key.listed else _value if key.keys is None else _inner
        found = read((*place, name), value, key, faults)
        values[name] = key.default if found is None else found
    for name, key in keys.items():
        if key.default is REQUIRED and name not in table:
            faults.add((*place, name), f"is missing; {key.wants} would do")
    return values


def _items(path: Path, value: Any, key: Key, faults: Faults) -> tuple[Any, ...]:
    if not isinstance(value, list) or not value:
        faults.add(path, f"is {shown(value)}; a list would do, each item {key.wants}")
        return ()
    return tuple(_value((*path, index), item, key, faults) for index, item in enumerate(value))


def _inner(path: Path, value: Any, key: Key, faults: Faults) -> dict[str, Any] | None:
    """The values of a table within a section; None when any will not do."""
    keys = key.keys or {}
    if not isinstance(value, dict):
        faults.add(path, f"is {shown(value)}; {key.wants} would do")
        return None
    for name in value:
        if name not in keys:
            faults.add((*path, name), _unknown(dotted(path), name, tuple(keys)))
    found = _values(path, {name: one for name, one in value.items() if name in keys}, keys, faults)
    return None if faults.under(path) else found


def _value(path: Path, raw: Any, key: Key, faults: Faults) -> Any:
    """The value as olbench holds it; None, and a fault, when it will not do."""
    try:
        value = msgspec.convert(raw, key.type)
        return value if key.then is None else key.then(value)
    except msgspec.ValidationError:
        faults.add(path, _unfit(raw, key))
    except UnfitError as exc:
        faults.add(path, str(exc) or _unfit(raw, key))
    return None


def _unfit(raw: Any, key: Key) -> str:
    wants = key.wants
    if isinstance(raw, int) and raw > options.INT_MOST and wants.startswith("a whole number"):
        wants += f" and at most {options.INT_MOST}"
    choices = key.choices if len(key.choices) > 1 else ()
    near = get_close_matches(raw, choices, 1) if isinstance(raw, str) else []
    return f"is {shown(raw)}; {wants} would do" + (f' (did you mean "{near[0]}"?)' if near else "")


def _unknown(place: str, name: str, known: Sequence[str]) -> str:
    """Why `name` is no key of the section `place`, and what would do."""
    what = f"is no key of [{place}]" if place else "is no key and no section"
    home = next((other for other, keys in SECTIONS.items() if name in keys and other != place), None)
    why = options.refusal(name)
    if why is not None and (place == "sweep" or home is None):
        return f"{what}: {why}"
    if home is not None:
        return f"{what}; it belongs into [{home}]"
    near = get_close_matches(name, known, 1, cutoff=0.6)
    if not near and place in _TOO_MANY:
        return f"{what}; {_TOO_MANY[place]}"
    return f"{what}; " + (f"did you mean {near[0]}?" if near else f"it can have {', '.join(known)}")


def _axis(path: Path, value: Any, faults: Faults) -> tuple[OptionValue, ...]:
    """The values of one axis, each once. A value that is a list itself (`stop`) is swept as a list of lists."""
    name = str(path[-1])
    nested = name == "stop"
    many = isinstance(value, list) and (not nested or any(isinstance(item, list) for item in value))
    if value == [] and not nested:
        faults.add(path, "is an empty list; at least one value would do")
    if not many:
        found = _value(path, value, SWEEP[name], faults)
        return () if found is None else (found,)
    values: dict[OptionValue, OptionValue] = {}
    for index, item in enumerate(value):
        found = _value((*path, index), item, SWEEP[name], faults)
        if found is None:
            continue
        if same(name, found) in values:
            faults.add((*path, index), f"is {shown(item)}, which the list has already; once would do")
        values.setdefault(same(name, found), found)
    return tuple(values.values())


def same(axis: str, value: OptionValue) -> OptionValue:
    """What is equal for two values that mean the same: llama3.2 is llama3.2:latest, FP16 is f16."""
    match axis, value:
        case "model", str():
            return canonical(value)
        case "quantization", str():
            return level(value)
    return value


def _rule(path: Path, rule: Mapping[str, Any], names: Collection[str], faults: Faults) -> Rule:
    for name in rule:
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"{', '.join(sorted(names))} would do"
            faults.add((*path, name), f"is no axis of this sweep; {hint}")
    return Rule({name: _axis((*path, name), value, faults) for name, value in rule.items() if name in names})
