"""One visit to a cell: prepare, warm up, measure, hand over what was seen."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from olbench import drive, lookback, prepare, slot_probe, underload, voices, workload
from olbench.arrival import Arrival, Load
from olbench.bench import Bench
from olbench.clock import now, today
from olbench.errors import ServerError
from olbench.hopeless import Outlook, limits
from olbench.model import GOOD, Cell, Facts, How, Observation, Phase, Placement, Request, Sample, Visit
from olbench.plan import load_key
from olbench.readings import NO_READINGS

GRACE_NS = 10_000_000_000  # a server that was restarted by its supervisor is back within this
GONE_GRACE_NS = 2_000_000_000  # for one that did not come back then
BASELINE_S = 0.3  # long enough for a few beats of every probe


async def take(bench: Bench, visit: Visit, cell: Cell) -> Observation:
    """One visit. Never raises for what a server does: that becomes the observation's problem."""
    taking = _Visit(bench, visit, cell)
    try:
        await taking.prepare()
        if not taking.over():
            await taking.measure()
    except ServerError as fault:
        taking.problem = str(fault)
    return taking.observation()


class _Visit:
    """A visit that is under way."""

    def __init__(self, bench: Bench, visit: Visit, cell: Cell) -> None:
        self.bench = bench
        self.visit = visit
        self.cell = cell
        self.parts = voices.parts(cell, bench.cards)  # its mix, as it is sent; of one alone the first
        self.cards = prepare.cards_by_name(bench.cards)
        self.card = self.cards.get(self.parts[0].model)
        self.mates = frozenset(one.model for one in self.parts)
        self.problem: str | None = None
        self.notes: list[str] = []
        self.samples: list[Sample] = []
        self.placement: Placement | None = None
        self.baseline = NO_READINGS
        self.measured_ns: int | None = None
        self.version: str | None = None
        self.version_after: str | None = None
        self.after: Placement | None = None
        self.facts_before: Facts = {}
        self.facts: Facts = {}
        self.requests: Mapping[Phase, tuple[Request, ...]] = {}
        self.trace: tuple[Arrival, ...] = ()
        terms = bench.terms
        self.outlook = Outlook(limits(terms.slo, terms.requests) if terms.give_up else ())
        bench.watch.cut()  # what came between two visits belongs to none
        self.started_at = today()
        self.started_ns = now()

    async def prepare(self) -> None:
        """The right model in memory, with exactly this cell's options, and the requests ready."""
        await self._reach()
        cold = self.bench.terms.cold_load
        await self._find_voices()
        self.requests = self._requests(cold=cold)
        if cold:
            await self._clear()
            await self._loop("cold", streams=1)
            if not self.over() and self.samples[-1].outcome in GOOD:
                self.placement = await self._verify("cold", None)
        elif self.placement is None:  # else it was loaded to find the prompt's length
            await self._load()
        self._refuse_unplaced()
        self.facts_before = await asyncio.to_thread(self.bench.machine_facts)

    async def measure(self) -> None:
        """Warm-up, then the measured requests."""
        await self._probe()
        if self.over():
            return
        self.notes.extend(await prepare.missing_mates(self.bench.api, self.mates, "before it was measured"))
        if self.cell.load is not None:
            await self._under(self.cell.load)
        else:
            await self._loop("warmup", streams=self.cell.concurrency)
            if self.over():
                return
            await self._loop("measured", streams=self.cell.concurrency)
        self._judge()
        await self._look_again()

    def over(self) -> bool:
        """Whether the visit ends here."""
        if self.bench.stop.is_set() and self.problem is None:
            self.problem = "interrupted"
        return self.problem is not None

    def observation(self) -> Observation:
        """All that it gave."""
        return Observation(
            visit=self.visit,
            started_at=self.started_at,
            started_ns=self.started_ns,
            measured_ns=self.measured_ns,
            ended_ns=now(),
            placement=self.placement,
            problem=self.problem,
            notes=tuple(self.notes),
            samples=tuple(self.samples),
            baseline=self.baseline,
            readings=self.bench.watch.cut(),
            version=self.version,
            version_after=self.version_after,
            after=self.after,
            facts=self.facts,
            cut_short=self.outlook.over.is_set(),
        )

    # --- preparing -------------------------------------------------------------------------------------------

    async def _reach(self) -> None:
        try:
            self.version = await prepare.reachable(self.bench.api, 0)
        except ServerError:
            self.bench.audience.doing("waiting for the server")
            if self.bench.revive is not None:
                await self.bench.revive()
                self.notes.append("the engine had died and was started again")
            # Forty visits to a server that nobody starts again need not wait in full each.
            patience = GONE_GRACE_NS if self.bench.state.gone else GRACE_NS
            self.bench.state.gone = True
            self.version = await prepare.reachable(self.bench.api, patience)
        self.bench.state.gone = False

    async def _find_voices(self) -> None:
        load = self.cell.load
        if load is not None and load.pattern == "replay":
            terms = self.bench.terms
            self.trace = self.bench.trace[: terms.warmup + terms.requests]
            self.notes.extend(underload.misfits(self.cell, self.trace))
        self.voices = await voices.found(self.bench, self.parts, self.trace, self._ready)

    async def _ready(self, part: Cell) -> None:
        """Bring a model in for its prompts to be counted."""
        if part.model == self.parts[0].model:
            await self._load()
        else:
            await self.bench.api.preload(part)
            self.placement = None

    def _requests(self, *, cold: bool) -> Mapping[Phase, tuple[Request, ...]]:
        terms = self.bench.terms
        closed = self.cell.load is None  # else what comes by the load is made for it
        made = workload.requests(
            self.cell,
            self.voices.prompts[0],
            seed=terms.seed,
            repeat=self.visit.repeat,
            run_nonce=terms.nonce,
            warmup=terms.warmup if closed else 0,
            measured=terms.requests if closed else 0,
            cold=cold,
            mix=self.voices.prompts,
        )
        phases: tuple[Phase, ...] = ("cold", "warmup", "measured")
        return {phase: tuple(one for one in made if one.phase == phase) for phase in phases}

    async def _load(self) -> None:
        resident = await self.bench.api.resident()
        if prepare.holds(resident, self.parts[0], self.card, self.mates) and self._same_load():
            self.placement = await self._verify("resident", None)
            return
        await self._clear()
        self.bench.audience.doing("loading")
        # The first share's last: where there is no room for all, that is the one whose placement is told.
        for part in {one.model: one for one in reversed(self.parts[1:])}.values():
            if part.model != self.parts[0].model:
                await self.bench.api.preload(part)
        preload_ns = await self.bench.api.preload(self.parts[0])
        self.placement = await self._verify("preloaded", preload_ns)
        self.bench.state.loaded = load_key(self.parts[0])

    def _same_load(self) -> bool:
        return self.bench.state.loaded == load_key(self.parts[0])

    async def _clear(self) -> None:
        self.bench.audience.doing("unloading")
        self.bench.state.loaded = self.placement = None
        await prepare.cleared(self.bench.api)
        self.bench.watch.cut()
        await asyncio.sleep(BASELINE_S)
        self.baseline = self.bench.watch.cut()

    async def _verify(self, how: How, preload_ns: int | None) -> Placement:
        runner = await asyncio.to_thread(self.bench.runner, self.card)
        return await prepare.verified(
            self.bench.api,
            self.parts[0],
            self.card,
            how=how,
            preload_ns=preload_ns,
            runner=runner,
            mates=self.mates,
        )

    def _refuse_unplaced(self) -> None:
        if self.problem is None and self.placement is None:
            last = self.samples[-1]
            self.problem = (
                f"the first request, which was to load the model, ended as {last.outcome}: {last.words}"
            )

    # --- measuring -------------------------------------------------------------------------------------------

    async def _probe(self) -> None:
        """Find the slots, once a load. What it leaves in the cache the warm-up replaces, as at every other visit."""
        bench, placement = self.bench, self.placement
        load = load_key(self.parts[0]), None if placement is None else placement.digest
        if load in bench.state.probed or not slot_probe.due(self.cell, placement, bench.terms.parallel):
            return
        bench.state.probed.add(load)
        bench.audience.doing("counting the slots")
        alike = [one for one in bench.plan.cells if load_key(one) == load[0]]
        burst = slot_probe.Burst(
            count=slot_probe.size(alike, bench.terms.parallel),
            first=sum(map(len, self.requests.values())),
            language=bench.terms.language,
            nonce=bench.terms.nonce,
            timeout_ns=bench.terms.timeout_ns,
        )
        self.samples.extend(await slot_probe.probe(bench.api, self.parts[0], burst, bench.stop))

    async def _loop(self, phase: Phase, *, streams: int) -> None:
        requests = self.requests[phase]
        if not requests:
            return
        self.bench.audience.doing(
            {"cold": "cold start", "warmup": "warming up", "measured": "measuring"}[phase]
        )
        api = self.bench.api
        wires = [api.encode(self.voices.cell(one.part), one) for one in requests]
        taken = await drive.closed_loop(
            api,
            wires,
            streams=streams,
            timeout_ns=self.bench.terms.timeout_ns,
            stop=self.bench.stop,
            outlook=self.outlook,
        )
        self.samples.extend(drive.decoded_each(api, lambda one: self.voices.cell(one.part), taken))

    async def _under(self, load: Load) -> None:
        self.bench.audience.doing("measuring")
        sending = underload.Sending(
            api=self.bench.api,
            cell=self.cell,
            load=load,
            terms=self.bench.terms,
            repeat=self.visit.repeat,
            first=1 + max((one.index for one in self.samples), default=-1),
            voices=self.voices,
            stop=self.bench.stop,
            outlook=self.outlook,
        )
        self.samples.extend(await underload.sent(sending, self.trace))

    def _judge(self) -> None:
        measured = [one for one in self.samples if one.phase == "measured"]
        self.measured_ns = measured[0].wanted_ns if measured else None
        if self.over() or self.outlook.over.is_set() or any(one.outcome in GOOD for one in measured):
            return
        if not measured:
            self.problem = "no request fell due while it was measured; more requests would do"
        else:
            first = measured[0]
            self.problem = f"none of {len(measured)} requests succeeded; the first ended as {first.outcome}: {first.words}"

    # --- afterwards ------------------------------------------------------------------------------------------

    async def _look_again(self) -> None:
        """What changed while it was measured. It may cost its own fields, never the samples."""
        if self.bench.stop.is_set():
            return
        await lookback.briefly(self._again(), self.bench.stop)

    async def _again(self) -> None:
        before = self.placement
        with suppress(ServerError):
            self.version_after = await self.bench.api.version()
        if before is not None:
            with suppress(ServerError):
                self.after = await self._verify(before.how, before.preload_ns)
                self.notes.extend(await prepare.missing_mates(self.bench.api, self.mates, "afterwards"))
                if len(self.mates) > 1:  # that one model makes the other leave is what such a cell is to show
                    self.after = replace(self.after, runner_pid=None)
        # Last, as the look at the runner has found the server's process anew.
        facts = await asyncio.to_thread(self.bench.machine_facts)
        self.facts = facts | lookback.changed(self.facts_before, facts)
