"""A baseline: a side as a small JSON file made to be kept in git, and read back with every fault a sentence.

Keys are sorted and one list of visits stands on a line, so that a new baseline shows as the lines that changed. A JSON
export of a run is read as well. History of the format: 1, the first.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from olbench import baseline_load
from olbench.checked import At, one_line, parse
from olbench.differences import Side, SideCell
from olbench.errors import UsageError
from olbench.model import Cell, Facts, Options, OptionValue
from olbench.sides import METRICS_KEPT, NONE, facts, hashed, settings

MARK = "olbench_baseline"
VERSION, OLDEST = 1, 1
EXPORT = "olbench/1"
DIGITS = 6
ANEW = "`olbench baseline save RUN FILE` makes it anew"
# Objects that stand on one line each: nobody reads their changes one by one.
_FLAT = ("cell", "samples", "options")
_ID = re.compile("[0-9a-f]{12}")


# --- out ------------------------------------------------------------------------------------------------------


def dump(side: Side) -> str:
    """The side as text, the same for the same side."""
    whole = {
        MARK: VERSION,
        "name": side.name,
        "at": side.at,
        "olbench": side.olbench,
        "scenario": side.scenario,
        "facts": side.facts,
        "models": side.models,
        "settings": side.settings,
        "cells": [_cell_out(one) for one in side.cells],
    }
    return _written(_plain(whole), "") + "\n"


def _cell_out(one: SideCell) -> dict[str, Any]:
    fields = {
        name: getattr(one.cell, name) for name in Cell.__dataclass_fields__ if name not in ("load", "mix")
    }
    return {
        "cell": fields | {"options": dict(one.cell.options)} | baseline_load.out(one.cell),
        "label": one.label,
        "marked": one.marked,
        "samples": one.samples,
        "visits": {key: [_rounded(value) for value in values] for key, values in one.visits.items()},
    }


def _rounded(value: float) -> float:
    """To 6 significant digits, and without a point where it is whole: a baseline is read by people, too."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is no figure of a visit")
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() else short


def _plain(value: Any) -> Any:
    """Plain JSON values; texts such as `load` will take."""
    match value:
        case Mapping():
            return {one_line(str(key)): _plain(one) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case str():
            return one_line(value)
        case _:
            return value


def _written(value: Any, indent: str, name: str = "") -> str:
    within = indent + " "
    if isinstance(value, dict) and value and name not in _FLAT:
        parts = [
            f"{json.dumps(key, ensure_ascii=False)}: {_written(value[key], within, key)}"
            for key in sorted(value)
        ]
        return _block("{}", parts, indent)
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        return _block("[]", [_written(one, within) for one in value], indent)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)


def _block(brackets: str, parts: list[str], indent: str) -> str:
    lines = ",\n".join(f"{indent} {part}" for part in parts)
    return f"{brackets[0]}\n{lines}\n{indent}{brackets[1]}"


# --- in -------------------------------------------------------------------------------------------------------


def load(text: str, name: str) -> Side:
    """The side in a baseline, or in a JSON export of a run; `name` is the file's. UsageError says what is wrong."""
    file = one_line(name)
    top = parse(text, file)
    if not isinstance(top.value, dict):
        top.fault("a baseline or a JSON export of a run")
    if MARK in top.value:
        _version(top)
        return _side(top)
    if "schema" in top.value:
        _schema(top)
        return _exported(top)
    raise UsageError(
        f"{file}: it is neither a baseline nor a JSON export of a run; `olbench baseline save` makes the one, "
        "`olbench export RUN --format json` the other"
    )


def _version(top: At) -> None:
    found = top.key(MARK).whole()
    if found > VERSION:
        raise UsageError(
            f"{top.file}: it is a baseline of format {found}, and this olbench reads {VERSION}; "
            f"a newer olbench would do, or {ANEW}"
        )
    if found < OLDEST:
        raise UsageError(
            f"{top.file}: it is a baseline of format {found}, and this olbench reads {OLDEST} and later; {ANEW}"
        )


def _schema(top: At) -> None:
    found = top.key("schema").text()
    if found != EXPORT:
        raise UsageError(
            f"{top.file}: its schema is {json.dumps(found)}, and this olbench reads {json.dumps(EXPORT)}; "
            "`olbench export RUN --format json` of this olbench would do"
        )


def _side(top: At) -> Side:
    return Side(
        name=top.file,
        at=top.key("at").text(),
        olbench=top.key("olbench").text(),
        scenario=top.key("scenario").text(),
        facts=facts(_facts(top.key("facts"))),
        models={name: _facts(one) for name, one in top.key("models").members()},
        settings=settings(_facts(top.key("settings"))),
        cells=_distinct(top.key("cells"), [_cell_in(one) for one in top.key("cells").items()]),
    )


