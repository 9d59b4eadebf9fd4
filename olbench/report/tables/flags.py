"""Footnotes: what a check found, once however many cells it concerns, and what the reader can do about it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from olbench.findings import Findings, Flag
from olbench.prose import distinct
from olbench.report.amounts import merged
from olbench.report.wording import plain


def actions(flags: Iterable[Flag], told: Mapping[str, str]) -> Mapping[str, str]:
    """Footnote -> what to do about it; `told` has the footnote that stands for each flag's sentence."""
    due: dict[str, dict[str, None]] = {}
    for flag in flags:
        if flag.action:
            due.setdefault(told[plain(flag.sentence)], {})[plain(flag.action)] = None
    return {note: " ".join(distinct(merged(own).values())) for note, own in due.items()}


def once(asked: Sequence[str]) -> tuple[str, ...]:
    """The actions of numbered footnotes; one that has been said before is referred to by its number."""
    firsts: dict[str, int] = {}
    for place, action in enumerate(asked, 1):
        firsts.setdefault(action, place)
    return tuple(
        action if not action or firsts[action] == place else f"as for {firsts[action]}"
        for place, action in enumerate(asked, 1)
    )


def of_run(findings: Findings) -> tuple[Flag, ...]:
    """What concerns the whole run, each sentence once, fit to be shown."""
    firsts: dict[str, Flag] = {}
    for one in findings.flags:
        firsts.setdefault(one.sentence, one)
    return tuple(
        replace(one, sentence=plain(one.sentence), action=plain(one.action)) for one in firsts.values()
    )
