"""When two set-ups have been measured for long enough: asked of what is kept of their runs after each block."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from olbench import paired, units
from olbench.ab_keys import METRICS, MOST
from olbench.differences import Comparison
from olbench.model import Fact, Record
from olbench.paired import Blocked, Look
from olbench.prose import counted
from olbench.stats import power
from olbench.stats.ratios import LEVEL
from olbench.store import Store

PILOT = (
    3  # blocks: less than before the first look, so that what is planned of them is not chosen by a verdict
)
PLANNED_LEAST = 8  # blocks; fewer would follow the luck of the pilot
USUAL_MOST = 20  # blocks, unless more or less is asked for
SPARE = 2  # for so many blocks one more may be taken, in place of those that are left out
HOPELESS = 6  # blocks of which none counts: more would be no better
POWER = 0.9


@dataclass(slots=True, kw_only=True)
class Rule:
    """What is asked of two runs, and how many blocks that may take."""

    store: Store
    ids: tuple[str, str]
    metrics: Sequence[str]
    margins: Mapping[str, float]
    asked_most: int | None
    detect: float | None  # the relative change to be found; None: whatever so many blocks show
    planned: int | None = None  # blocks that may count, from when that stands
    _news: list[str] = field(default_factory=list)

    @property
    def most(self) -> int:
        """Blocks that may count."""
        return self.planned or self.asked_most or USUAL_MOST

    @property
    def settings(self) -> Mapping[str, Fact]:
        """What was asked, as the runs keep it at their end."""
        return {METRICS: ",".join(self.metrics), MOST: self.most}

    @property
    def foreseen(self) -> int:
        """Blocks that may count, as far as that is known yet."""
        return self.most if self.planned or self.detect is None else PILOT

    def wanting(self, taken: int, spent_ns: float) -> tuple[int, ...]:
        """The places of the pairs of cells that need another block after so many, which took so long."""
        if taken >= self.most + math.ceil(self.most / SPARE):
            return ()
        if self.detect is not None and self.planned is None and not self._pilot(spent_ns / taken):
            return tuple(sorted({one.place for one in self._blocked()}))
        looks = paired.looks(*self._records(), self.metrics, self.margins, self.most)
        return tuple(sorted({one.blocked.place for one in looks if self._wants(one)}))

    def news(self) -> Sequence[str]:
        """What there is to say since it was asked last."""
        said, self._news = self._news, []
        return said

    def comparison(self) -> Comparison:
        """All that can be said of what is kept."""
        return paired.compare(*self._records(), self.metrics, self.margins, self.most)

    def _records(self) -> tuple[Record, Record]:
        a, b = self.ids
        return self.store.record(a), self.store.record(b)

    def _blocked(self) -> tuple[Blocked, ...]:
        return paired.blocked(*self._records(), self.metrics)

    def _wants(self, one: Look) -> bool:
        open_ = one.judged.verdict == "cannot tell" and one.blocked.whole < self.most
        return open_ and not _hopeless(one.blocked)

    # --- the pilot -----------------------------------------------------------------------------------------------

    def _pilot(self, block_ns: float) -> bool:
        """Plan by the first blocks; False while there are too few."""
        found = self._blocked()
        if any(one.whole < PILOT and not _hopeless(one) for one in found):
            return False
        spreads = [_spread(one) for one in found if one.whole >= PILOT]
        self.planned, sentence = planned(
            max(spreads, default=0.0), self.detect or 0.0, self.asked_most, len(found)
        )
        self._news.append(f"{sentence.format(time=units.span(self.planned * block_ns))}")
        return True


def _hopeless(one: Blocked) -> bool:
    """Whether more blocks would give no more than those that there have been: nothing."""
    return one.whole == 0 and one.taken >= HOPELESS


def _spread(one: Blocked) -> float:
    """How much visits of one side vary, drift left out: a pair's difference varies as two of them."""
    return statistics.stdev(one.logs) / math.sqrt(2)


def planned(spread: float, change: float, asked_most: int | None, figures: int) -> tuple[int, str]:
    """Blocks at most, and the sentence that says so, in which {time} stands for how long they take."""
    seen = f"to see {100 * change:g} % with {100 * POWER:.0f} % power"
    needed = power.blocks(spread, change, POWER, level=1 - (1 - LEVEL) / figures)
    if needed is None:
        most = asked_most or USUAL_MOST
        return (
            most,
            f"more than {power.MOST:,} blocks would be needed {seen}; {counted(most, 'block')} at most, about {{time}}",
        )
    if asked_most is not None and needed > asked_most:
        short = f"{counted(needed, 'block')} would be needed {seen}"
        return asked_most, f"{short}; --most allows {asked_most}, about {{time}}"
    # Three blocks know their own noise badly: a plan that follows them to fewer than this errs in more than 1 of 100.
    most = max(needed, PLANNED_LEAST) if asked_most is None else min(max(needed, PLANNED_LEAST), asked_most)
    return most, f"{counted(most, 'block')}, about {{time}}, {seen}"
