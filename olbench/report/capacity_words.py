"""What terminal and page both say of a sizing: loads, service levels, what binds and what helps, in plain words."""

import math
from collections.abc import Mapping, Sequence

from olbench.arrival import Pattern
from olbench.findings import Estimate
from olbench.model import Facts
from olbench.prose import counted, listed
from olbench.report.wording import plain
from olbench.sized import Attained, Binds, By, Capacity, Kept, Service, Sizing
from olbench.slo import Aspect, Term
from olbench.units import figures, scaled, span

UNITS: Mapping[By, tuple[str, str]] = {
    "users": ("user", "users"),
    "rate": ("request a second", "requests a second"),
    "concurrency": ("stream", "streams"),
}
VERDICTS: Mapping[Kept, str] = {"kept": "kept", "broken": "broken", "unclear": "cannot tell"}
# What a line of a service level asks for; {} is its bound.
_ASPECTS: Mapping[Aspect, str] = {
    "ttft": "Answer begins within {}",
    "tpot": "Then a token at least every {}",
    "e2e": "Whole answer within {}",
    "answer_rate": "Answer comes at {} or more",
    "success": "Answered without an error",
}
# What binds, and what somebody can do about it.
BINDS: Mapping[Binds, tuple[str, str]] = {
    "slots": (
        "The places for answers at the same time (slots) are all taken, and further questions wait in line.",
        ("Give the server more slots (`OLLAMA_NUM_PARALLEL`) as far as memory allows, or share the users out over more "
        "machines."),
    ),
    "prefill": (
        "Reading the questions and what was said before them takes most of the machine's time.",
        ("Shorten prompts and system texts, keep a conversation on one server so that what was read once is not read "
        "again, take a smaller model, or a machine with more compute."),
    ),
    "decode": (
        "Writing the answers takes most of the machine's time.",
        "Ask for shorter answers (`num_predict`), take a smaller quantization or model, or a machine with faster memory.",
    ),
    "memory": (
        "Memory is full: there is no room for more conversations at the same time.",
        ("Lower `num_ctx`, store keys and values smaller (`OLLAMA_KV_CACHE_TYPE=q8_0`), take a smaller quantization, or "
        "add memory."),
    ),
    "reloads": (
        "Models push each other out of memory, and each return costs a load.",
        "Serve fewer or smaller models, so that all of them stay in memory, or give each its own machine.",
    ),
}  # fmt: skip
_PATTERNS: Mapping[Pattern, str] = {
    "steady": "Requests come at even intervals, whether or not those before them are answered.",
    "poisson": "Requests come at random moments, independent of each other (Poisson), whether or not those before them "
    "are answered.",
    "ramp": "Requests come ever faster, at even intervals, up to the rate that is told.",
    "burst": "Requests come several at once, with pauses in between; the rate is that of all of them on average.",
    "replay": "Requests come as a recorded trace has them.",
    "sessions": "People ask, read the answer, think, and ask again; each question carries what was said before.",
}
_FEW = 0.5  # of all requests; where more of them are independent, their number says enough
_CLOSED = "So many streams are kept busy: each sends its next request as soon as the answer before has come."


def amount(load: float) -> str:
    """A load as a number: "9", "4.25"."""
    if load == round(load):
        return f"{load:,.0f}"
    text = figures(load)
    return text.rstrip("0").rstrip(".") if "." in text else text


def load(value: float, by: By) -> str:
    """A load with its unit: "9 users", "4.2 requests a second"."""
    one, many = UNITS[by]
    return f"{amount(value)} {one if value == 1 else many}"


def between(estimate: Estimate, by: By) -> str:
    """A predicted load with its interval: "9 users (8 to 11)"; "" where there is none."""
    if estimate.value is None:
        return ""
    said = load(estimate.value, by)
    if estimate.low is None or estimate.high is None or estimate.low == estimate.high:
        return said
    return f"{said} ({amount(estimate.low)} to {amount(estimate.high)})"


def percent(share: float) -> str:
    """A share that somebody asked for: "95 %", "99.9 %"."""
    return f"{round(share * 100, 6):g} %"


def wish(term: Term) -> str:
    """What a line asks for: "Answer begins within 1 s"."""
    return _ASPECTS[term.aspect].format("" if term.bound is None else bound(term))


def asked_of(term: Term) -> str:
    """For how many requests: "95 % of requests"."""
    return f"{percent(term.share)} of requests"


def bound(term: Term) -> str:
    """The bound of a line: "1 s", "10 tok/s"; "" where it has none."""
    if term.bound is None:
        return ""
    value, unit = (term.bound, "tok/s") if term.aspect == "answer_rate" else scaled(term.bound, "s")
    return f"{value:g} {unit}"


def level(terms: Sequence[Term]) -> str:
    """The whole service level in a sentence."""
    if not terms:
        return "The scenario has no service level ([slo])."
    parts = [f"{wish(one)[:1].lower()}{wish(one)[1:]} ({asked_of(one)})" for one in terms]
    return f"Service level: {listed(parts)}."


