"""A server's queue, played through: users who wait for their answers, slots, and an engine that does batch after batch.

The engine is llama.cpp's server as its loop is written (tools/server, `update_slots`): every batch has one token of each
answer that is being decoded; then, slot by slot, prompt tokens until the batch is full. So a long prompt holds up all
answers for as long as it is read, and a first token comes from the batch that ends its prompt. Requests wait first come,
first served; a slot that is free takes the next one when the batch in hand is done. Between two events every step costs
what the one before it did and a little more for the longer context, so these are summed in closed form.
"""

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from olbench.arrival import Talk

# "slot": each slot keeps what it computed last; "all": whatever was computed comes back; "none": all is read anew.
Cache = Literal["slot", "all", "none"]
BATCH = 512  # tokens: Ollama's least automatic num_batch, and the embedded engine's
_SECOND = 1e9  # ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What a server computes at once, and how long that takes. All durations in seconds."""

    slots: int
    step: float  # of a batch, whatever is in it: weights are read once
    stream: float  # of each answer that gets a token from it
    depth: float  # of each token of context behind these
    opening: float  # of a batch in which a prompt begins
    token: float  # of each prompt token
    square: float  # of the square of a prompt's length
    batch: int = BATCH
    cache: Cache = "slot"
    head: int = 0  # tokens that all prompts begin with (template, system prompt): a slot has them from its first request on


class Shape(NamedTuple):
    """One question and its answer."""

    prompt_tokens: int  # without what was said before
    output_tokens: int


class Served(NamedTuple):
    """One request, as it was served. Moments in seconds."""

    user: int
    turn: int
    due: float
    start: float  # a slot took it
    first: float  # token
    end: float
    prompt: int  # tokens, with what was said before
    cached: int  # of them
    output: int
    waited: bool  # no slot was free when it came


@dataclass(frozen=True, slots=True)
class Played:
    """All that happened, in the order in which questions fell due."""

    served: tuple[Served, ...]
    reading: float  # s that the engine spent on prompts
    decoding: float  # and on answers
    length: float  # s from the beginning to the last token


def simulate(
    engine: Engine, talks: Sequence[Talk], shapes: Sequence[Shape], until: float = math.inf
) -> Played:
    """Play the talks through; `shapes` is by the talk's part. No question begins after `until`; those there are end."""
    house = _House(engine, _Users(talks, shapes, until, engine.head))
    house.run()
    served = sorted(house.served, key=lambda one: one.due)
    length = max((one.end for one in served), default=0.0)
    return Played(tuple(served), house.reading, house.decoding, length)


class _Asked:
    """A question on its way."""

    __slots__ = ("cached", "due", "first", "new", "output", "prompt",
                 "start", "talk", "turn", "user", "waited")  # fmt: skip

    def __init__(self, coming: tuple[float, int, int, int], shape: Shape, head: int) -> None:
        self.due, self.user, self.talk, self.turn = coming
        self.new = max(shape[0] - head, 1)  # tokens that were never there before
        self.prompt = self.turn * (self.new + shape[1]) + shape[0]
        self.output = max(shape[1], 1)
        self.start = self.first = 0.0
        self.cached = 0
        self.waited = False


class _Users:
    """Who asks what next, and when: one question at a time each, the next one only after the answer."""

    def __init__(self, talks: Sequence[Talk], shapes: Sequence[Shape], until: float, head: int) -> None:
        self.talks, self.shapes, self.until, self.head = talks, shapes, until, head
        self.next: dict[int, deque[int]] = {}  # user -> their talks that are still to come
        for number in sorted(range(len(talks)), key=lambda number: talks[number].start_ns):
            self.next.setdefault(talks[number].user, deque()).append(number)
        self.coming: list[tuple[float, int, int, int]] = []  # due, user, talk, turn: a heap
        for user in self.next:
            self._greet(user, 0.0)

    def take(self) -> _Asked:
        """The question that falls due first."""
        coming = heapq.heappop(self.coming)
        return _Asked(coming, self.shapes[self.talks[coming[2]].part], self.head)

    def answered(self, asked: _Asked, moment: float) -> None:
        """What the user does then: think and go on, or begin the next talk when it is time."""
        thinks = self.talks[asked.talk].thinks_ns
        if asked.turn < len(thinks):
            self._push(moment + thinks[asked.turn] / _SECOND, asked.user, asked.talk, asked.turn + 1)
        else:
            self._greet(asked.user, moment)

    def _greet(self, user: int, moment: float) -> None:
        if self.next[user]:
            talk = self.next[user].popleft()
            self._push(max(moment, self.talks[talk].start_ns / _SECOND), user, talk, 0)

    def _push(self, due: float, user: int, talk: int, turn: int) -> None:
        if due <= self.until:
            heapq.heappush(self.coming, (due, user, talk, turn))


