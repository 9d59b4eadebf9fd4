"""What of people, loads, mixes and service levels may not stand together, though each key by itself would do."""

from collections.abc import Iterator, Sequence

from olbench import slo
from olbench.grid import Axis
from olbench.scenario_check import Faults, Tables, has, shown
from olbench.scenario_lines import Path
from olbench.scenario_load import Asked, Size
from olbench.scenario_load_keys import LOAD

# A key of [load] -> the pattern that it is for, and whether that pattern must have it.
_OF_PATTERN = {
    "start_rate": ("ramp", True),
    "burst": ("burst", True),
    "file": ("replay", True),
    "speed": ("replay", False),
}
_WHOLE = {"users", "concurrency"}


def check(tables: Tables, axes: Sequence[Axis], asked: Asked, faults: Faults) -> None:
    """All of them."""
    rates = next((axis.values for axis in axes if axis.name == "rate"), ())
    _people(tables, asked, faults)
    _streams(tables, axes, faults)
    if has(tables, ("load",)) and not faults.under(("load",)):
        _load(tables, asked, faults)
        _ramp(asked, rates, faults)
    if has(tables, ("mix",)) and not faults.under(("mix",)):
        _mix(tables, asked, faults)
    _warm(tables, asked, faults)
    if tables.get("slo") == {}:
        faults.add(("slo",), 'is empty; a bound such as ttft_p95 = "1s" would do')
    _sought(tables, asked, faults)


def _people(tables: Tables, asked: Asked, faults: Faults) -> None:
    if has(tables, ("sweep", "users")) and not has(tables, ("persona",)):
        faults.add(
            ("sweep", "users"),
            "are people of whom nothing is said; a section [persona] with users, questions_per_hour, "
            "prompt_tokens and output_tokens would do",
        )
    people = asked.persona
    if people is None:
        return
    pauses = (people.turns - 1) * people.think_ns / 1e9
    each = people.turns * 3600 / people.questions_per_hour
    if pauses >= each:
        most = 3600 * people.turns / pauses
        faults.add(
            ("persona", "questions_per_hour"),
            f"is {people.questions_per_hour:g}, so a conversation of {people.turns} turns begins every {each:.3g} s, "
            f"but its pauses alone take {pauses:.3g} s; fewer than {most:.3g}, or a shorter think, would do",
        )


def _streams(tables: Tables, axes: Sequence[Axis], faults: Faults) -> None:
    """A load takes the place of closed streams."""
    streams = next((axis.values for axis in axes if axis.name == "concurrency"), ())
    if not any(isinstance(one, int) and one > 1 for one in streams):
        return
    for other, words in (
        (("persona",), "[persona]"),
        (("sweep", "rate"), "sweep.rate"),
        (("load",), "[load]"),
    ):
        if has(tables, other):
            faults.add(
                ("sweep", "concurrency"),
                f"is above 1 beside {words}, which says by itself when requests come; one of the two would do",
            )
            return


def _load(tables: Tables, asked: Asked, faults: Faults) -> None:
    pattern = tables["load"].get("pattern", LOAD["pattern"].default)
    for key, (owner, needed) in _OF_PATTERN.items():
        given = has(tables, ("load", key))
        if given and pattern != owner:
            faults.add(
                ("load", key),
                f'is for pattern = "{owner}", and the pattern is "{pattern}"; one of the two would do',
            )
        elif needed and pattern == owner and not given:
            faults.add(("load", key), f'is missing; pattern = "{owner}" needs {LOAD[key].wants}')
    rated = has(tables, ("sweep", "rate"))
    if pattern == "replay":
        _replay(tables, faults, rated=rated)
    elif not rated and not has(tables, ("persona",)) and not (asked.size and asked.size.by == "rate"):
        faults.add(("load",), "says how requests come but not how many a second; sweep.rate would do")


def _replay(tables: Tables, faults: Faults, *, rated: bool) -> None:
    if rated:
        faults.add(
            ("sweep", "rate"),
            'stands beside pattern = "replay", whose trace has its own rate; load.speed would do',
        )
    for key in ("prompt_tokens", "output_tokens"):
        if has(tables, ("sweep", key)):
            faults.add(
                ("sweep", key),
                'stands beside pattern = "replay", whose trace has its own; one of the two would do',
            )


def _ramp(asked: Asked, rates: Sequence[object], faults: Faults) -> None:
    start = None if asked.load is None else asked.load.start_rate
    ends = [rate for rate in rates if isinstance(rate, int | float)]
    if asked.load is None or asked.load.pattern != "ramp" or start is None or not ends:
        return
    if start >= min(ends):
        faults.add(
            ("load", "start_rate"),
            f"is {start:g}, where a ramp to sweep.rate {min(ends):g} begins; a number below {min(ends):g} would do",
        )