def _distinct(at: At, cells: list[SideCell]) -> tuple[SideCell, ...]:
    if len({one.cell.id for one in cells}) < len(cells):
        raise UsageError(f"{at.file}: {at.path} holds a cell twice; each once would do")
    return tuple(cells)


def _cell_in(at: At) -> SideCell:
    visits = {key: _values(one) for key, one in at.key("visits").members()}
    samples = {key: one.whole() for key, one in at.key("samples").members()}
    return SideCell(
        cell=_asked(at.key("cell")),
        label=at.key("label").text(),
        visits={key: values for key, values in visits.items() if values},
        marked=at.key("marked").whole(),
        samples=samples,
    )


def _values(at: At) -> tuple[float, ...]:
    return tuple(one.number() for one in at.items())


def _facts(at: At) -> Facts:
    return {name: one.fact() for name, one in at.members()}


def _asked(at: At) -> Cell:
    cell = at.key("id")
    if not _ID.fullmatch(cell.text()):
        cell.fault("twelve hex digits")
    think, quantization, prompt = (at.maybe(name) for name in ("think", "quantization", "prompt_tokens"))
    return Cell(
        id=cell.text(),
        model=at.key("model").text(),
        base=at.key("base").text(),
        quantization=None if quantization is None else quantization.text(),
        api="chat" if at.key("api").one_of("generate", "chat") == "chat" else "generate",
        num_ctx=at.key("num_ctx").whole(1),
        concurrency=at.key("concurrency").whole(1),
        prompt_tokens=None if prompt is None else prompt.whole(1),
        output_tokens=at.key("output_tokens").whole(1),
        think=None if think is None else think.value if isinstance(think.value, bool) else think.text(),
        cache="cold" if at.key("cache").one_of("cold", "warm") == "cold" else "warm",
        options=_options(at.key("options")),
        load=baseline_load.load(at),
        mix=baseline_load.mix(at),
    )


def _options(at: At) -> Options:
    return tuple(sorted(((name, _option(one)) for name, one in at.members()), key=lambda pair: pair[0]))


def _option(at: At) -> OptionValue:
    if isinstance(at.value, list):
        return tuple(one.text() for one in at.items())
    found = at.fact()
    if found is None:
        at.fault("a text, a number, true, false or a list of texts")
    return found


# --- in, of an export -----------------------------------------------------------------------------------------


def _exported(top: At) -> Side:
    run = top.key("run")
    asked = {one.id: one for one in (_asked(one) for one in top.key("plan").key("cells").items())}
    return Side(
        name=top.file,
        at=run.key("started_at").text(),
        olbench=run.key("olbench").text(),
        scenario=run.key("name").text(),
        facts=facts(_facts(top.key("facts"))),
        models=dict(_card(one) for one in top.key("cards").items()),
        settings=settings(_settings(run.key("settings"))),
        cells=_distinct(top.key("cells"), [_told(one, asked) for one in top.key("cells").items()]),
    )


def _settings(at: At) -> Facts:
    """Settings, of which a system prompt has as many lines as it likes."""
    texts = ("system", "format")
    long = {name: one.value for name, one in at.members() if name in texts and isinstance(one.value, str)}
    return {name: one.fact() for name, one in at.members() if name not in long} | long


def _card(at: At) -> tuple[str, Facts]:
    found = {name: at.maybe(name) for name in ("digest", "template_sha256", "quantization")}
    told = {name: None if one is None else one.text() for name, one in found.items()}
    lines = [_words(pair) for pair in at.key("parameters").items()]
    system = at.maybe("system")
    return at.key("name").text(), {
        "digest": told["digest"],
        "template": told["template_sha256"],
        "quantization": told["quantization"],
        "parameters": one_line("; ".join(lines)) or NONE,
        "system": NONE if system is None or not system.value else hashed(str(system.value)),
    }


def _words(at: At) -> str:
    return " ".join(str(one.value) for one in at.items())


def _told(at: At, asked: Mapping[str, Cell]) -> SideCell:
    cell = at.key("id")
    if cell.text() not in asked:
        cell.fault("the id of a cell in plan.cells")
    kept = dict(_summaries(at)) if _judged(at) else {}
    marked = at.maybe("marked")
    return SideCell(
        cell=asked[cell.text()],
        label=at.key("label").text(),
        visits={key: values for key, (values, _) in kept.items()},
        marked=0 if marked is None else len(marked.mapping()),
        samples={key: samples for key, (_, samples) in kept.items()},
    )


def _judged(at: At) -> bool:
    """Exports of before visits were marked do not say; what gave anything could be judged by then."""
    said = at.maybe("judged")
    return True if said is None else said.flag()


def _summaries(at: At) -> Iterator[tuple[str, tuple[tuple[float, ...], int]]]:
    for key, one in at.key("summaries").members():
        values = tuple(value.number() for value in one.key("per_visit").items() if value.value is not None)
        if key in METRICS_KEPT and values:
            yield key, (values, one.key("samples").whole())
