"""Where the time of one request went: parts that stamps place one by one, so that their sum can fail.

The server's clock says when the first text left it (created_at), its durations how long it computed, our clock what
came of it here. From the moment when the request was wanted:

    connect | network | load | queue | prefill | decode | unexplained

Only `unexplained` is a remainder: what durations and stamps leave of our own time. Durations that are too long push
queue or network below 0. Up to the first text it is connect, network, load, queue, prefill and `held`: text that was
made and did not come yet.
"""

from dataclasses import dataclass

import numpy as np

from olbench.column import Column, Mask, Numbers, singles
from olbench.model import FINAL, TEXT, THINKING
from olbench.sample_columns import Samples
from olbench.sample_metrics import NO_COUNTS, NO_DURATION, NO_TEXT, NOT_STREAMED, STEPPED, UNSENT

REMAINDERS = f"{NOT_STREAMED}: its queue and network are remainders, which always add up"
UNHELD = "the connection was another library's, which does not tell"
COARSE_NS = 1_000_000  # a created_at of whole milliseconds, or seconds, is too coarse to place anything by

# The parts in the order of time, as they are drawn and listed; they add up to the time from wanted to the last byte.
PARTS = ("connect", "load", "queue", "prefill", "decode", "network", "unexplained")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Seconds of each part, one row a sample; NaN where unknown."""

    connect: Numbers  # wanted to sent: a new connection, and lateness of our own
    load: Numbers
    queue: Numbers
    prefill: Numbers
    decode: Numbers
    network: Numbers
    unexplained: Numbers
    held: Numbers  # of decode: before the first text came
    whole: Numbers  # wanted to the last byte


def parts(seen: Samples) -> Parts:
    """All parts of the samples."""
    known, span = _text(seen)
    ours = np.where(seen.unsent | seen.stepped, np.nan, (seen.end_ns - seen.sent_ns).astype(np.float64))
    inside = seen.total_ns - seen.load_ns - seen.prompt_eval_ns
    left, beyond = inside - seen.eval_ns, ours - seen.total_ns
    # The first text may be late in the server, where a parser holds it back, and on its way, where it waits for the
    # next one. Tokens are made meanwhile: that is neither queue nor network, and the end of the answer is not late.
    queue = np.where(known, np.fmin(inside - span, left), left)
    to_text = _to_text(seen)
    network = np.where(known, np.fmin(to_text - (seen.total_ns - span), beyond), beyond)
    before = network + seen.load_ns + queue + seen.prompt_eval_ns
    connect = np.where(seen.unsent, np.nan, (seen.sent_ns - seen.wanted_ns).astype(np.float64))
    return Parts(
        connect=connect / 1e9,
        load=seen.load_ns / 1e9,
        queue=queue / 1e9,
        prefill=seen.prompt_eval_ns / 1e9,
        decode=seen.eval_ns / 1e9,
        network=network / 1e9,
        unexplained=np.where(known, ours - before - seen.eval_ns, np.nan) / 1e9,
        held=np.where(known, to_text - before, np.nan) / 1e9,
        whole=(connect + ours) / 1e9,
    )


def _text(seen: Samples) -> tuple[Mask, Numbers]:
    """Which samples' first text has a moment; nanoseconds from it to the end, by the server's clock, else by ours."""
    says, ends = seen.having(TEXT | THINKING), seen.having(FINAL)
    first, final = says.first(seen.created_ns), ends.first(seen.created_ns)
    dated = (first > 0) & (final > 0) & ((first % COARSE_NS > 0) | (final % COARSE_NS > 0))
    ours = seen.end_ns - says.first(seen.arrived_ns)
    known = seen.streamed & ~says.none & (dated | ~seen.stepped)
    return known, np.where(dated, final - first, ours).astype(np.float64)


def _to_text(seen: Samples) -> Numbers:
    """Nanoseconds from the send to the first text, by our clock."""
    arrived = seen.having(TEXT | THINKING).first(seen.arrived_ns)
    return np.where(seen.unsent | seen.stepped, np.nan, (arrived - seen.sent_ns).astype(np.float64))


# --- as metrics -----------------------------------------------------------------------------------------------


def connect(seen: Samples) -> Column:
    """Seconds that went into a new connection; 0 where one was held ready."""
    return singles(seen.connect_ns / 1e9, (UNSENT, seen.unsent), (UNHELD, np.isnan(seen.connect_ns)))


def dispatch(seen: Samples) -> Column:
    """Seconds that the request left later than it was wanted to: our own fault, not the server's."""
    late = (seen.sent_ns - seen.wanted_ns) - np.nan_to_num(seen.connect_ns)
    return singles(late / 1e9, (UNSENT, seen.unsent))


def queue(seen: Samples) -> Column:
    """Seconds that a request waited inside the server: for a slot, for templates and tokenising."""
    found = parts(seen).queue
    return singles(found, (NO_COUNTS, seen.uncounted), (NO_DURATION, np.isnan(found)))


def network(seen: Samples) -> Column:
    """Seconds of our time that the server did not see: network, and the client itself."""
    found = parts(seen).network
    return singles(found, (UNSENT, seen.unsent), (STEPPED, seen.stepped), (NO_DURATION, np.isnan(found)))


def unexplained(seen: Samples) -> Column:
    """Seconds of our time that no part explains."""
    return _beside(seen, parts(seen).unexplained)


def held(seen: Samples) -> Column:
    """Seconds in which the server made tokens, and no text of them had come yet."""
    return _beside(seen, parts(seen).held)


def _beside(seen: Samples, found: Numbers) -> Column:
    return singles(
        found,
        (REMAINDERS, ~seen.streamed),
        (UNSENT, seen.unsent),
        (STEPPED, seen.stepped & np.isnan(found)),
        (NO_COUNTS, seen.uncounted),
        (NO_TEXT, seen.having(TEXT | THINKING).none),
        (NO_DURATION, np.isnan(found)),
    )
