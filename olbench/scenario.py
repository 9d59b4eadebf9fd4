"""A scenario: what the user asks, read from TOML and checked whole."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from olbench import (
    scenario_check,
    scenario_load,
    scenario_load_rules,
    scenario_rules,
    scenario_server,
    scenario_text,
    thresholds,
)
from olbench.arrival import Load, Persona
from olbench.errors import UsageError
from olbench.grid import Axis, Rule
from olbench.metric_keys import MARGIN
from olbench.model import CacheState, Endpoint, Fact, OptionValue, Prompt
from olbench.scenario_check import Faults
from olbench.scenario_keys import AXES
from olbench.scenario_load import Asked, Part, Size
from olbench.scenario_server import Server
from olbench.scenario_text import reread

__all__ = [
    "Measure",
    "Part",
    "Scenario",
    "Server",
    "Size",
    "Until",
    "Workload",
    "parse",
    "reread",
    "settings",
]
_SECTIONS = ("server", "workload", "measure", "thresholds", "margins")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What the requests say."""

    language: Literal["en", "zh"]  # of synthetic text
    prompts: tuple[Prompt, ...]  # own prompts from the scenario itself
    file: str | None  # own prompts from a file, its path from the scenario's folder
    system: str | None
    format: str | Mapping[str, Any] | None  # "json" or a JSON schema
    stream: bool
    cache: CacheState

    @property
    def own(self) -> bool:
        """Whether the prompts are the user's, not synthetic text."""
        return bool(self.prompts) or self.file is not None