def _mix(tables: Tables, asked: Asked, faults: Faults) -> None:
    parts = asked.mix
    if len(parts) < 2:
        faults.add(("mix", 0), "is the only part; two or more sections [[mix]] would do")
        return
    if asked.load is not None and asked.load.pattern == "replay":
        faults.add(
            ("mix", 0), 'stands beside pattern = "replay", whose trace has its own lengths; one would do'
        )
    swept = [
        (key, values)
        for key, values in (
            ("model", [part.model for part in parts]),
            ("prompt_tokens", [part.prompt_tokens for part in parts]),
            ("output_tokens", [part.output_tokens for part in parts]),
        )
        if has(tables, ("sweep", key)) and None not in values
    ]
    for key, _ in swept:
        faults.add(
            ("sweep", key),
            f"says nothing, as each part of [[mix]] has its own {key}; one of the two would do",
        )
    if has(tables, ("sweep", "quantization")) and all(part.model or part.quantization for part in parts):
        faults.add(
            ("sweep", "quantization"),
            "says nothing, as each part of [[mix]] has its own model or quantization; one of the two would do",
        )


def _warm(tables: Tables, asked: Asked, faults: Faults) -> None:
    """Requests of a warm cell all say the same."""
    if not isinstance(tables.get("workload"), dict) or tables["workload"].get("cache") != "warm":
        return
    key: Path = ("workload", "cache")
    if has(tables, ("persona",)):
        faults.add(
            key,
            'is "warm", but a conversation finds in the cache what was said before by itself; "cold" would do',
        )
    elif asked.load is not None and asked.load.pattern == "replay" and not _own_prompts(tables):
        faults.add(
            key, 'is "warm", but the prompts of a trace differ in length; "cold", or own prompts, would do'
        )


def _own_prompts(tables: Tables) -> bool:
    return has(tables, ("workload", "prompts")) or has(tables, ("workload", "file"))


# --- what is sought -----------------------------------------------------------------------------------------------


def _sought(tables: Tables, asked: Asked, faults: Faults) -> None:
    if not has(tables, ("size",)) or faults.under(("size",)):
        return
    if not has(tables, ("slo",)):
        faults.add(
            ("size",),
            'needs a service level to keep; a section [slo] with a bound such as ttft_p95 = "1s" would do',
        )
    if asked.size is None:
        return
    for sentence in _wrong_kind(tables, asked, asked.size):
        faults.add(("size", "by"), sentence)
        return
    if asked.size.by == "rate" and not has(tables, ("sweep", "rate")) and not has(tables, ("size", "most")):
        faults.add(("size", "most"), "is missing; a number of requests a second, or sweep.rate, would do")
        return
    for key in ("least", "most"):
        _whole(tables, key, asked.size, faults)
    _ends(asked.size, faults)
    least = slo.least_requests(asked.slo)
    if asked.size.requests < least:
        faults.add(
            ("size", "requests"),
            f"is {asked.size.requests}, too few to show that the sharpest bound of [slo] is kept even if every request "
            f"keeps it; {least} or more would do",
        )


def _wrong_kind(tables: Tables, asked: Asked, size: Size) -> Iterator[str]:
    people, loaded = has(tables, ("persona",)), has(tables, ("load",)) or has(tables, ("sweep", "rate"))
    many = any(isinstance(one, int) and one > 1 for one in _listed(tables, "concurrency"))
    match size.by:
        case "users" if not people:
            yield 'is "users", of whom nothing is said; a section [persona] would do'
        case "rate" | "concurrency" if people:
            yield f'is "{size.by}" beside [persona], whose users come by themselves; "users" would do'
        case "concurrency" if loaded:
            yield 'is "concurrency" beside a load, which has no streams; "rate" would do'
        case "rate" if asked.load is not None and asked.load.pattern == "replay":
            yield 'is "rate", but a trace has its own; pattern = "poisson" would do'
        case "rate" if many:
            yield 'is "rate" beside sweep.concurrency above 1; one of the two would do'


def _listed(tables: Tables, axis: str) -> Sequence[object]:
    value = tables["sweep"].get(axis) if isinstance(tables.get("sweep"), dict) else None
    return value if isinstance(value, list) else [value]


def _whole(tables: Tables, key: str, size: Size, faults: Faults) -> None:
    value = tables["size"].get(key)
    if size.by in _WHOLE and isinstance(value, float) and not value.is_integer():
        faults.add(("size", key), f"is {shown(value)}; a whole number of {size.by} would do")


def _ends(size: Size, faults: Faults) -> None:
    if size.least >= size.most:
        faults.add(
            ("size", "most"),
            f"is {size.most:g}, not above the least load, {size.least:g}; a larger number would do",
        )
