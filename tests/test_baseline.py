"""A baseline: written for git, read back with every fault a sentence; and JSON exports of runs."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from builders import a_run, card, cell, record, visits
from comparisons import side, side_cell
from records import a_record

from olbench import baseline, checked, sides
from olbench.analysis import analyse
from olbench.compare import compare
from olbench.differences import Comparison, Side
from olbench.errors import UsageError
from olbench.report.exports import as_json

CTX = cell(num_ctx=4096, think="low", options=(("seed", 1), ("stop", ("a", "b")), ("use_mmap", True)))
OWN = cell(prompt_tokens=None, think=None, quantization="q8_0")


def made() -> Side:
    return side(
        "run 1",
        [
            side_cell({"decode": (51.98472, 50.0, 1e-15), "ram_peak": (294_662_244.0,)}, of=CTX, label="×1"),
            side_cell({}, of=OWN, label="通义千问 <b>&amp;</b>", marked=3),
        ],
        facts={"server.version": "0.33.0", "cpu.boost": True, "cpu.governor": None, "ram.total": 25274793984},
        models={"smollm2:135m": {"digest": "a" * 64, "system": "none"}},
        settings={"repeats": 3, "margin.decode": 0.02, "system": None},
    )


TEXT = """{
 "at": "2026-11-22T22:02:56Z",
 "cells": [
  {
   "cell": {"api": "chat", "base": "smollm2:135m", "cache": "cold", "concurrency": 1, "id": "%s", "model": "smollm2:135m", \
"num_ctx": 4096, "options": {"seed": 1, "stop": ["a", "b"], "use_mmap": true}, "output_tokens": 8, "prompt_tokens": 64, \
"quantization": null, "think": "low"},
   "label": "×1",
   "marked": 0,
   "samples": {"decode": 30, "ram_peak": 10},
   "visits": {
    "decode": [51.9847, 50, 1e-15],
    "ram_peak": [294662000]
   }
  }
 ],
 "facts": {},
 "models": {},
 "name": "run 1",
 "olbench": "0.1.0",
 "olbench_baseline": 1,
 "scenario": "quickstart",
 "settings": {}
}
"""


# --- out ------------------------------------------------------------------------------------------------------


def test_a_baseline_has_sorted_keys_and_a_line_for_each_list_of_visits() -> None:
    small = replace(made(), cells=made().cells[:1], facts={}, models={}, settings={})
    assert baseline.dump(small) == TEXT % CTX.id


def test_what_is_read_back_is_what_was_written() -> None:
    found = baseline.load(baseline.dump(made()), "baseline.json")
    numbers = {"decode": (51.9847, 50.0, 0.0), "ram_peak": (294_662_000.0,)}
    expected = replace(
        made(), name="baseline.json", cells=(replace(made().cells[0], visits=numbers), made().cells[1])
    )
    assert found == expected
    assert [one.cell for one in found.cells] == [CTX, OWN]
    assert baseline.load(baseline.dump(found), "baseline.json") == found


def test_a_changed_figure_is_one_changed_line() -> None:
    first = made().cells[0]
    other = replace(first, visits={**first.visits, "decode": (40.0, 41.0, 42.0)})
    lines = [
        baseline.dump(one).splitlines() for one in (made(), replace(made(), cells=(other, made().cells[1])))
    ]
    changed = [pair for pair in zip(*lines, strict=True) if pair[0] != pair[1]]
    assert changed == [('    "decode": [51.9847, 50, 1e-15],', '    "decode": [40, 41, 42],')]


def test_names_with_signs_of_a_terminal_are_written_as_they_can_be_read() -> None:
    hostile = side("run\n1\x1b[2J", [], scenario="a\ud800b", models={"x\u202ey": {"digest": "d\0"}})
    found = baseline.load(baseline.dump(hostile), "bad\x1b.json")
    assert (found.name, found.scenario) == ("bad\ufffd.json", "a\ufffdb")
    assert found.models == {"x\ufffdy": {"digest": "d\ufffd"}}
    baseline.dump(hostile).encode()


def test_a_run_becomes_a_baseline_and_is_equivalent_to_it() -> None:
    of = cell()
    rates = [50.0, 50.2, 49.9, 50.1]
    run = sides.of_findings(analyse(record([of], visits(of, rates))))
    told = compare(baseline.load(baseline.dump(run), "baseline.json"), run)
    assert told.unlike == ()
    assert {one.verdict for one in told.pairs[0].differences} == {"equivalent"}


# --- exports --------------------------------------------------------------------------------------------------


def test_an_export_of_a_run_is_the_side_that_the_run_is() -> None:
    found = analyse(a_record())
    # 通义千问 and markup go through; a few figures are the rest of a subtraction, and read as 0.
    read = baseline.load(as_json.dump(found), "run.json")
    direct = sides.of_findings(found)
    assert baseline.dump(replace(read, name=direct.name)) == _without_dust(baseline.dump(direct))


def _without_dust(text: str) -> str:
    return baseline.dump(replace(baseline.load(text, "x"), name=json.loads(text)["name"]))


def test_an_export_keeps_prompts_and_credentials_to_itself() -> None:
    of = cell()
    run = a_run(settings={
        "system": "You are\na pirate.", "format": '{"type":\n"object"}', "server.url": "http://a:b@host:1", "seed": 1,
    })  # fmt: skip
    pirate = card("smollm2:135m", system="Speak\nlike one.", parameters=(("stop", "\n"), ("stop", "</s>")))
    found = analyse(record([of], visits(of, [50.0]), run=run, cards=(pirate,)))
    read, direct = baseline.load(as_json.dump(found), "run.json"), sides.of_findings(found)
    assert (read.settings, read.models, read.facts) == (direct.settings, direct.models, direct.facts)
    assert "pirate" not in baseline.dump(read)
    assert "a:b@" not in baseline.dump(read)


def test_an_export_of_before_visits_were_marked_is_read() -> None:
    of = cell()
    document = as_json.document(analyse(record([of], visits(of, [50.0, 51.0]))))
    for one in document["cells"]:
        del one["judged"], one["marked"]
    (read,) = baseline.load(json.dumps(document), "old.json").cells
    assert (len(read.visits["decode"]), read.marked) == (2, 0)


# --- faults ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", ("f.json: line 1 is no JSON (Expecting value); a file that `olbench baseline save RUN FILE` or "
             "`olbench export RUN --format json` wrote would do")),
        ('{\n<<<<<<< HEAD\n "a": 1', ("f.json: line 2 is no JSON (Expecting property name enclosed in double quotes); the "
                                    "file without the marks of a merge would do")),
        ("[]", "f.json: the file holds a list; a baseline or a JSON export of a run would do"),
        ("null", "f.json: the file holds null; a baseline or a JSON export of a run would do"),
        ("{}", ("f.json: it is neither a baseline nor a JSON export of a run; `olbench baseline save` makes the one, "
               "`olbench export RUN --format json` the other")),
        ('{"a": NaN}', "f.json: it holds no JSON (NaN is no number); a file that olbench wrote would do"),
        ("[" * 100_000, "f.json: it is nested too deeply; a file that olbench wrote would do"),
        ('{"olbench_baseline": 2}', ("f.json: it is a baseline of format 2, and this olbench reads 1; a newer olbench would "
                                    "do, or `olbench baseline save RUN FILE` makes it anew")),
        ('{"olbench_baseline": 0}', ("f.json: it is a baseline of format 0, and this olbench reads 1 and later; "
                                    "`olbench baseline save RUN FILE` makes it anew")),
        ('{"olbench_baseline": "1"}', 'f.json: olbench_baseline is "1"; a whole number of at least 0 would do'),
        ('{"olbench_baseline": true}', "f.json: olbench_baseline is true; a whole number of at least 0 would do"),
        ('{"olbench_baseline": 1}', 'f.json: "at" is missing at its top; the whole file would do'),
        ('{"schema": "olbench/2"}', ('f.json: its schema is "olbench/2", and this olbench reads "olbench/1"; '
                                    "`olbench export RUN --format json` of this olbench would do")),
        ('{"schema": "olbench/1"}', 'f.json: "run" is missing at its top; the whole file would do'),
        ('{"schema": ["olbench/1"]}', "f.json: schema is a list; a text in one line of at most 500 characters would do"),
    ],
)  # fmt: skip
def test_what_is_no_baseline_is_refused_in_a_sentence(text: str, fault: str) -> None:
    with pytest.raises(UsageError) as caught:
        baseline.load(text, "f.json")
    assert caught.value.faults == (fault,)


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(UsageError, match=r"f\.json: it holds no JSON"):
        baseline.load(f'{{"olbench_baseline": {"9" * 5000}}}', "f.json")


Document = dict[str, Any]


def visits_of(document: Document) -> Document:
    found: Document = document["cells"][0]["visits"]
    return found


def cell_of(document: Document) -> Document:
    found: Document = document["cells"][0]["cell"]
    return found


NUMBER = "a number of at most 1e+18 would do"
LINE = "a text in one line of at most 500 characters would do"
FACT = "a text, a number, true, false or null would do"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda of: of.update(at=1), f"at is 1; {LINE}"),
        (lambda of: of.update(scenario="a\nb"), f'scenario is "a\\nb"; {LINE}'),
        (lambda of: of.update(olbench="\x1b[31mred"), f'olbench is "\\u001b[31mred"; {LINE}'),
        (lambda of: of.update(scenario="x" * 501), f'scenario is "{"x" * 39}…; {LINE}'),
        (lambda of: of.update(cells={}), "cells is an object; a list would do"),
        (lambda of: of.update(cells=[1]), "cells[0] is 1; an object would do"),
        (lambda of: of.update(facts=[]), "facts is a list; an object would do"),
        (lambda of: of["facts"].update({"a": {}}), f"facts.a is an object; {FACT}"),
        (lambda of: of["facts"].update({"a": 10**30}), f"facts.a is {10**30}; {FACT}"),
        (lambda of: of["settings"].update({"a": "b\0"}), f'settings.a is "b\\u0000"; {LINE}'),
        (lambda of: of["models"].update({"m": "d"}), 'models.m is "d"; an object would do'),
        (lambda of: of["models"].update({"m\x1b": {}}), f'a key of models is "m\\u001b"; {LINE}'),
        (lambda of: of["cells"][0].pop("visits"), '"visits" is missing in cells[0]; the whole file would do'),
        (lambda of: of["cells"].append(of["cells"][0]), "cells holds a cell twice; each once would do"),
        (lambda of: of["cells"][0].update(marked=-1), "cells[0].marked is -1; a whole number of at least 0 would do"),
        (lambda of: of["cells"][0]["samples"].update(decode=1.5),
         "cells[0].samples.decode is 1.5; a whole number of at least 0 would do"),
        (lambda of: visits_of(of).update(decode=50.0), "cells[0].visits.decode is 50.0; a list would do"),
        (lambda of: visits_of(of).update(decode=[1, "2"]), f'cells[0].visits.decode[1] is "2"; {NUMBER}'),
        (lambda of: visits_of(of).update(decode=[None]), f"cells[0].visits.decode[0] is null; {NUMBER}"),
        (lambda of: visits_of(of).update(decode=[True]), f"cells[0].visits.decode[0] is true; {NUMBER}"),
        (lambda of: visits_of(of).update(decode=[-1e19]), f"cells[0].visits.decode[0] is -1e+19; {NUMBER}"),
        (lambda of: visits_of(of).update(decode=[10**400]), f"cells[0].visits.decode[0] is 1{'0' * 39}…; {NUMBER}"),
        (lambda of: cell_of(of).update(id="../../etc"), 'cells[0].cell.id is "../../etc"; twelve hex digits would do'),
        (lambda of: cell_of(of).update(api="/api/chat"),
         'cells[0].cell.api is "/api/chat"; "generate" or "chat" would do'),
        (lambda of: cell_of(of).update(api=["chat"]), 'cells[0].cell.api is a list; "generate" or "chat" would do'),
        (lambda of: cell_of(of).update(num_ctx=0), "cells[0].cell.num_ctx is 0; a whole number of at least 1 would do"),
        (lambda of: cell_of(of).update(num_ctx=2**70),
         f"cells[0].cell.num_ctx is {2**70}; a whole number of at least 1 would do"),
        (lambda of: cell_of(of).update(concurrency="4"),
         'cells[0].cell.concurrency is "4"; a whole number of at least 1 would do'),
        (lambda of: cell_of(of).update(think=1), f"cells[0].cell.think is 1; {LINE}"),
        (lambda of: cell_of(of).update(options={"stop": [1]}), f"cells[0].cell.options.stop[0] is 1; {LINE}"),
        (lambda of: cell_of(of).update(options={"seed": None}),
         "cells[0].cell.options.seed is null; a text, a number, true, false or a list of texts would do"),
        (lambda of: cell_of(of).update(options={"seed": {}}), f"cells[0].cell.options.seed is an object; {FACT}"),
    ],
)  # fmt: skip
def test_a_fault_says_where_what_and_what_would_do(change: Callable[[Document], object], fault: str) -> None:
    document = json.loads(baseline.dump(made()))
    change(document)
    with pytest.raises(UsageError) as caught:
        baseline.load(json.dumps(document), "f.json")
    assert caught.value.faults == (f"f.json: {fault}",)


def test_infinity_by_way_of_a_large_exponent_is_no_figure() -> None:
    text = baseline.dump(made()).replace("51.9847", "1e999")
    with pytest.raises(UsageError, match=r"cells\[0\].visits.decode\[0\] is Infinity; a number of at most"):
        baseline.load(text, "f.json")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda of: of["cells"][0].update(id="0" * 12),
         'cells[0].id is "000000000000"; the id of a cell in plan.cells would do'),
        (lambda of: of["cells"][0].update(judged="yes"), 'cells[0].judged is "yes"; true or false would do'),
        (lambda of: of["cells"][0].update(marked=3), "cells[0].marked is 3; an object would do"),
        (lambda of: of["cells"][0]["summaries"]["decode"].update(per_visit="50"),
         'cells[0].summaries.decode.per_visit is "50"; a list would do'),
        (lambda of: of["plan"].pop("cells"), '"cells" is missing in plan; the whole file would do'),
        (lambda of: of["cards"][0].update(digest=1), f"cards[0].digest is 1; {LINE}"),
        (lambda of: of["cards"][0].update(parameters=["a"]), 'cards[0].parameters[0] is "a"; a list would do'),
        (lambda of: of["run"].update(settings=None), '"settings" is missing in run; the whole file would do'),
    ],
)  # fmt: skip
def test_a_fault_of_an_export_is_said_in_the_same_way(
    change: Callable[[Document], object], fault: str
) -> None:
    of = cell()
    document = as_json.document(analyse(record([of], visits(of, [50.0, 51.0]))))
    change(document)
    with pytest.raises(UsageError) as caught:
        baseline.load(json.dumps(document), "f.json")
    assert caught.value.faults == (f"f.json: {fault}",)


def test_a_figure_that_a_summary_has_not_is_passed_over() -> None:
    of = cell()
    document = as_json.document(analyse(record([of], visits(of, [50.0, 51.0]))))
    document["cells"][0]["summaries"]["decode"]["per_visit"] = [None, 51.0]
    document["cells"][0]["summaries"]["a new metric"] = document["cells"][0]["summaries"]["decode"]
    (read,) = baseline.load(json.dumps(document), "f.json").cells
    assert read.visits["decode"] == (51.0,)
    assert "a new metric" not in read.visits


def test_a_figure_that_is_none_is_not_written() -> None:
    with pytest.raises(ValueError, match="inf is no figure"):
        baseline.dump(side("run 1", [side_cell({"decode": (float("inf"),)})]))


def test_a_name_that_is_too_long_is_cut() -> None:
    assert len(checked.one_line("x" * 1000)) == 500


HOSTILE: tuple[Any, ...] = (
    *(None, True, -1, 0, 1e-300, 1e18, -1e18, 10**40, 0.5, "", "x", "a\nb", "\ud800", "9" * 600),
    *([], [1, 2, 3], [1e18, 1e-12, 1.0], {}, {"a": 1}, {"": None}, [[]], "<script>", "margin.decode"),
)


def test_whatever_stands_in_a_file_it_is_read_or_refused_in_a_sentence() -> None:
    random = Random(20261123)
    export = as_json.document(analyse(record([CTX], visits(CTX, [50.0, 51.0, 52.0]))))
    export["visits"] = []
    for text in [baseline.dump(made()), json.dumps(export)] * 300:
        document = json.loads(text)
        for _ in range(random.randint(1, 3)):
            _spoil(document, random)
        found = _compared(json.dumps(document))
        assert all(one.isprintable() for one in found) if isinstance(found, tuple) else found.pairs


def _compared(text: str) -> Comparison | tuple[str, ...]:
    """The comparison with a whole baseline, or the sentences that refuse it."""
    try:
        read = baseline.load(text, "f.json")
        baseline.load(baseline.dump(read), "f.json")
        return compare(read, made())
    except UsageError as fault:
        return fault.faults


def _spoil(document: Any, random: Random) -> None:
    """Put something else in some place."""
    while True:
        keys = list(document) if isinstance(document, dict) else list(range(len(document)))
        if not keys:
            return
        key = random.choice(keys)
        if not isinstance(document[key], dict | list) or not document[key] or random.random() < 0.1:
            document[key] = deepcopy(random.choice(HOSTILE))
            return
        document = document[key]
