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
    "prompt_least": Threshold(4, "tok", "the same in tokens; the larger of the two holds",
                              "a word at the end runs into the template's next mark"),
    "cached_share": Threshold(0.5, "share", "share of a prompt that came from the cache",
                              "a template's beginning is a small part, a repeated prompt nearly all: nothing lies between"),
    "opening_grain": Threshold(2, "tok", "tokens by which the common beginning may differ",
                               "its last token runs into what follows"),
    "prefill_share": Threshold(0.33, "share", "time of a prompt beyond one decoding step, as a share of a cold one's",
                               "half a prompt from the cache leaves more than a third, nearly all of it hardly anything"),
    "prefill_steps": Threshold(5.0, "tok", "tokens decoded in the time of a cold prompt, from which on its time tells its state",
                               "a prompt that costs no more than a few steps costs as much when it is reused"),
    "prefill_fastest": Threshold(256.0, "tok", "prompt tokens computed in the time of one decoding step",
                                 "large GPUs come to a hundred or two; what is faster was not computed"),
    "reload": Threshold(1.0, "s", "load_duration of a request to a model in memory",
                        "a health check takes milliseconds to a tenth of a second; only a load takes longer"),
    "reload_share": Threshold(0.2, "share", "the same as a share of the request's time",
                              "a load spoils a short request sooner than a long one"),
    "reload_least": Threshold(0.2, "s", "load_duration below which that share does not matter",
                              "old servers read the model's header at each request"),
    "vram_share": Threshold(0.01, "share", "difference between visits in the share of the model in GPU memory",
                            "one layer of a large model is about a hundredth of it"),
    "queue_share": Threshold(0.2, "share", "share of its time that a request waits inside the server",
                             "below it, templates and tokenising explain the rest"),
    "queue_least": Threshold(0.1, "s", "the same in seconds, for a request beside which no other one ran",
                             "templates and tokenising take some milliseconds"),
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
    "clock_fall": Threshold(0.15, "share", "fall of the processor's or a GPU's clock from a visit's first third to its last",
                            "clocks of a busy, cool machine wander by a few hundredths; heat costs more"),
    "at_work": Threshold(0.2, "share", "load from which on the clock of a processor or a GPU is judged",
                         "one with little to do lowers its clock to save power"),
    "power_limit": Threshold(0.05, "share", "how far a GPU's power limit is from its usual one, or from the one at the start",
                             "a twentieth less power costs a hundredth or two of speed"),
    "swap": Threshold(32 * 2**20, "B", "growth of swap during a visit",
                      "the system parks a few idle pages at any time"),
    "pressure": Threshold(0.05, "share", "share of the time in which some task waited for memory",
                          "a healthy machine stands at 0; waits stop whole tokens"),
    "foreign_gpu": Threshold(2**30, "B", "GPU memory that other programs held where the server computes",
                             "a desktop holds some hundred MiB; a game, or another model, holds more"),
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
    "sum_often": Threshold(0.34, "share", "requests whose parts miss the whole by more than that",
                           "a few are read late on a busy machine; wrong durations are wrong in most"),
    "stall": Threshold(2.0, "s", "gap within an answer, if it is also many times the usual one",
                       "no scheduler makes a reader wait so long; a paging or throttled machine does"),
    "ttft_least": Threshold(0.005, "s", "change of a time to first token that counts at all, however large its share",
                            "a busy client and its connection move it by milliseconds"),
    "outlier": Threshold(0.5, "share", "distance of one request from the usual, if it is also many times the usual spread",
                         "latencies are lopsided: what is less is their usual tail"),
    # What explains a request far out.
    "paging": Threshold(4 * 2**20, "B/s", "memory moved to or from swap above its usual rate",
                        "a model being paged moves hundreds of times that"),
    "held_up": Threshold(0.02, "s", "lag of olbench's own event loop above its usual one",
                         "less is a wake-up; more shifts a stamp that anybody looks at"),
    # Whether a load came as it was meant to.
    "late": Threshold(0.01, "s", "p99 of how late olbench sent the requests of a load",
                      "ten times what a free core wakes up in; more, and the load is another one"),
    "late_share": Threshold(0.1, "share", "the same as a share of the tightest bound of a service level; the larger holds",
                            "latency counts from the due time: a tenth of the bound would be olbench's own"),
    # What memory allows.
    "roof_low": Threshold(0.15, "share", "share of the memory's bandwidth that decoding uses",
                          "engines reach half to nine tenths; far less points to a wrong placement or slow memory"),
    "roof_high": Threshold(1.1, "share", "the same, too high",
                           "more than everything: a mixture of experts, guessed tokens, or a model in the cache"),
    # What fits into memory.
    "ram_reserve": Threshold(2**30, "B", "RAM that is left to other programs when it is told what fits",
                             "a browser or a build that begins meanwhile takes as much; what is beyond that is swapped"),
    "vram_reserve": Threshold(2**30, "B", "the same of each GPU's memory",
                              "llama.cpp leaves as much free itself, and puts layers elsewhere before it takes it"),
    "memory_reach": Threshold(16.0, "times", "how far beyond the largest context that was measured memory is told unasked",
                              "keys and values grow in a straight line, what is beside them need not"),
    "memory_formula": Threshold(0.05, "share", "memory of a token of context as measured, off what the metadata give",
                                "masks and tables beside keys and values take a few hundredths of them"),
    "memory_off": Threshold(0.05, "share", "memory of a load off what was predicted for it",
                            "a twentieth is what a context of the next size up would rarely hide in"),
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
