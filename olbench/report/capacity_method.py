"""How a sizing was made, in sentences: the load, the service level, the search, the models, and what was left out."""

from olbench import elsewhere
from olbench.findings import Findings
from olbench.model import Facts
from olbench.prose import counted
from olbench.report.agreement import unforetold
from olbench.report.capacity_words import coming, level, percent, persona, sentence, untried
from olbench.report.tables.capacity import given_up, late, unusable
from olbench.report.wording import plain
from olbench.sized import Capacity, Sizing

_JUDGED = (
    (
        "A request meets a line when its figure is known and within the bound; one that failed or was never answered meets "
        "none. Latency counts from the moment when a request was due, not from when it was sent."
    ),
    (
        "A share has Wilson's 95 % interval, on as many independent requests as those that queued together are worth. A line is "
        "kept if the whole interval lies at or above what must be, broken if all of it lies below, and else cannot be told."
    ),
    "Goodput is the number of requests a second that met every line; its knee is the load from which on it hardly grows.",
)
_PREDICTED = (
    "The prediction plays the load through a model of the server before it is run: requests wait for a slot in the order in "
    "which they came, and reading and writing share the engine at the costs of the cost model. Its interval carries the "
    "doubt of those costs."
)
_MEMORY = (
    "Memory: bytes = weights + overhead + (bytes a token) × num_ctx × slots, fitted to loads; the formula takes the bytes a "
    "token from the model's metadata: layers × heads of keys and values × their lengths × bytes of the type in use."
)
_COST = (
    "Cost of writing: seconds of a step = a + b × streams + c × streams × depth; of reading: a + b × tokens + c × tokens²; "
    "of a load: a + b × bytes. Figures in brackets are 95 % intervals."
)


def estimates() -> tuple[str, ...]:
    """What stands beside figures of machines that nobody measured."""
    return (
        "Every figure in this table is an estimate, and none was measured.",
        f"How: {elsewhere.METHOD}",
        f"Known error: {elsewhere.known_error()}",
    )


def how(sizing: Sizing, findings: Findings) -> tuple[str, ...]:
    """How the sizing was made, a paragraph each."""
    settings = findings.record.run.settings
    people = persona(settings)
    parts = (
        f"The load: {people}" if people else "",
        coming(settings, sizing),
        level(sizing.terms),
        *(_JUDGED if sizing.terms else ()),
        _searched(sizing, settings),
        late(sizing),
        _PREDICTED if any(one.predicted is not None for one in sizing.capacities) else "",
        _COST if sizing.costs else "",
        _MEMORY if sizing.footprints else "",
    )
    return tuple(plain(part) for part in parts if part)


def _searched(sizing: Sizing, settings: Facts) -> str:
    if not sizing.capacities:
        return ""
    share, most, requests = (settings.get(f"size.{name}") for name in ("step", "probes", "requests"))
    step = f" in steps of {percent(share)}" if isinstance(share, float) else ""
    probes = f", with at most {most} probes" if isinstance(most, int) else ""
    each = f" of about {counted(requests, 'request')} each" if isinstance(requests, int) and probes else ""
    return (
        f"The search goes through loads{step}{probes}{each}: upwards until one is broken, then into the gap between the "
        "highest that is kept and the lowest that is broken. What cannot be told is tried again with more requests."
    )


def unsearched(sizing: Sizing) -> str:
    """Why there is no curve, in a sentence."""
    if not sizing.terms:
        return "No load was held against a service level: the scenario has no [slo]."
    return untried(next((one.reason for one in sizing.capacities if one.reason), ""))


def unforeseen(sizing: Sizing) -> tuple[str, ...]:
    """Why capacities were not predicted, or what their predictions say, each with its name where there are several."""
    named = len(sizing.capacities) > 1
    said = [(one, _foreseen(one, persona=sizing.target is not None)) for one in sizing.capacities]
    return tuple(f"{plain(one.label)}: {text}" if named else text for one, text in said if text)


def _foreseen(one: Capacity, *, persona: bool) -> str:
    made = one.predicted
    if made is not None and made.capacity.value is not None:
        return sentence(made.why)
    why = unforetold(persona=persona) if made is None else plain(made.reason or made.capacity.reason)
    return f"Not predicted: {why[:1].lower()}{why[1:].rstrip('.')}." if why else "Not predicted."


def left_out(sizing: Sizing, findings: Findings) -> tuple[str, ...]:
    """What does not enter the figures, and what the plan gave way on."""
    failed = sum(one.count for one in findings.failures)
    parts = (
        *unusable(sizing),
        given_up(sizing),
        f"{counted(failed, 'request')} failed; where a load was judged, they count as not met."
        if failed
        else "",
        *findings.record.plan.notes,
    )
    return tuple(plain(part) for part in parts if part)