@dataclass(frozen=True, slots=True)
class Until:
    """How well a figure of every cell shall be known before a run ends."""

    metric: str
    within: float  # the interval to each side, as a share of the figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How often, in which order, how long."""

    repeats: int  # visits to each cell
    requests: int  # measured requests of a visit
    warmup: int  # requests before them that do not count
    timeout_ns: int  # of one request
    connect_timeout_ns: int
    first_byte_timeout_ns: int | None  # None: as long as the whole request
    stall_timeout_ns: int | None  # from one piece of an answer to the next; None: the same
    seed: int
    order: Literal["shuffled", "listed"]
    cold_load: bool  # every visit begins with an unload, and its first request carries the load
    budget_ns: int | None  # of the whole run; None: as long as it takes
    retake: bool  # a visit that fails a gate is taken once more
    until: Until | None  # visits beyond the plan go on until then; None: there are none
    at_most: int  # visits to a cell, those included

    @property
    def count(self) -> int:
        """Requests of a visit, warm-ups among them."""
        return self.warmup + self.requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A whole scenario. Everything in it was checked; nothing in it was looked up outside."""

    path: str  # where it was read, for sentences
    name: str
    question: str
    server: Server
    axes: tuple[
        Axis, ...
    ]  # as the file orders them, then olbench's own; quantization and think only if given
    rules: tuple[Rule, ...]  # of `exclude`
    workload: Workload
    measure: Measure
    thresholds: Mapping[str, float]  # that the file sets; the others are the table's
    margins: Mapping[str, float]  # the same of what may be off and count as equal, by metric
    quantizations: Mapping[
        str, Mapping[str, str]
    ]  # model -> quantization -> name, where the user spells it out
    text: str  # TOML as read, overrides as comment lines at its end; `reread` takes the two apart
    asked: Asked  # how requests come, and what is to be kept

    @property
    def slo(self) -> Mapping[str, float]:
        """Key -> bound in base units; {} where the file has no service level."""
        return self.asked.slo

    @property
    def persona(self) -> Persona | None:
        """The people, if any."""
        return self.asked.persona

    @property
    def load(self) -> Load | None:
        """The load of cells with a rate, without that rate; None where there is none."""
        return self.asked.load

    @property
    def trace(self) -> str | None:
        """The path of a replay's trace, from the scenario's folder."""
        return self.asked.trace

    @property
    def mix(self) -> tuple[Part, ...]:
        """The parts of a mixed workload; () where all requests are alike."""
        return self.asked.mix

    @property
    def size(self) -> Size | None:
        """What a search for capacity is to do, if the file says it."""
        return self.asked.size

    def values(self, axis: str) -> tuple[Any, ...]:
        """The values of an axis; () when the scenario has it not."""
        return next((one.values for one in self.axes if one.name == axis), ())


def parse(text: str, *, path: str, overrides: Sequence[str] = (), environ: Mapping[str, str]) -> Scenario:
    """The scenario of a TOML text with `--set` overrides in it. UsageError with all faults at once.

    `path` is for the sentences and for the default name; `environ` holds OLLAMA_HOST and a token, if any.
    """
    try:
        document = scenario_text.read(text, path, overrides)
    except ValueError as exc:
        raise UsageError(str(exc)) from exc
    tables = scenario_server.with_one_server(document)
    faults = Faults(document.source, document.faults)
    top = scenario_check.top(tables, faults)
    given = scenario_check.axes(tables, faults)
    read = {name: scenario_check.section(tables, name, faults) for name in _SECTIONS}
    quantizations = scenario_check.quantizations(tables, faults)
    server = scenario_server.server(read["server"], environ, faults)
    workload = _workload(read["workload"])
    measure = _measure(read["measure"])
    asked = scenario_load.read(tables, given, faults)
    axes = _with_defaults(given, server.api, workload, asked)
    rules = scenario_check.rules(tables, [axis.name for axis in axes], faults)
    scenario_rules.pairs(tables, faults)
    scenario_rules.rounds(tables, measure.repeats, measure.at_most, faults)
    scenario_rules.token(server.token_env, environ, faults)
    scenario_load_rules.check(tables, given, asked, faults)
    scenario_rules.points(axes, rules, measure.requests, asked, faults)
    if faults.sentences():
        raise UsageError(faults.sentences())
    return Scenario(
        path=path,
        name=top["name"] or PurePath(path).stem,
        question=top["question"],
        server=server,
        axes=axes,
        rules=tuple(rules),
        workload=workload,
        measure=measure,
        thresholds={name: bar for name, bar in read["thresholds"].items() if bar is not None},
        margins={name: share for name, share in read["margins"].items() if share is not None},
        quantizations=quantizations,
        text=scenario_text.kept(text, overrides),
        asked=asked,
    )


def settings(scenario: Scenario) -> dict[str, Fact]:
    """What all sections but the sweep came to, flat, for the record of a run."""
    server, work, measure = scenario.server, scenario.workload, scenario.measure
    return {
        "server.url": server.url,
        "server.engine": server.engine,
        "server.parallel": server.parallel,
        "server.threads": server.threads,
        "language": None if work.own else work.language,
        "own_prompts": len(work.prompts) or None,
        "file": work.file,
        "system": work.system,
        "format": work.format if isinstance(work.format, str | None) else json.dumps(work.format),
        "stream": work.stream,
        "cache": work.cache,
        "repeats": measure.repeats,
        "requests": measure.requests,
        "warmup": measure.warmup,
        "timeout_ns": measure.timeout_ns,
        "connect_timeout_ns": measure.connect_timeout_ns,
        "first_byte_timeout_ns": measure.first_byte_timeout_ns,
        "stall_timeout_ns": measure.stall_timeout_ns,
        "seed": measure.seed,
        "order": measure.order,
        "cold_load": measure.cold_load,
        "budget_ns": measure.budget_ns,
        "retake": measure.retake,
        **_rounds(measure),
        **{thresholds.PREFIX + name: bar for name, bar in scenario.thresholds.items()},
        **{MARGIN + name: share for name, share in scenario.margins.items()},
        **scenario_load.settings(scenario.asked),
    }


def _rounds(measure: Measure) -> dict[str, Fact]:
    if measure.until is None:
        return {}
    until = measure.until
    return {"until.metric": until.metric, "until.within": until.within, "at_most": measure.at_most}


def _workload(read: Mapping[str, Any]) -> Workload:
    prompts = (turns for turns in read["prompts"] if turns is not None)
    named = tuple(Prompt(f"prompt {number}", turns) for number, turns in enumerate(prompts, 1))
    return Workload(**{**read, "prompts": named})


def _measure(read: Mapping[str, Any]) -> Measure:
    spans = {key for key in read if key.endswith("timeout")} | {"budget"}
    whole = {f"{key}_ns" if key in spans else key: value for key, value in read.items()}
    until = None if read["until"] is None else Until(**read["until"])
    return Measure(**{**whole, "until": until})


def _with_defaults(
    given: Sequence[Axis], api: Endpoint, workload: Workload, asked: Asked
) -> tuple[Axis, ...]:
    """The axes, and with one value each those that every cell needs."""
    names = {axis.name for axis in given}
    defaults = {name: key.default for name, key in AXES.items() if isinstance(key.default, int)}
    if workload.own or (asked.load is not None and asked.load.pattern == "replay"):
        defaults.pop("prompt_tokens")
    every: dict[str, OptionValue] = {**defaults, **_of_people(asked.persona), "api": api}
    if asked.mix and asked.mix[0].model is not None:
        every = {"model": asked.mix[0].model, **every}
    return (
        *given,
        *(Axis(name, (value,), given=False) for name, value in every.items() if name not in names),
    )


def _of_people(persona: Persona | None) -> dict[str, int]:
    if persona is None:
        return {}
    return {
        "users": persona.users,
        "prompt_tokens": persona.prompt_tokens,
        "output_tokens": persona.output_tokens,
    }
