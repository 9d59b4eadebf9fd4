"""A comparison as JUnit XML: one test case a cell and metric; slower fails, what cannot be told is skipped.

It keeps to what the schemas of Ant's junitreport and of Jenkins' xUnit plug-in have in common.
"""

import re

# What is written here is never read here.
from xml.etree import ElementTree as ET

from olbench.differences import Comparison
from olbench.report.tables.compared import Change, Compared, Whole, whole

_NO_TIME = "0"  # the measuring took its time in the runs that are compared
_ZONE = re.compile(r"(\.\d+)?(Z|[+-]\d\d:\d\d)?$")
_NEVER = "1970-01-01T00:00:00"
_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}")


def dump(made: Comparison) -> str:
    """One suite that holds every verdict."""
    told = whole(made)
    changes = [change for one in told.pairs for change in one.changes]
    root = ET.Element("testsuites")
    suite = ET.SubElement(
        root,
        "testsuite",
        {
            "id": "0",
            "package": "olbench",
            "name": told.title or "comparison",
            "timestamp": _stamp(made.new.at),
            "hostname": "localhost",  # whose machine it was is nobody's business
            "tests": str(len(changes)),
            "failures": str(sum(one.verdict == "slower" for one in changes)),
            "errors": "0",
            "skipped": str(sum(one.verdict == "cannot tell" for one in changes)),
            "time": _NO_TIME,
        },
    )
    _properties(suite, told)
    for one in told.pairs:
        for change in one.changes:
            _case(suite, one, change)
    ET.SubElement(suite, "system-out").text = _said(told)
    ET.SubElement(suite, "system-err").text = "\n".join(told.notes)
    ET.indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _stamp(at: str) -> str:
    """The moment without its time zone, which the schema does not allow."""
    bare = _ZONE.sub("", at)
    return bare if _STAMP.fullmatch(bare) else _NEVER


def _properties(suite: ET.Element, told: Whole) -> None:
    holder = ET.SubElement(suite, "properties")
    for name, origin in zip(("base", "new"), told.origins, strict=True):
        ET.SubElement(holder, "property", {"name": name, "value": origin})
    for one in told.unlike:
        ET.SubElement(holder, "property", {"name": f"base: {one.what}", "value": one.base})
        ET.SubElement(holder, "property", {"name": f"new: {one.what}", "value": one.new})


def _case(suite: ET.Element, pair: Compared, one: Change) -> None:
    # Readers split a class name at its dots, and a label may hold some.
    named = {"classname": f"olbench.{pair.label.replace('.', '_')}", "name": one.name, "time": _NO_TIME}
    case = ET.SubElement(suite, "testcase", named)
    if one.verdict == "slower":
        ET.SubElement(case, "failure", {"type": one.word, "message": _message(one)}).text = _details(one)
    elif one.verdict == "cannot tell":
        ET.SubElement(case, "skipped", {"message": one.reason or _message(one)})


def _message(one: Change) -> str:
    interval = f" ({one.interval})" if one.interval else ""
    return f"{one.name}: {one.word}, {one.change}{interval}"


def _details(one: Change) -> str:
    return (
        f"base {one.base} {one.unit}, new {one.new} {one.unit}; differences within {one.margin} count as none; "
        f"a change from {one.detectable} on would have been seen"
    )


def _said(told: Whole) -> str:
    alone = [f"only on one side: {one}" for one in told.alone]
    return "\n".join(filter(None, (told.verdict, told.across, *alone, *told.remarks)))
