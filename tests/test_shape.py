"""The house's shape: imports point upwards, taking and telling do not meet, each library has one door."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "olbench"

# A part imports only from parts above it. `asked` and `taken` may not be imported by `told`, nor the other way.
WORDS = (
    "errors",
    "units",
    "clock",
    "readings",
    "machines",
    "arrival",
    "model",
    "slo",
    "thresholds",
    "gates",
    "ports",
    "kv",
    "weights",
    "metric_keys",
    "ab_keys",
    "size_keys",
)
ASKED = (
    *("address", "options", "grid", "quantization"),
    *("scenario_lines", "scenario_text", "scenario_values", "scenario_load_keys", "scenario_keys"),
    *("scenario_check", "scenario_load", "scenario_load_rules", "scenario_rules", "scenario_server"),
    *("scenario", "trace"),
    *("plan_models", "plan_notes", "plan_words", "plan", "blocks", "gauge", "estimate"),
    *("passages_en_words", "passages_zh_words", "passages_en", "passages_zh", "passages"),
    *("calibrate", "batch", "workload"),
)
TAKEN = (
    "apis",
    "engines",
    "probes",
    "watch",
    "prepare",
    "hopeless",
    "ahead",
    "drive",
    "selftest_steps",
    "selftest",
    "lengths",
    "slot_probe",
    "bench",
    "voices",
    "underload",
    "lookback",
    "visit",
    "rounds",
    "run",
    "alternate",
)
KEPT = ("store_columns", "store_later", "store_values", "store_schema", "store")
FINDINGS = ("findings", "differences", "sized")
TOLD = (
    *("prose", "series", "column", "sample_columns", "sample_metrics", "parts", "visit_metrics", "causes"),
    *("metrics", "slots", "prefills", "together", "served", "gist", "cachestate", "timesheet", "labels"),
    *(
        "stats",
        *("service", "portions"),
        "steady",
        "roof",
        "accuracy",
        "phases",
        "validity",
        "contest",
        "costs",
        "kept",
        "answer",
        "analysis",
        *(
            "checked",
            "sides",
            "baseline_load",
            "baseline",
            "setup",
            "margins",
            "pairing",
            "compare",
            "paired",
        ),
        *("glance", "history"),
        *("footprint_lines", "footprint_loads", "footprint"),
        *("cost_terms", "cost_points", "cost_beyond", "cost_model"),
        *("queueing", "crowd", "observed", "bottleneck", "forecast"),
        *("published", "elsewhere"),
        "seek",
        *("binding", "sizing_words", "sizing"),
        "report",
    ),
)
SHELL = ("live", "verbs", "cli_options", "cli_compare", "cli_sizing", "cli", "__main__")
ROWS = (*WORDS, *ASKED, *TAKEN, *KEPT, *FINDINGS, *TOLD, *SHELL)

# Library -> the parts that may import it.
DOORS = {
    "httpx": {"apis"},
    "httptools": {"apis"},
    "sqlite3": {"store"},
    "tomllib": {"scenario_text", "scenario_lines", "machines"},
    "msgspec": {"scenario_values", "scenario_keys", "scenario_check", "trace", "apis", "store_values"},
    "psutil": {"probes", "engines"},
    "pynvml": {"probes"},
    "aiohttp": {"engines"},
    "xllamacpp": {"engines"},
    "gguf": {"engines"},
    "scipy": {"stats", "steady"},
    "matplotlib": {"report"},
    "jinja2": {"report"},
    "click": {"cli_options", "cli_compare", "cli_sizing", "cli", "verbs"},
    "rich": {"live", "verbs"},
    # numpy is the language of the telling half; the engine's requantization speaks it too.
    "numpy": {
        *(
            "series",
            "column",
            "sample_columns",
            "sample_metrics",
            "parts",
            "visit_metrics",
            "causes",
            "metrics",
        ),
        *(
            "slots",
            "gist",
            "prefills",
            "cachestate",
            "timesheet",
            "stats",
            "steady",
            "roof",
            "phases",
            "validity",
            "kept",
            "analysis",
            "compare",
            *("served", "service", "portions"),
            *("together", "cost_points", "cost_beyond", "cost_model", "observed", "forecast", "binding"),
        ),
        *("report", "engines", "probes"),
    },
}
# Clocks beside olbench.clock, each for a time that is not the run's: CPU time, kernel stamps' offset, a server's date.
TIME_DOORS = {
    "olbench.clock",
    "olbench.apis.stamps",
    "olbench.apis.wire",
    "olbench.engines.wall",
    "olbench.engines.fetch",
    "olbench.probes.host",
    "olbench.watch",
    "olbench.selftest",
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted(SOURCE.rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts).removesuffix(".__init__"), ast.parse(file.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "olbench":
            yield from (f"olbench.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def part(module: str) -> str:
    return [*module.split("."), ""][1]


def test_every_part_has_its_row() -> None:
    parts = {part(name) for name, _ in modules()} - {""}
    assert parts == set(ROWS)
    assert len(ROWS) == len(set(ROWS))


def test_imports_point_upwards() -> None:
    for name, tree in modules():
        for other in imported(tree):
            above = part(other)
            if not other.startswith("olbench.") or above in ("__version__", part(name)):
                continue
            assert ROWS.index(above) < ROWS.index(part(name)), f"{name} imports {other} from below"


def test_taking_and_telling_meet_only_in_the_model_and_the_store() -> None:
    for name, tree in modules():
        for other in imported(tree):
            if part(name) in TOLD:
                assert part(other) not in (*ASKED, *TAKEN, *KEPT), f"{name} imports {other}"
            if part(name) in (*ASKED, *TAKEN):
                assert part(other) not in (*FINDINGS, *TOLD), f"{name} imports {other}"


def test_each_library_has_one_door() -> None:
    for name, tree in modules():
        for other in imported(tree):
            library = other.split(".")[0]
            if library in DOORS:
                assert part(name) in DOORS[library], f"{name} imports {library}"
            elif library == "time":
                assert name in TIME_DOORS, f"{name} imports time"
            else:
                assert library == "olbench" or library in sys.stdlib_module_names, f"{library} has no door"


def test_the_command_line_loads_nothing_heavy_before_a_verb_is_called() -> None:
    heavy = {
        "numpy",
        "scipy",
        "matplotlib",
        "jinja2",
        "httpx",
        "rich",
        "psutil",
        "pynvml",
        "msgspec",
        "asyncio",
    }
    trees = dict(modules())
    seen, waiting = set[str](), ["olbench.__main__"]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in trees:
            continue
        seen.add(name)
        # What a function imports is loaded when it is called; only the module's own level counts here.
        top = ast.Module(
            [one for one in trees[name].body if isinstance(one, ast.Import | ast.ImportFrom)], []
        )
        found = set(imported(top))
        assert not {one.split(".")[0] for one in found} & heavy, name
        waiting.extend(found)
    assert "olbench.cli" in seen


def test_files_stay_readable() -> None:
    for folder, most in (
        (SOURCE, 320),
        (ROOT / "tests", 480),
    ):  # a test's tables are long, its functions short
        for file in folder.rglob("*.py"):
            length = len(file.read_text(encoding="utf-8").splitlines())
            assert length <= most, f"{file.name} has {length} lines"
