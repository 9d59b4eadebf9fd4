"""Rows that are read when somebody asks for them."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TypeVar, overload

Part = TypeVar("Part")


class Later(Sequence[Part]):
    """What a visit has many of, read when it is first asked for: most readers look at nothing but its frame."""

    def __init__(self, count: int, read: Callable[[], tuple[Part, ...]]) -> None:
        self._count = count
        self._read = read

    @cached_property
    def _whole(self) -> tuple[Part, ...]:
        return self._read()

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Part: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Part, ...]: ...
    def __getitem__(self, index: int | slice) -> Part | tuple[Part, ...]:
        return self._whole[index]

    def __iter__(self) -> Iterator[Part]:
        return iter(self._whole)

    def __eq__(self, other: object) -> bool:
        return self._whole == other

    def __hash__(self) -> int:
        return hash(self._whole)
