"""Footnotes that differ in their amounts alone become one that gives the range: ten lines of one kind hide the eleventh."""

import re
from collections.abc import Iterable, Mapping, Sequence

_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
# An amount has its unit or noun behind it, or ends a remark in brackets; "HTTP 500" and "num_ctx 4096:" are names.
_AMOUNT = re.compile(rf"(?<![\w.:/-])(?<!HTTP )({_NUMBER})(?: to ({_NUMBER}))?(?=\)| [a-zA-Z%])")
_PLURAL = re.compile(r"# ([a-z]+)s\b")
_ONE_VISIT = ("visit ", "visits ")  # what was noted at single visits begins with their numbers


def merged(sentences: Iterable[str]) -> Mapping[str, str]:
    """Sentence -> the sentence that stands for it and for all that differ from it in amounts alone."""
    alike: dict[str, list[str]] = {}
    for one in dict.fromkeys(sentences):
        alike.setdefault(_pattern(one), []).append(one)
    return {one: _range(group) for group in alike.values() for one in group}


def _pattern(sentence: str) -> str:
    return sentence if sentence.startswith(_ONE_VISIT) else _PLURAL.sub(r"# \1", _blank(sentence))


def _blank(sentence: str) -> str:
    return _AMOUNT.sub("#", sentence)


def _range(group: Sequence[str]) -> str:
    """A sentence with each amount replaced by the span of that amount over the group."""
    if len(group) == 1:
        return group[0]
    whole = max(group, key=lambda one: len(_blank(one)))  # the one with the plurals
    spans = zip(*([_ends(found) for found in _AMOUNT.finditer(one)] for one in group), strict=True)
    words = iter([_span(end for ends in column for end in ends) for column in spans])
    return _AMOUNT.sub(lambda _: next(words), whole)


def _ends(found: re.Match[str]) -> tuple[str, str]:
    low, high = found.groups()
    return low, high or low


def _span(ends: Iterable[str]) -> str:
    ordered = sorted(ends, key=lambda one: float(one.replace(",", "")))
    least, most = ordered[0], ordered[-1]
    return least if least == most else f"{least} to {most}"