def headline(found: Capacity) -> str:
    """What was found, in a sentence."""
    if found.answer is None:
        even = "" if found.over is None else f": {load(found.over, found.by)} broke it"
        return f"No load was shown to keep the service level{even}."
    carries = f"Carries {load(found.answer, found.by)}"
    if found.over is None:
        return f"{carries} at least; no greater load was shown to be too much."
    were = "was" if found.over == 1 else "were"
    return f"{carries}; {amount(found.over)} {were} too many."


def sureness(found: Capacity) -> str:
    """How sharply the answer is known."""
    least = min((step.load for step in found.steps), default=found.over)
    if found.answer is None and found.over is not None and found.over == least:
        return "Even the smallest load that was tried was too much."
    if found.resolved:
        return "The next step above the answer was shown to be too much."
    return f"Not resolved: {plain(found.reason) or 'the search gave no reason'}."


def untried(reason: str) -> str:
    """Why there is no load to show."""
    why = plain(reason).rstrip(".")
    return (
        sentence(why)
        if why.startswith("no load")
        else f"No load was tried: {why or 'the search did not begin'}."
    )


def against(target: float | None, found: Capacity) -> tuple[str, str]:
    """The target held against what was found, and what to do about it; "" where there is nothing to say."""
    if target is None or found.by != "users":
        return "", ""
    people = load(target, "users")
    if found.answer is not None and found.answer >= target:
        return f"{people}: within what was shown to be kept.", ""
    if found.over is not None and found.over <= target:
        if found.answer is None:
            return f"{people}: too many for this machine.", ""
        machines = math.ceil(target / found.answer)
        share = f"Share {people} out over {counted(machines, 'such machine')}, {amount(found.answer)} on each at most."
        return f"{people}: too many for this machine.", share
    return f"{people}: cannot be told from these runs.", ""


def advice(target: float | None, found: Capacity) -> tuple[str, ...]:
    """What somebody can do, one sentence each."""
    verdict, share = against(target, found)
    enough = found.by == "users" and target is not None and not share and verdict.endswith("kept.")
    helps = [] if found.binds is None or enough else [BINDS[found.binds][1]]
    return (*([share] if share else []), *helps, *_sharper(found))


def _sharper(found: Capacity) -> list[str]:
    """How to know it better, where it is not known well."""
    if found.resolved or not found.steps:
        return []
    if found.over is None and found.answer is not None and not _higher(found):
        return ["To find the limit, let the search go higher (`size.most`)."]
    return [
        "To know it sharper, let the search run longer (`size.requests` for each load, `size.probes` in all)."
    ]


def _higher(found: Capacity) -> bool:
    """Whether a load above the answer was tried."""
    return any(step.load > (found.answer or 0.0) for step in found.steps)


def binding(found: Capacity) -> tuple[str, str]:
    """What binds in plain words, and by what figure one knows."""
    made = found.predicted
    if found.binds is None:
        why = "" if made is None else sentence(made.reason)
        return "Not known.", why or "No load was simulated, and what was measured does not tell."
    why = sentence(made.why) if made is not None and made.binds == found.binds else ""
    return BINDS[found.binds][0], why


def remark(service: Service) -> str:
    """Why a load does not count or cannot be told, or that it was given up early; "" where all is as it should be."""
    if service.invalid:
        return plain(service.invalid)
    if service.cut_short:
        return "given up early: it could no longer be kept"
    worth = min((one.worth for one in service.terms if one.worth is not None and _queued(one)), default=None)
    if service.verdict != "unclear" or worth is None or worth > _FEW * service.requests:
        return ""
    return f"says as much as {worth:,.0f} requests that do not wait for each other"


def _queued(one: Attained) -> bool:
    return one.term.bound is not None


def sentence(text: str) -> str:
    """Words from elsewhere as a sentence of their own; "" of none."""
    text = plain(text).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def persona(settings: Facts) -> str:
    """The people of a scenario in a sentence; "" where it has none."""
    known = {name: _number(settings.get(f"persona.{name}")) for name in _PERSONA}
    users, asking, turns, think = (
        known[name] for name in ("users", "questions_per_hour", "turns", "think_ns")
    )
    if users is None or asking is None:
        return ""
    words = [
        f"{amount(users)} {'person who asks' if users == 1 else 'people who each ask'} {amount(asking)} questions an hour"
    ]
    if turns is not None and turns > 1:
        words.append(f"in conversations of {amount(turns)} questions")
        if think is not None:
            words[-1] += f", with {span(think)} to think before the next one"
    sizes = [(known["prompt_tokens"], "a question has {} tokens"), (known["output_tokens"], "an answer {}")]
    told = [said.format(amount(value)) for value, said in sizes if value is not None]
    return f"{', '.join(words)}{'; ' if told else ''}{', '.join(told)}."  # fmt: skip


_PERSONA = ("users", "questions_per_hour", "prompt_tokens", "output_tokens", "turns", "think_ns")


def coming(settings: Facts, sizing: Sizing) -> str:
    """How requests came, in a sentence."""
    by = {one.by for one in sizing.capacities}
    pattern = settings.get("load.pattern")
    if by == {"users"} or (not by and settings.get("persona.users") is not None):
        return _PATTERNS["sessions"]
    if by == {"concurrency"}:
        return _CLOSED
    return (
        next((said for name, said in _PATTERNS.items() if name == pattern), _PATTERNS["poisson"])
        if by
        else ""
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
