"""A side of a comparison, made of a run: what each sound visit gave, and what a set-up is told apart by."""

import hashlib
import re
from pathlib import PurePath

from olbench.checked import one_line
from olbench.differences import Side, SideCell
from olbench.findings import CellFinding, Findings
from olbench.gist import is_cold
from olbench.metrics import METRICS
from olbench.model import Fact, Facts, ModelCard

# Of cold requests only their load is a figure of its own: the rest is the same once more, with the load in it.
METRICS_KEPT = tuple(key for key, row in METRICS.items() if key == "load" or not is_cold(row))
# What is different every time, or names folders of this machine.
_NOT_KEPT = re.compile(r"\.(?:pid|started|log_dir)(?:\.before)?$")
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]*@")
# Settings whose text may be long, or nobody's business: what tells them apart is kept.
_HASHED = ("system", "format")
_SHORT = ("json",)
NONE = "none"


def of_findings(found: Findings) -> Side:
    """The side that a run makes."""
    run = found.record.run
    return Side(
        name=f"run {run.id}",
        at=run.started_at,
        olbench=run.olbench,
        scenario=run.name,
        facts=facts(found.record.facts),
        models={card.name: model(card) for card in found.record.cards},
        settings=settings(run.settings),
        cells=tuple(_cell(one) for one in found.cells),
    )


def facts(known: Facts) -> Facts:
    """Facts that may stand in a file for others: no credentials, no folders, no numbers of processes."""
    return {name: _plain(value) for name, value in known.items() if not _NOT_KEPT.search(name)}


def settings(known: Facts) -> Facts:
    """What a scenario came to, with long texts as what tells them apart, and files by their name alone."""
    found = facts(known)
    for name in _HASHED:
        text = known.get(name)
        if isinstance(text, str) and text not in _SHORT and not text.startswith("sha256:"):
            found[name] = hashed(text)
    if isinstance(file := known.get("file"), str):
        found["file"] = one_line(PurePath(file).name)
    return found


def model(card: ModelCard) -> Facts:
    """What makes a model this model."""
    return {
        "digest": card.digest,
        "template": card.template_sha256,
        "quantization": card.quantization,
        "parameters": one_line("; ".join(" ".join(one) for one in card.parameters)) or NONE,
        "system": hashed(card.system) if card.system else NONE,
    }


def hashed(text: str) -> str:
    """What tells a text apart, and nothing of it."""
    return f"sha256:{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:12]}"


def _plain(value: Fact) -> Fact:
    return one_line(_CREDENTIALS.sub("", value)) if isinstance(value, str) else value


def _cell(found: CellFinding) -> SideCell:
    """Nothing of a cell that is not fit to be judged: every visit to it was disturbed, or none gave anything."""
    kept = {
        key: summary
        for key in METRICS_KEPT
        if found.judged and (summary := found.summaries.get(key)) is not None and summary.per_visit
    }
    return SideCell(
        cell=found.cell,
        label=found.label,
        visits={key: one.per_visit for key, one in kept.items()},
        marked=len(found.marked),
        samples={key: one.samples for key, one in kept.items()},
    )