class _Slot:
    """One place where a request is computed, and what its cache holds."""

    __slots__ = ("asked", "left", "read", "talk", "used")

    def __init__(self) -> None:
        self.asked: _Asked | None = None
        self.read = 0  # tokens of its prompt that are in the cache
        self.left = 0  # tokens of its answer that are to be decoded
        self.talk = -1  # whose tokens the cache holds
        self.used = -1.0  # when it was last given free


class _House:
    """Queue, slots and engine at one moment."""

    def __init__(self, engine: Engine, users: _Users) -> None:
        self.engine, self.users = engine, users
        self.slots = [_Slot() for _ in range(engine.slots)]
        self.free = self.was_free = engine.slots  # now, and until the batch in hand was done
        self.reads: list[_Slot] = []  # slots that read their prompts, in the order of slots
        self.decodes: list[_Slot] = []
        self.depth = 0  # tokens of context behind the answers that are being decoded
        self.queue: deque[_Asked] = deque()
        self.now = self.reading = self.decoding = 0.0
        self.served: list[Served] = []

    def run(self) -> None:
        """Until everybody has had their answers."""
        coming = self.users.coming
        while True:
            self._admit()
            self.was_free = self.free
            if self.reads:
                self._read()
            elif self.decodes:
                self._decode()
            elif coming:
                self.now = coming[0][0]
            else:
                return

    def _admit(self) -> None:
        coming, queue = self.users.coming, self.queue
        while coming and coming[0][0] <= self.now:
            asked = self.users.take()
            asked.waited = len(queue) >= self.was_free
            queue.append(asked)
        while queue and self.free:
            self._seat(queue.popleft())

    def _seat(self, asked: _Asked) -> None:
        slot = self._slot_for(asked)
        known = asked.prompt - asked.new
        cache = self.engine.cache
        if cache == "all" or (cache == "slot" and slot.talk == asked.talk):
            asked.cached = known
        elif cache == "slot" and slot.used >= 0:
            asked.cached = min(self.engine.head, known)
        slot.asked, slot.read, slot.talk = asked, asked.cached, asked.talk
        asked.start = self.now
        self.free -= 1
        self.reads = [one for one in self.slots if one in self.reads or one is slot]

    def _slot_for(self, asked: _Asked) -> _Slot:
        """The free slot that holds this talk, else the one that has been free for longest."""
        free = [slot for slot in self.slots if slot.asked is None]
        for slot in free:
            if slot.talk == asked.talk:
                return slot
        return min(free, key=lambda slot: slot.used)

    def _read(self) -> None:
        """Batches that have prompt tokens in them: one, or as many as are full of one and the same prompt."""
        room = max(self.engine.batch - len(self.decodes), 1)
        slot = self.reads[0]
        steps = self._full(slot, room)
        if steps > 1 and self._undisturbed(costs := self._costs(slot.read, steps * room, steps)):
            slot.read += steps * room
            self._pass(steps, *costs)
        else:
            self._fill(room)

    def _undisturbed(self, costs: tuple[float, float]) -> bool:
        """Whether nobody comes meanwhile whom a slot waits for."""
        coming = self.users.coming
        return not self.free or not coming or coming[0][0] >= self.now + sum(costs)

    def _full(self, slot: _Slot, room: int) -> int:
        """How many batches in a row are full of a slot's prompt, and neither begin nor end it, nor any answer before."""
        asked = slot.asked
        assert asked is not None  # noqa: S101 - for mypy: it reads
        steps = (asked.prompt - 1 - slot.read) // room
        if steps < 2 or slot.read == asked.cached or self._costs(slot.read, room, 1)[0] < self.engine.step:
            return 1
        return min([steps, *(other.left for other in self.decodes)])

    def _costs(self, read: int, tokens: int, steps: int) -> tuple[float, float]:
        """What so many further tokens of one prompt cost, and the tokens of answers beside them."""
        engine, streams = self.engine, len(self.decodes)
        growth = streams * engine.depth
        decoding = streams * engine.stream + self.depth * engine.depth + growth * (steps - 1) / 2
        return tokens * (engine.token + engine.square * (2 * read + tokens)), steps * decoding

    def _fill(self, room: int) -> None:
        engine, spent = self.engine, 0.0
        opens, ended = False, []
        for slot in self.reads:
            asked = slot.asked
            assert asked is not None  # noqa: S101 - for mypy: it reads
            if room <= 0:
                break
            opens = opens or slot.read == asked.cached
            tokens = min(room, asked.prompt - slot.read)
            spent += self._costs(slot.read, tokens, 1)[0]
            slot.read += tokens
            room -= tokens
            if slot.read >= asked.prompt:
                ended.append(slot)
        # Weights are read once for prompts and answers together.
        spent = max(spent + engine.opening * opens, engine.step)
        self._pass(1, spent, self._costs(0, 0, 1)[1])
        for slot in ended:
            self._begin(slot)

    def _begin(self, slot: _Slot) -> None:
        """The prompt is read, and its batch gave the first token."""
        asked = slot.asked
        assert asked is not None  # noqa: S101 - for mypy: it was read
        asked.first = self.now
        self.reads.remove(slot)
        slot.left = asked.output - 1
        if slot.left:
            self.decodes.append(slot)
            self.depth += asked.prompt
        else:
            self._end(slot, asked)

    def _decode(self) -> None:
        """As many steps as end an answer, or as it takes until somebody comes whom a slot waits for."""
        engine, streams = self.engine, len(self.decodes)
        steps = min(slot.left for slot in self.decodes)
        cost = engine.step + self._costs(0, 0, 1)[1]
        growth = streams * engine.depth  # of the cost, from each step to the next
        if self.free and self.users.coming:
            steps = min(steps, _reaching(self.users.coming[0][0] - self.now, cost, growth))
        self._pass(steps, 0.0, steps * (cost + growth * (steps - 1) / 2))

    def _pass(self, steps: int, reading: float, decoding: float) -> None:
        """Time goes by, and with it so many tokens of each answer."""
        self.now += reading + decoding
        self.reading += reading
        self.decoding += decoding
        self.depth += steps * len(self.decodes)
        ended = False
        for slot in self.decodes:
            slot.left -= steps
            ended = ended or not slot.left
        if ended:
            self._answered()

    def _answered(self) -> None:
        for slot in [slot for slot in self.decodes if not slot.left]:
            asked = slot.asked
            assert asked is not None  # noqa: S101 - for mypy: it was answered
            self.decodes.remove(slot)
            self.depth -= asked.prompt + asked.output - 1
            self._end(slot, asked)

    def _end(self, slot: _Slot, asked: _Asked) -> None:
        slot.asked, slot.used = None, self.now
        self.free += 1
        self.served.append(
            Served(
                *(asked.user, asked.turn, asked.due, asked.start, asked.first, self.now),
                *(asked.prompt, asked.cached, asked.output, asked.waited),
            )
        )
        self.users.answered(asked, self.now)


def _reaching(span: float, cost: float, growth: float) -> int:
    """How many steps last at least so long: the first costs `cost`, each further one `growth` more."""
    base = cost - growth / 2
    under = base + math.sqrt(base * base + 2 * growth * max(span, 0.0))
    return max(1, math.ceil(2 * span / under - 1e-9)) if under > 0 else 2**62
