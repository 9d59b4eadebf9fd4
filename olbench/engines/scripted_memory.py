"""The models that a scripted server holds in memory: who waits for a load, and what each has computed before."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from olbench.clock import now, sleep_until
from olbench.engines.scripted_script import TEMPLATE_TOKENS, Script


@dataclass(slots=True)
class Held:
    """A model in memory."""

    context: int
    slots: asyncio.Semaphore
    conversations: bool
    seen: set[int] = field(default_factory=set)  # what it has computed: hashes
    busy: int = 0  # requests that have it and are not answered yet
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def cached(self, prompt: str) -> int:
        """Tokens at the beginning of a prompt that need not be read again; the last one always is."""
        words, tokens = self._known(prompt), len(prompt.split()) + TEMPLATE_TOKENS
        return min(words + TEMPLATE_TOKENS, tokens - 1) if words else 0

    def _known(self, prompt: str) -> int:
        if not self.conversations:
            return len(prompt.split()) if hash(prompt) in self.seen else 0
        return max((words for words, one in enumerate(_beginnings(prompt), 1) if one in self.seen), default=0)

    def keep(self, prompt: str, answer: str) -> None:
        """Remember what was read and said."""
        if not self.conversations:
            self.seen.add(hash(prompt))
            return
        beginnings = list(_beginnings(f"{prompt} {answer}"))
        words = len(prompt.split())
        self.seen.update(beginnings[words - 1 : words] + beginnings[-1:])


class Memory:
    """What is in memory, the model that was used last at the end."""

    def __init__(self, script: Script) -> None:
        """Nothing is loaded."""
        self._script = script
        self._held: dict[str, Held] = {}
        self._queue = (
            asyncio.Lock()
        )  # as in Ollama, one after the other; who is loaded waits behind who is not

    def contexts(self) -> dict[str, int]:
        """Models and their contexts."""
        return {name: one.context for name, one in self._held.items()}

    def forget(self, model: str) -> None:
        """Let a model go; what it is answering, it answers."""
        self._held.pop(model, None)

    def clear(self) -> None:
        """Let all models go."""
        self._held.clear()

    @asynccontextmanager
    async def lent(self, model: str, context: int) -> AsyncIterator[Held]:
        """The model with that context, loaded if need be; it does not leave for another one as long as it is lent."""
        async with self._queue:
            held = await self._ready(model, min(context, self._script.context_length))
            held.busy += 1
            held.idle.clear()
        try:
            yield held
        finally:
            held.busy -= 1
            if not held.busy:
                held.idle.set()

    async def _ready(self, model: str, context: int) -> Held:
        held = self._held.pop(model, None)
        if held is None or held.context != context:
            await self._room()
            await sleep_until(now() + self._script.load_ns)
            held = Held(context, asyncio.Semaphore(self._script.slots), self._script.conversations)
            held.idle.set()
        self._held[model] = held
        return held

    async def _room(self) -> None:
        """Room for one model more: who was not used for the longest time leaves, when it has answered."""
        most = self._script.max_loaded
        while most is not None and len(self._held) >= most:
            name = next(iter(self._held))
            await self._held[name].idle.wait()
            self._held.pop(name, None)


def _beginnings(text: str) -> Iterator[int]:
    """One number for each beginning of the text, word by word; equal beginnings have equal numbers."""
    so_far = 0
    for word in text.split():
        so_far = hash((so_far, word))
        yield so_far
