"""Which models are in memory: lent to requests, loaded anew when one needs other settings, gone when their time is up."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from olbench.clock import now
from olbench.engines import wall
from olbench.engines.asked import Load
from olbench.engines.runner import Runner, Settings, start
from olbench.engines.shelf import Model

MOST = 3  # models in memory at once, as Ollama has it where there is no GPU
KEEP_ALIVE_NS = 300 * 10**9
_FOREVER_NS = 2**63


class Resident:
    """A model in memory: its runner, how many requests use it, and when it leaves."""

    def __init__(self, model: Model, runner: Runner) -> None:
        """Nobody uses it yet."""
        self.model = model
        self.runner = runner
        self.keep_alive_ns = KEEP_ALIVE_NS
        self.idle = asyncio.Event()
        self.leaving: asyncio.Task[None] | None = None
        self._users = 0
        self._timer: asyncio.TimerHandle | None = None
        self._date(KEEP_ALIVE_NS)

    def fits(self, load: Load) -> bool:
        """Whether a request with these settings may use it."""
        return self.runner.load == load and self.runner.alive and self.leaving is None

    def take(self, keep_alive_ns: int | None) -> None:
        """One user more; a keep_alive that is given holds for those after it too."""
        self._users += 1
        self.idle.clear()
        self.wake()
        if keep_alive_ns is not None:
            self.keep_alive_ns = keep_alive_ns

    def give_back(self) -> bool:
        """One user less; whether it was the last."""
        self._users -= 1
        if self._users:
            return False
        self.idle.set()
        self._date(self.keep_alive_ns)
        return True

    def sleep(self, timer: asyncio.TimerHandle) -> None:
        """Remember what will end it, unless it is used before."""
        self._timer = timer

    def wake(self) -> None:
        """Forget it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _date(self, keep_alive_ns: int) -> None:
        self.leaves_ns = _FOREVER_NS if keep_alive_ns < 0 else now() + keep_alive_ns
        self.expires_at = wall.ahead(keep_alive_ns)


class Runners:
    """All models in memory. A model is known by its file: two names of one file share a runner."""

    def __init__(self, settings: Settings, session: aiohttp.ClientSession) -> None:
        """Load nothing yet."""
        self._settings = settings
        self._session = session
        self._resident: dict[Path, Resident] = {}
        self._loading = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def resident(self) -> list[Resident]:
        """All models in memory, those that leave last first."""
        return sorted(self._resident.values(), key=lambda resident: resident.leaves_ns, reverse=True)

    @asynccontextmanager
    async def lent(self, model: Model, load: Load, keep_alive_ns: int | None) -> AsyncIterator[Runner]:
        """A runner for the model, loaded as asked; whatever it takes to have one is waited for."""
        resident = self._fitting(model, load) or await self._loaded(model, load)
        resident.take(keep_alive_ns)
        try:
            yield resident.runner
        finally:
            if resident.give_back():
                self._time(resident)

    def expire(self, model: Model) -> None:
        """Let the model leave as soon as nobody uses it."""
        resident = self._resident.get(model.path)
        if resident is not None:
            resident.keep_alive_ns = 0
            if resident.idle.is_set():
                self._retire(resident)

    async def close(self) -> None:
        """End all, without waiting for those who use them."""
        for resident in self._resident.values():
            resident.wake()
            resident.runner.kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _fitting(self, model: Model, load: Load) -> Resident | None:
        resident = self._resident.get(model.path)
        return resident if resident is not None and resident.fits(load) else None

    async def _loaded(self, model: Model, load: Load) -> Resident:
        # One load at a time, in the order of asking: waiting in this queue is part of load_duration.
        async with self._loading:
            resident = self._fitting(model, load)
            if resident is None:
                await self._make_room(model)
                runner = await start(model, load, self._settings, self._session)
                resident = self._resident[model.path] = Resident(model, runner)
                self._spawn(self._watch(resident))
            return resident

    async def _make_room(self, model: Model) -> None:
        while True:
            old = self._resident.get(model.path)
            if old is None and len(self._resident) >= MOST:
                old = self.resident()[-1]
            if old is None:
                return
            # Shielded: a client that goes away while it waits does not undo what others wait for too.
            await asyncio.shield(self._retire(old))

    def _time(self, resident: Resident) -> None:
        """Nobody uses it: set the time at which it leaves."""
        if resident.keep_alive_ns == 0:
            self._retire(resident)
        elif resident.keep_alive_ns > 0:
            seconds = resident.keep_alive_ns / 1e9
            resident.sleep(asyncio.get_running_loop().call_later(seconds, self._retire, resident))

    def _retire(self, resident: Resident) -> asyncio.Task[None]:
        """From now on nobody new gets it; the task ends when it has left memory."""
        resident.wake()
        if resident.leaving is None:
            resident.leaving = self._spawn(self._leave(resident))
        return resident.leaving

    async def _leave(self, resident: Resident) -> None:
        await resident.idle.wait()
        resident.runner.kill()
        await self._gone(resident)

    async def _watch(self, resident: Resident) -> None:
        """Notice a child that somebody else ended."""
        await self._gone(resident)
        await resident.idle.wait()  # its users may still want to read why
        resident.runner.log.close()

    async def _gone(self, resident: Resident) -> None:
        await resident.runner.process.wait()
        resident.wake()
        if self._resident.get(resident.model.path) is resident:
            del self._resident[resident.model.path]

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
