"""What a server knows of its requests, whichever server it is."""

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# struct rec of mockllm.c: sixteen unsigned 64-bit numbers, then `ntimes` moments of sends.
RECORD = struct.Struct("=16Q")
READ, PROMPT_TOKENS, TIMES = 6, 14, 15


@dataclass(frozen=True, slots=True)
class Truth:
    """One request on the monotonic clock: when its last byte was read, and just before each token's send."""

    prompt_tokens: int
    read_ns: int
    sends_ns: Sequence[int]


def of_dump(raw: bytes) -> list[Truth]:
    """The truths in a dump of mockllm. ValueError when it breaks off."""
    found: list[Truth] = []
    at = 0
    while at < len(raw):
        try:
            fields = RECORD.unpack_from(raw, at)
            at += RECORD.size
            sends = struct.unpack_from(f"={fields[TIMES]}Q", raw, at)
        except struct.error as fault:
            raise ValueError(f"the dump of {len(raw)} bytes breaks off in record {len(found)}") from fault
        at += 8 * len(sends)
        found.append(Truth(fields[PROMPT_TOKENS], fields[READ], sends))
    return found


def of_json(raw: bytes) -> list[Truth]:
    """The truths that the scripted engine tells at /truth."""
    rows = json.loads(raw)["requests"]
    return [Truth(one["prompt_tokens"], one["read_ns"], one["sends_ns"]) for one in rows]


def by_prompt(truths: Iterable[Truth]) -> Mapping[int, Truth]:
    """Truths by their number of prompt tokens. ValueError when two requests had the same."""
    found: dict[int, Truth] = {}
    for one in truths:
        if one.prompt_tokens in found:
            raise ValueError(f"two requests had {one.prompt_tokens} prompt tokens: they cannot be told apart")
        found[one.prompt_tokens] = one
    return found
