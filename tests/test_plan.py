"""Plans: cells, their order, and what stands against them."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from cards import PLAIN, THINKER, installed

from olbench import plan, scenario
from olbench.errors import UsageError
from olbench.model import Cell, ModelCard, Plan, Visit

SHORT = 'question = "Which?"\n[sweep]\n'
ONE = SHORT + 'model = "llama3.2:3b"\n'


def expand(text: str, catalog: Sequence[ModelCard] = (PLAIN,), own_prompts: int = 0) -> Plan:
    return plan.expand(scenario.parse(text, path="a.toml", environ={}), catalog, own_prompts)


def faults(text: str, catalog: Sequence[ModelCard] = (PLAIN,)) -> tuple[str, ...]:
    with pytest.raises(UsageError) as caught:
        expand(text, catalog)
    return caught.value.faults


def visited(made: Plan) -> list[Cell]:
    cells = {cell.id: cell for cell in made.cells}
    return [cells[visit.cell] for visit in made.visits]


def loads(made: Plan) -> int:
    """How often a server has to load when it goes through the plan, keeping what it has."""
    keys = [plan.load_key(cell) for cell in visited(made)]
    return 1 + sum(before != after for before, after in pairwise(keys))


# --- cells ----------------------------------------------------------------------------------------------------


def test_a_cell_holds_all_that_is_sent() -> None:
    (cell,) = expand(ONE + "num_batch = 256\nstop = ['x']\n[measure]\nseed = 7\n").cells
    assert cell == Cell(
        id=cell.id,
        model="llama3.2:3b",
        base="llama3.2:3b",
        quantization="Q4_K_M",
        api="chat",
        num_ctx=4096,
        concurrency=1,
        prompt_tokens=256,
        output_tokens=128,
        think=None,
        cache="cold",
        options=(("num_batch", 256), ("seed", 7), ("stop", ("x",)), ("temperature", 0.0)),
    )


def test_cells_stand_in_the_order_of_the_file_less_what_is_excluded() -> None:
    made = expand(
        ONE
        + "concurrency = [2, 1]\nnum_ctx = [8192, 2048]\nexclude = [{ num_ctx = 8192, concurrency = [2, 4] }]\n"
    )
    assert [(cell.concurrency, cell.num_ctx) for cell in made.cells] == [(2, 2048), (1, 8192), (1, 2048)]
    assert made.excluded == 1


def test_a_cells_id_comes_from_its_content_alone() -> None:
    first = expand(ONE + "num_ctx = [2048, 8192]\n").cells
    other = expand(
        'question = "Another?"\n[sweep]\nnum_ctx = 8192\nmodel = "llama3.2:3b"\n[measure]\nrepeats = 9\n'
    ).cells
    assert first[1].id == other[0].id
    assert first[0].id != first[1].id
    assert len(first[0].id) == 12
    assert int(first[0].id, 16) >= 0


def test_an_id_is_the_same_in_another_process() -> None:
    code = (
        "from cards import PLAIN; from olbench import plan, scenario;"
        f"made = plan.expand(scenario.parse({ONE!r}, path='a.toml', environ={{}}), [PLAIN]);"
        "print(made.cells[0].id, [visit.cell for visit in made.visits])"
    )
    path = [entry for entry in sys.path if entry.endswith("tests")]
    text = f"import sys; sys.path[:0] = {path!r}; {code}"
    ran = [
        subprocess.run(
            [sys.executable, "-c", text],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        )
        for seed in ("1", "2")
    ]
    made = expand(ONE)
    assert {one.stdout for one in ran} == {f"{made.cells[0].id} {[visit.cell for visit in made.visits]}\n"}


def test_swept_seed_and_temperature_take_the_place_of_the_defaults() -> None:
    made = expand(ONE + "seed = [0, 3]\ntemperature = 0.8\n[measure]\nseed = 7\n")
    assert [dict(cell.options)["seed"] for cell in made.cells] == [0, 3]
    assert dict(made.cells[0].options)["temperature"] == 0.8


def test_own_prompts_leave_the_length_open() -> None:
    (cell,) = expand(ONE + '[workload]\nfile = "p.jsonl"\ncache = "warm"\n', own_prompts=3).cells
    assert (cell.prompt_tokens, cell.cache) == (None, "warm")


def test_a_model_is_found_whatever_its_case_and_sent_as_the_server_has_it() -> None:
    (cell,) = expand(SHORT + 'model = "LLAMA3.2:3B"\n').cells
    assert (cell.model, cell.base) == ("llama3.2:3b", "LLAMA3.2:3B")


def test_a_quantization_chooses_the_tag_and_keeps_its_label() -> None:
    cards = installed("llama3.2:3b-instruct-q8_0=Q8_0", "llama3.2:3b=Q4_K_M")
    made = expand(ONE + 'quantization = ["q8_0", "q4_K_M"]\n', cards)
    assert [(cell.model, cell.base, cell.quantization) for cell in made.cells] == [
        ("llama3.2:3b-instruct-q8_0", "llama3.2:3b", "q8_0"),
        ("llama3.2:3b", "llama3.2:3b", "q4_K_M"),
    ]


@pytest.mark.parametrize(
    ("capabilities", "asked", "sent"),
    [
        (("completion", "thinking"), "", [False]),
        (("completion", "thinking"), 'think = [true, "low", false]', [True, "low", False]),
        (("completion",), "", [None]),
        (("completion",), "think = false", [None]),
        (None, "", [None]),
        (None, "think = true", [True]),
    ],
)
def test_think_is_sent_to_models_that_can(
    capabilities: tuple[str, ...] | None, asked: str, sent: list[bool | str | None]
) -> None:
    made = expand(ONE + asked + "\n", [replace(PLAIN, capabilities=capabilities)])
    assert [cell.think for cell in made.cells] == sent


# --- what stands against it -----------------------------------------------------------------------------------


def test_a_missing_model_is_listed_with_what_is_there_and_how_to_get_it() -> None:
    text = SHORT + 'model = ["llama3.2:3b", "qwen3:8b", "phi4; rm -rf /"]\n'
    assert faults(text) == (
        "a.toml: sweep.model: qwen3:8b is not installed; `ollama pull qwen3:8b` or `olbench run --pull` fetches it",
        (
            "a.toml: sweep.model: phi4; rm -rf / is not installed; `ollama pull 'phi4; rm -rf /'` or "
            "`olbench run --pull` fetches it"
        ),
        "a.toml: installed on this server: llama3.2:3b",
    )


def test_a_missing_tag_is_listed_with_what_is_there() -> None:
    (first, last) = faults(ONE + 'quantization = ["q4_K_M", "q8_0"]\n')
    assert first == (
        "a.toml: sweep.quantization: llama3.2:3b is not installed at q8_0 (installed of it: llama3.2:3b (Q4_K_M)); "
        "`ollama pull llama3.2:3b-instruct-q8_0` or `olbench run --pull` fetches it, "
        "a row of [quantizations] can name another tag"
    )
    assert last == "a.toml: installed on this server: llama3.2:3b"


def test_what_to_pull_is_told_beforehand() -> None:
    text = SHORT + 'model = ["llama3.2:3b", "gemma3:4b", "x:cloud"]\nquantization = ["q4_K_M", "q8_0"]\n'
    asked = scenario.parse(text, path="a.toml", environ={})
    assert plan.missing(asked, [PLAIN]) == (
        "llama3.2:3b-instruct-q8_0",
        "gemma3:4b-it-q4_K_M",
        "gemma3:4b-it-q8_0",
    )
    assert plan.used(asked, [PLAIN]) == ("llama3.2:3b",)
    assert plan.missing(scenario.parse(ONE, path="a.toml", environ={}), [PLAIN]) == ()


@pytest.mark.parametrize(
    ("text", "card", "fault"),
    [
        (
            ONE,
            replace(PLAIN, remote="https://ollama.com"),
            "sweep.model: llama3.2:3b runs in the cloud, where nothing can be measured; a local model would do",
        ),
        (
            SHORT + 'model = "big:120b-cloud"\n',
            PLAIN,
            "sweep.model: big:120b-cloud runs in the cloud, where nothing can be measured; a local model would do",
        ),
        (
            ONE,
            replace(PLAIN, capabilities=("embedding",)),
            "sweep.model: llama3.2:3b answers no prompts (it can: embedding); a chat model would do",
        ),
        (
            ONE + "think = [false, true]\n",
            PLAIN,
            (
                "sweep.think is true, but llama3.2:3b cannot think; false would do, or an exclude rule such as "
                '{ model = "llama3.2:3b", think = true }'
            ),
        ),
        (
            ONE + "num_ctx = 4096\nprompt_tokens = 2000\noutput_tokens = 100\n",
            replace(PLAIN, context_length=2048),
            (
                "sweep.model: llama3.2:3b has a context of 2048 tokens, too small for prompt and answer of 2100; "
                "fewer tokens, or an exclude rule for this model, would do"
            ),
        ),
    ],
)
def test_a_model_that_cannot_do_what_is_asked_is_a_fault(text: str, card: ModelCard, fault: str) -> None:
    assert faults(text, [card]) == (f"a.toml: {fault}",)


def test_an_exclude_rule_keeps_a_model_that_cannot_think_from_thinking() -> None:
    text = SHORT + (
        'model = ["llama3.2:3b", "qwen3:4b"]\nthink = [false, true]\n'
        'exclude = [{ model = "llama3.2:3b", think = true }]\n'
    )
    made = expand(text, [PLAIN, THINKER])
    assert [(cell.model, cell.think) for cell in made.cells] == [
        ("llama3.2:3b", None),
        ("qwen3:4b", False),
        ("qwen3:4b", True),
    ]


# --- notes ----------------------------------------------------------------------------------------------------


def test_parameters_of_the_model_lose_to_axes_and_apply_otherwise() -> None:
    own = (
        ("num_ctx", "1024"),
        ("num_predict", "50"),
        ("stop", '"<|im_end|>"'),
        ("temperature", "0.6"),
        ("top_k", "20"),
    )
    card = replace(PLAIN, name="smol-pirate:latest", parameters=own, system="Talk like a pirate.")
    made = expand(SHORT + 'model = "smol-pirate"\nnum_ctx = 2048\n', [card])
    assert made.notes == (
        "axis num_ctx wins over the model's own PARAMETER num_ctx 1024 (smol-pirate:latest)",
        "olbench's default output_tokens wins over the model's own PARAMETER num_predict 50 (smol-pirate:latest)",
        "olbench's default temperature wins over the model's own PARAMETER temperature 0.6 (smol-pirate:latest)",
        (
            "smol-pirate:latest has PARAMETERs of its own that apply to each of its requests: "
            'stop "<|im_end|>", top_k 20'
        ),
        "smol-pirate:latest has a system prompt of its own, which opens each of its requests",
    )


@pytest.mark.parametrize(
    ("text", "card", "note"),
    [
        (
            ONE + "num_ctx = [2048, 8192]\n",
            replace(PLAIN, context_length=4096),
            "num_ctx 8192 is above the 4096 that llama3.2:3b was trained for: the server gives 4096",
        ),
        (
            ONE + "num_ctx = 1024\n",
            replace(PLAIN, capabilities=("completion", "vision")),
            "num_ctx 1024 is below the 2048 that a vision model has at least: the server gives llama3.2:3b 2048",
        ),
        (
            ONE,
            replace(PLAIN, format="safetensors"),
            "llama3.2:3b runs in the MLX engine, which takes num_ctx as a hint: expect no effect of it",
        ),
        (
            ONE + "concurrency = [1, 4]\n",
            replace(PLAIN, family="qwen35"),
            "the server answers one request of llama3.2:3b at a time: concurrency above 1 measures its queue",
        ),
        (
            ONE + "concurrency = [1, 4]\n[server]\nparallel = 2\n",
            PLAIN,
            "concurrency 4 is above the server's 2 slots: it measures the queue too",
        ),
        (
            ONE,
            replace(THINKER, name="llama3.2:3b", family="gptoss"),
            'llama3.2:3b thinks whether think is true or false; "low", "medium" and "high" make a difference',
        ),
        (ONE + "exclude = [{ num_ctx = 99 }]\n", PLAIN, "sweep.exclude[0] takes nothing out"),
        (
            ONE + '[workload]\nsystem = "Be brief."\n',
            replace(PLAIN, system="Talk like a pirate."),
            "workload.system takes the place of the system prompt of llama3.2:3b",
        ),
    ],
)
def test_what_a_reader_must_know_is_noted_once(text: str, card: ModelCard, note: str) -> None:
    assert expand(text, [card]).notes == (note,)


def test_several_tags_that_fit_are_noted() -> None:
    cards = installed("m:3b-q8_0=Q8_0", "m:3b-mine=Q8_0")
    made = expand(SHORT + 'model = "m:3b"\nquantization = "q8_0"\n', cards)
    assert made.notes == ("m:3b at q8_0 is m:3b-q8_0; m:3b-mine would have fitted as well",)


def test_prompts_that_a_visit_does_not_reach_are_noted() -> None:
    made = expand(ONE + '[workload]\nfile = "p.jsonl"\n', own_prompts=24)
    assert made.notes == (
        "of 24 own prompts a visit's 8 requests ask only as many: measure.requests can be more",
    )


# --- order ----------------------------------------------------------------------------------------------------

TWO_BY_TWO = ONE + "num_ctx = [2048, 8192]\nconcurrency = [1, 2]\n"


def test_every_cell_is_visited_once_a_round() -> None:
    made = expand(TWO_BY_TWO + "[measure]\nrepeats = 4\n")
    assert [visit.seq for visit in made.visits] == list(range(16))
    for repeat in range(4):
        assert {visit.cell for visit in made.visits if visit.repeat == repeat} == {
            cell.id for cell in made.cells
        }
    assert [visit.repeat for visit in made.visits] == sorted(visit.repeat for visit in made.visits)


def test_the_same_seed_gives_the_same_order_and_another_seed_another() -> None:
    def order(seed: int) -> tuple[tuple[int, int], ...]:
        made = expand(f"{TWO_BY_TWO}[measure]\nrepeats = 5\nseed = {seed}\n")
        return tuple((cell.num_ctx, cell.concurrency) for cell in visited(made))

    assert order(1) == order(1)
    assert len({order(0), order(1), order(2)}) == 3


def test_a_model_is_not_loaded_again_without_need() -> None:
    # 2 contexts, 5 rounds: the first round loads twice, each later one begins with what is loaded.
    made = expand(TWO_BY_TWO + "[measure]\nrepeats = 5\n")
    assert loads(made) == 2 + 4
    # One load key: whatever the order, it is loaded once.
    assert loads(expand(ONE + "concurrency = [1, 2, 4]\ntemperature = [0, 1]\n")) == 1


def test_rounds_begin_and_end_with_different_cells() -> None:
    made = expand(ONE + "num_ctx = [1024, 2048, 4096, 8192]\n[measure]\nrepeats = 12\n")
    ends = {visit.cell for visit in made.visits if visit.seq % 4 == 3}
    assert len(ends) > 1


def test_load_time_options_and_context_need_a_load_and_others_do_not() -> None:
    made = expand(ONE + "num_gpu = [0, 9]\nnum_ctx = [2048, 4096]\ntop_k = [1, 2]\noutput_tokens = [8, 16]\n")
    assert len(made.cells) == 16
    assert {plan.load_key(cell) for cell in made.cells} == {
        ("llama3.2:3b", context, (("num_gpu", layers),)) for context in (2048, 4096) for layers in (0, 9)
    }


def test_listed_order_is_the_files_grouped_by_load() -> None:
    made = expand(
        ONE + 'concurrency = [1, 2]\nnum_ctx = [2048, 8192]\n[measure]\norder = "listed"\nrepeats = 2\n'
    )
    assert [(cell.num_ctx, cell.concurrency) for cell in visited(made)] == 2 * [
        (2048, 1),
        (2048, 2),
        (8192, 1),
        (8192, 2),
    ]


def test_listed_order_with_cold_loads_is_the_files_own() -> None:
    text = (
        ONE
        + 'concurrency = [1, 2]\nnum_ctx = [2048, 8192]\n[measure]\norder = "listed"\ncold_load = true\nrepeats = 1\n'
    )
    assert [(cell.concurrency, cell.num_ctx) for cell in visited(expand(text))] == [
        (1, 2048),
        (1, 8192),
        (2, 2048),
        (2, 8192),
    ]


def test_resume_gives_the_visits_that_are_missing_in_their_order() -> None:
    made = expand(TWO_BY_TWO)
    done = {(visit.cell, visit.repeat) for visit in made.visits if visit.seq not in {3, 7, 11}}
    assert plan.resume(made, done) == tuple(made.visits[seq] for seq in (3, 7, 11))
    assert plan.resume(made, ()) == made.visits
    assert plan.resume(made, [(visit.cell, visit.repeat) for visit in made.visits]) == ()
    assert isinstance(made.visits[0], Visit)
