"""From where on something is worth a flag: one table, each bar with its reason; `[thresholds]` of a scenario moves them."""

from collections.abc import Mapping
from dataclasses import dataclass

from olbench.model import Fact

PREFIX = "threshold."  # of the keys in a run's settings


@dataclass(frozen=True, slots=True)
class Threshold:
    """One bar."""

    value: float
    unit: str  # share, cores, s, B, tok, °C, Hz; as in units.words
    what: str  # what is held against it
    why: str  # why this value


# A row should look like a row.
# fmt: off
THRESHOLDS: Mapping[str, Threshold] = {
    # What came instead of what was asked.
    "prompt_share": Threshold(0.02, "share", "a prompt's length off what was asked, as a share of it",
                              "calibrated text meets its length to a token or two; more is a changed template"),
    "cached_share": Threshold(0.5, "share", "share of a prompt that came from the cache",
                              "a template's beginning is a small part, a repeated prompt nearly all: nothing lies between"),
    "reload": Threshold(1.0, "s", "load_duration of a request to a model in memory",
                        "a health check takes milliseconds to a tenth of a second; only a load takes longer"),
    "vram_share": Threshold(0.01, "share", "difference between visits in the share of the model in GPU memory",
                            "one layer of a large model is about a hundredth of it"),
    "queue_share": Threshold(0.2, "share", "share of its time that a request waits inside the server",
                             "below it, templates and tokenising explain the rest"),
    # What stood beside the measurement.
    "other_cores": Threshold(0.5, "cores", "cores that other programs kept busy",
                             "half a core is a browser tab at work; it slows engines that use every core"),
    "stolen_cores": Threshold(0.1, "cores", "cores that the host of a virtual machine withheld",
                              "the kernel counts in ticks: less is its grain"),
    "stolen_share": Threshold(0.05, "share", "those cores as a share of all; both bars must be passed",
                              "a loss of a twentieth shows in the figures"),
    "slowed_share": Threshold(0.1, "share", "beats at which heat or the power supply held a GPU back",
                              "short dips at the start of a load are usual"),
    "clock_drop": Threshold(0.1, "share", "fall of the processor's or the GPU's clock between a cell's visits",
                            "decode follows the memory's clock, prefill the core's: a tenth is seen in both"),
    "swap": Threshold(32 * 2**20, "B", "growth of swap during a visit",
                      "the system parks a few idle pages at any time"),
    "pressure": Threshold(0.05, "share", "share of the time in which some task waited for memory",
                          "a healthy machine stands at 0; waits stop whole tokens"),
    "blurred": Threshold(0.1, "share", "lines that came in one receive with a later one",
                         "their stamps are upper bounds; a tenth moves the gaps' percentiles"),
    # What changed while it went on.
    "drift": Threshold(0.05, "share", "change of the middle value from a cell's first to its last visit",
                       "what is less hides in the noise of most machines"),
    "step": Threshold(0.08, "share", "sudden change of level between a cell's visits",
                      "a change of clocks or of placement is larger, a noisy visit smaller"),
    "startup": Threshold(0.05, "share", "excess of a visit's first requests over its later ones",
                         "what is less does not move a median"),
    "sum_share": Threshold(0.01, "share", "part of a request's time that its parts do not explain",
                           "the parts are read from two clocks; a hundredth is more than both err"),
    "sum_least": Threshold(0.002, "s", "the same in seconds; the larger of the two holds",
                           "a wake-up of a busy client"),
    "stall": Threshold(2.0, "s", "gap within an answer, if it is also many times the usual one",
                       "no scheduler makes a reader wait so long; a paging or throttled machine does"),
    # What memory allows.
    "roof_low": Threshold(0.15, "share", "share of the memory's bandwidth that decoding uses",
                          "engines reach half to nine tenths; far less points to a wrong placement or slow memory"),
    "roof_high": Threshold(1.1, "share", "the same, too high",
                           "more than everything: a mixture of experts, guessed tokens, or a model in the cache"),
}
# fmt: on


def limits(settings: Mapping[str, Fact]) -> Mapping[str, float]:
    """The bars that held for a run: the table's, with what its settings say instead."""
    found = {name: one.value for name, one in THRESHOLDS.items()}
    for name in found:
        said = settings.get(PREFIX + name)
        if isinstance(said, int | float):
            found[name] = float(said)
    return found
