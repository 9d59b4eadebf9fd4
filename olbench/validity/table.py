"""The table of checks: what each looks at, what the reader can do about it, and why it may not be able to look."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from olbench import phases, steady
from olbench.cachestate import contaminated
from olbench.findings import Flag
from olbench.gist import Told
from olbench.validity import asked, beside, placed
from olbench.validity.check import Check, Said, needs, reads, sound, where

CLOSE = "close other programs and run again, or raise `other_cores` in `[thresholds]` if they belong to the machine"
UPDATER = "stop the server's updater, and run again: figures from before and after are not of one server"
COOL = "let the machine cool down, take it off a power-saving profile, and leave it idle for a while between runs"
AWAY = "keep other clients away from the server, see its log for want of memory, and run again"
NO_GPU = "no GPU that can be read"
NO_LOAD = "what other programs take of the processor was not read"
NO_SWAP = "the use of swap was not read"
NO_CLOCK = "the processor's clock cannot be read here"


def _durations(told: Told) -> Iterator[Said]:
    for sentence, rows in phases.doubts(told):
        yield Said(sentence, where(told, rows))


def _steady(told: Told) -> Iterator[Flag]:
    """What other checks have told of already makes no second flag here."""
    clean = [one.without(why) for one, why in zip(told.gists, contaminated(told), strict=True)]
    reasons = {one.visit.repeat: one.causes for one in told.gists}
    yield from steady.told(sound(replace(told, gists=tuple(clean))), reasons)


def _cannot_drift(told: Told) -> str:
    return steady.cannot(sound(told))


_OVER_TIME, _SINGLE = "Steady over time", "Outliers"
STEADY = (
    *(("drift", _OVER_TIME), ("step", _OVER_TIME), ("start-up", _OVER_TIME)),
    *(("outliers", _SINGLE), ("stall", _SINGLE)),
)


# A row should look like a row.
# fmt: off
_ROWS = (
    Check("missing visits", "Completeness", asked.missing,
          "mend what stopped these visits; `olbench run --resume RUN`, of a search `olbench size --resume RUN`, takes what was not taken"),
    Check("remarks", "Completeness", asked.notes,
          "nothing is missing for it; if it comes again, mend what it names"),
    Check("failed samples", "Completeness", asked.failures,
          "see the server's own words in the table of failures; fewer streams or a longer `[measure] timeout` may do"),
    Check("unfit visits", "Completeness", asked.unfit,
          "mend what the other flags of this cell name, and run it again"),
    Check("few samples", "Enough samples", asked.few, ""),
    Check("short outputs", "Requests as asked", asked.short,
          "ask for fewer output_tokens, or for a text that goes on longer: the figures are of shorter answers",
          needs("output_tokens")),
    Check("prompt length", "Requests as asked", asked.prompt,
          "see whether the model's template or system prompt has changed, and run again", asked.can_prompt),
    Check("context", "Model placement", placed.context,
          "close what else takes memory, or ask for a num_ctx that fits", placed.can),
    Check("placement", "Model placement", placed.placement,
          "see what else was in memory at these visits, and run the cell again", placed.can),
    Check("GPU share", "Model placement", placed.split,
          "take a smaller num_ctx or quantization, or fewer slots, until all of it fits into GPU memory", placed.can),
    Check("model digest", "Model placement", placed.digest,
          "do not pull or create models while a run goes on; run the cell again", placed.can),
    Check("reloads", "Model placement", placed.reloads,
          AWAY, needs("warm_load")),
    Check("runner", "Model placement", beside.gated("runner"), AWAY, placed.can_after),
    Check("model", "Model placement", beside.gated("model"),
          "do not pull or create models while a run goes on, and leave memory free for this one", placed.can_after),
    Check("other models", "Model placement", placed.others,
          "unload them (`ollama stop NAME`), and keep other clients away while a run goes on", placed.can),
    Check("cache state", "Prompt cache", asked.cache, "", asked.can_cache),
    Check("slots", "Slots", placed.slots, "", placed.can_slots),
    Check("other load", "Other work on the machine", beside.other_load, CLOSE, needs("cpu_other", otherwise=NO_LOAD)),
    Check("withheld CPU", "Other work on the machine", beside.steal,
          "measure on a machine of its own, or when its host is quiet", needs("cpu_steal", otherwise=NO_LOAD)),
    Check("foreign GPU programs", "Other work on the machine", beside.gated("foreign GPU programs"),
          "close the programs that use the GPU, or raise `foreign_gpu` in `[thresholds]`", reads(r"gpu\d+\.foreign", NO_GPU)),
    Check("GPU memory", "Other work on the machine", beside.gpu_memory,
          "close other programs that use the GPU, or run olbench where it sees the server's processes", needs("gpu_peak", otherwise=NO_GPU)),
    Check("GPU held back", "Power and heat", beside.slowed,
          "cool the card, give it its full power supply, or leave it idle for a while between runs", needs("gpu_slowed", otherwise=NO_GPU)),
    Check("processor clock", "Power and heat", beside.gated("processor clock"), COOL, reads(r"cpu\.clock", NO_CLOCK)),
    Check("GPU clock", "Power and heat", beside.gated("GPU clock"), COOL, reads(r"gpu\d+\.(sm|mem)_clock", NO_GPU)),
    Check("GPU power limit", "Power and heat", beside.gated("GPU power limit"),
          "set the card's power limit back to its default before the run, and leave it", reads(r"gpu\d+\.power_limit", NO_GPU)),
    Check("battery", "Power and heat", beside.gated("battery"), "plug the machine in and run again", beside.can_battery),
    Check("power settings", "Power and heat", beside.gated("power settings"),
          "keep the processor's governor and the power profile as they are while a run goes on", beside.can_settings),
    Check("swap", "Memory pressure", beside.swap,
          "close what else takes memory, or take a smaller model or num_ctx", needs("swap_growth", otherwise=NO_SWAP)),
    Check("memory pressure", "Memory pressure", beside.gated("memory pressure"),
          "close what else takes memory, or take a smaller model or num_ctx",
          reads(r"host\.memory_pressure", "the system does not say how long programs wait for memory")),
    Check("server version", "Server unchanged", beside.version, UPDATER, beside.can_version),
    Check("server", "Server unchanged", beside.gated("server"), UPDATER, beside.can_version),
    Check("steady", "Steady over time", _steady, "", _cannot_drift, STEADY),
    Check("durations", "Time adds up", _durations,
          "trust our own times (TTFT, end to end) and not the server's; see whether a proxy changes its answers",
          needs("network", "queue")),
    Check("client lateness", "Client on time", beside.late,
          "run olbench on a machine of its own, or with fewer programs beside it; `olbench selftest` tells how well it keeps time"),
    Check("blurred stamps", "Our own clock", beside.blurred,
          "run fewer streams, or olbench on a machine of its own: gaps between chunks are not exact here",
          needs("coalesced")),
)
# fmt: on
CHECKS: Mapping[str, Check] = {one.key: one for one in _ROWS}


def of_cell(told: Told) -> tuple[Flag, ...]:
    """All flags of one cell, in the order of the table."""
    return tuple(flag for check in CHECKS.values() for flag in check.flags(told))
