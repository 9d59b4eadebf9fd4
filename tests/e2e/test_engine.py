"""The embedded engine's protocol over real inference, on models of random weights."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from olbench.engines import lifeline
from olbench.engines.embedded import Embedded

pytest.importorskip("xllamacpp", reason="needs the extra 'embedded'")
ollama = pytest.importorskip("ollama", reason="needs the extra 'dev'")
pytestmark = pytest.mark.embedded

TINY, OTHER = "olbench-tiny", "olbench-tiny:q8_0"
GREEDY = {"temperature": 0, "num_predict": 12}
LONG = {"temperature": 0, "num_predict": 20_000}  # several seconds: the context shifts on and on
DURATIONS = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")


@dataclass(frozen=True)
class Served:
    url: str
    http: httpx.Client
    cache: Path
    log: Path
    pid: int

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        response = self.http.post(path, json=body)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def lines(self, path: str, **body: Any) -> list[dict[str, Any]]:
        response = self.http.post(path, json=body)
        assert response.headers["content-type"] == "application/x-ndjson"
        return [json.loads(line) for line in response.text.splitlines()]

    def resident(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in self.http.get("/api/ps").json()["models"]}

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children()

    def child(self, model: str) -> psutil.Process:
        (path,) = re.findall(r"^FROM (.*)$", self.post("/api/show", model=model)["modelfile"], re.MULTILINE)
        (child,) = (one for one in self.children() if path in one.cmdline())
        return child

    def unload_all(self) -> None:
        for name in self.resident():
            self.post("/api/generate", model=name, keep_alive=0)
        until(lambda: not self.resident())


def until(true: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    cache, log = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("log")
    models = tmp_path_factory.mktemp("models")
    engine = Embedded(cache=cache, log_dir=log, models_dir=models, threads=1)
    with asyncio.Runner() as runner:
        url = runner.run(engine.start())
        front = next(one for one in psutil.Process().children() if "olbench.engines.front" in one.cmdline())
        for name in ("one", "two"):
            shutil.copy(cache / "olbench-tiny-1.F16.gguf", models / f"{name}.gguf")
        (models / "garbage.gguf").write_text("no model")
        (models / "torso.gguf").write_bytes((models / "one.gguf").read_bytes()[:100_000])
        with httpx.Client(base_url=url, timeout=30) as http:
            yield Served(url, http, cache, log, front.pid)
        runner.run(engine.stop())
    assert not front.is_running()


@pytest.fixture
def engine(served: Served) -> Served:
    served.unload_all()
    return served


# --- what there is -----------------------------------------------------------------------------------------------


def test_it_says_that_it_is_there(engine: Served) -> None:
    assert engine.http.get("/").text == "olbench's embedded engine is running"
    assert engine.http.head("/").status_code == 200
    version = engine.http.get("/api/version").json()["version"]
    assert re.fullmatch(r"0\.0\.0-embedded\+xllamacpp-[\d.]+", version)


def test_tags_list_the_models_of_cache_and_folder_but_no_garbage(engine: Served) -> None:
    rows = {row["name"]: row for row in engine.http.get("/api/tags").json()["models"]}
    assert {"olbench-tiny:latest", "olbench-tiny:q8_0", "one:latest", "torso:latest"} <= set(rows)
    assert "garbage:latest" not in rows
    assert rows["olbench-tiny:latest"]["details"]["quantization_level"] == "F16"
    assert rows["olbench-tiny:q8_0"]["details"]["quantization_level"] == "Q8_0"
    assert rows["one:latest"]["digest"] == rows["olbench-tiny:latest"]["digest"]
    assert re.fullmatch("[0-9a-f]{64}", rows["one:latest"]["digest"])


def test_show_is_read_from_the_file(engine: Served) -> None:
    shown = engine.post("/api/show", model=TINY)
    assert shown["model_info"]["llama.context_length"] == 2048
    # two tables of 260 x 64, a norm, and twice: q and o, k and v, three of the feed-forward net, two norms
    weights = 2 * 260 * 64 + 64 + 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128 + 2 * 64)
    assert shown["model_info"]["general.parameter_count"] == weights
    assert shown["template"].startswith("{% for message in messages %}")
    assert engine.http.post("/api/show", json={"model": "nix"}).status_code == 404


# --- generate and chat -------------------------------------------------------------------------------------------


def test_a_stream_is_a_line_a_token_and_a_last_line_with_the_counts(engine: Served) -> None:
    *pieces, last = engine.lines("/api/generate", model=TINY, prompt="Hello", raw=True, options=GREEDY)
    assert [sorted(piece) for piece in pieces] == [["created_at", "done", "model", "response"]] * 12
    assert all(len(piece["response"]) == 1 and not piece["done"] for piece in pieces)
    assert (last["done"], last["done_reason"], last["response"]) == (True, "length", "")
    # a token a byte, and one that opens the text
    assert (last["prompt_eval_count"], last["prompt_eval_cached_count"], last["eval_count"]) == (6, 0, 12)
    total, load, prompt, evaluation = (last[name] for name in DURATIONS)
    assert 0 < load + prompt + evaluation <= total
    stamps = [line["created_at"] for line in (*pieces, last)]
    assert stamps == sorted(stamps)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", stamps[0])


def test_chat_puts_the_turns_into_the_template(engine: Served) -> None:
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    *pieces, last = engine.lines("/api/chat", model=TINY, messages=turns, options=GREEDY)
    assert [piece["message"]["role"] for piece in pieces] == ["assistant"] * 12
    text = "".join(piece["message"]["content"] for piece in pieces)
    prompt = "[system]Be brief.\n[user]Hello\n[assistant]"
    assert last["prompt_eval_count"] == 1 + len(prompt)
    raw = engine.post("/api/generate", model=TINY, prompt=prompt, raw=True, stream=False, options=GREEDY)
    assert raw["response"] == text
    templated = {"prompt": "Hello", "system": "Be brief.", "stream": False, "options": GREEDY}
    assert engine.post("/api/generate", model=TINY, **templated)["response"] == text


def test_without_streaming_all_comes_in_one_object(engine: Served) -> None:
    *pieces, _ = engine.lines("/api/generate", model=TINY, prompt="Hello", options=GREEDY)
    whole = engine.post("/api/generate", model=TINY, prompt="Hello", options=GREEDY, stream=False)
    assert whole["response"] == "".join(piece["response"] for piece in pieces)
    assert whole["done"]
    assert all(whole[name] > 0 for name in DURATIONS)
    turns = [{"role": "user", "content": "Hello"}]
    said = engine.post("/api/chat", model=TINY, messages=turns, options=GREEDY, stream=False)
    assert said["message"] == {"role": "assistant", "content": whole["response"]}


def test_a_repeated_prompt_is_told_as_cached_and_still_counted_whole(engine: Served) -> None:
    asked = {"model": TINY, "prompt": "x" * 200, "raw": True, "stream": False, "options": GREEDY}
    first, again = engine.post("/api/generate", **asked), engine.post("/api/generate", **asked)
    assert (first["prompt_eval_count"], first["prompt_eval_cached_count"]) == (201, 0)
    assert (again["prompt_eval_count"], again["prompt_eval_cached_count"]) == (201, 200)


def test_a_stop_text_ends_the_answer_and_is_not_part_of_it(engine: Served) -> None:
    asked = {"model": TINY, "prompt": "Hello", "raw": True, "stream": False}
    text = engine.post("/api/generate", **asked, options=GREEDY)["response"]
    stopped = engine.post("/api/generate", **asked, options={**GREEDY, "stop": [text[5]]})
    assert stopped["response"] == text[: text.index(text[5])]
    assert stopped["done_reason"] == "stop"


def test_a_format_holds_the_answer_to_json(engine: Served) -> None:
    schema = {"type": "object", "properties": {"sure": {"enum": ["yes", "no"]}}, "required": ["sure"]}
    asked = {"model": TINY, "prompt": "Are you sure?", "stream": False, "options": {"num_predict": 200}}
    answer = engine.post("/api/generate", **asked, format={**schema, "additionalProperties": False})
    assert json.loads(answer["response"])["sure"] in ("yes", "no")
    assert answer["done_reason"] == "stop"
    assert engine.post("/api/generate", **asked, format="json")["response"].lstrip().startswith("{")


def test_the_same_seed_gives_the_same_text(engine: Served) -> None:
    def text(seed: int) -> Any:
        options = {"temperature": 5, "seed": seed, "num_predict": 20}
        return engine.post("/api/generate", model=TINY, prompt="x", stream=False, options=options)["response"]

    assert text(1) == text(1) != text(2)


# --- loading and leaving -----------------------------------------------------------------------------------------


def test_an_empty_request_loads_and_with_keep_alive_0_unloads(engine: Served) -> None:
    loaded = engine.post("/api/generate", model=TINY, options={"num_ctx": 512})
    assert (loaded["done"], loaded["done_reason"], loaded["response"]) == (True, "load", "")
    assert "total_duration" not in loaded
    row = engine.resident()["olbench-tiny:latest"]
    assert (row["context_length"], row["size_vram"]) == (512, 0)
    # the file, and 2 slots of 512 cells of 2 layers x 1 head x (32 + 32) x 2 bytes
    file = (engine.cache / "olbench-tiny-1.F16.gguf").stat().st_size
    assert row["size"] == file + 2 * 512 * 256
    unloaded = engine.post("/api/chat", model=TINY, messages=[], keep_alive=0)
    assert unloaded["done_reason"] == "unload"
    assert unloaded["message"] == {"role": "assistant", "content": ""}
    until(lambda: not engine.resident() and not engine.children())
    again = engine.post("/api/generate", model=TINY, keep_alive=0)
    assert again["done_reason"] == "unload"  # and nothing was loaded for it
    assert not engine.children()


def test_a_request_that_carries_a_load_has_it_in_load_duration_and_the_next_has_not(engine: Served) -> None:
    asked = {"model": TINY, "prompt": "Hello", "stream": False, "options": GREEDY}
    cold, warm = (engine.post("/api/generate", **asked)["load_duration"] for _ in range(2))
    assert cold > 20_000_000 > warm > 0


def test_keep_alive_ends_a_stay_and_holds_for_the_requests_after_it(engine: Served) -> None:
    engine.post("/api/generate", model=TINY, keep_alive="300ms")
    engine.post("/api/generate", model=TINY, prompt="x", stream=False, options=GREEDY)  # says nothing of it
    assert engine.resident()
    until(lambda: not engine.resident(), 3)


def test_a_negative_keep_alive_is_for_ever_and_0_ends_with_the_request(engine: Served) -> None:
    engine.post("/api/generate", model=TINY, keep_alive=-1)
    assert engine.resident()["olbench-tiny:latest"]["expires_at"].startswith("23")  # 292 years ahead
    last = engine.post("/api/generate", model=TINY, prompt="x", stream=False, keep_alive=0, options=GREEDY)
    assert last["eval_count"] == 12
    until(lambda: not engine.resident(), 3)


def test_num_ctx_is_held_to_the_training_and_a_change_loads_anew(engine: Served) -> None:
    engine.post("/api/generate", model=TINY, options={"num_ctx": 512})
    first = engine.child(TINY)
    assert first.cmdline()[-9:] == ["-np", "2", "-b", "512", "-t", "1", "--verbosity", "3", "--context-shift"]
    engine.post("/api/generate", model=TINY, options={"num_ctx": 512})
    assert engine.child(TINY) == first
    engine.post("/api/generate", model=TINY, options={"num_ctx": 100_000})
    assert engine.child(TINY) != first
    assert engine.resident()["olbench-tiny:latest"]["context_length"] == 2048
    assert not first.is_running()


def test_a_reload_lets_those_in_flight_finish(engine: Served) -> None:
    options = {"temperature": 0, "num_predict": 800}
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(engine.lines, "/api/generate", model=TINY, prompt="x", options=options)
        until(lambda: engine.resident() and engine.child(TINY))
        changed = engine.post(
            "/api/generate", model=TINY, prompt="x", stream=False, options={**GREEDY, "num_ctx": 512}
        )
    assert long.result()[-1]["eval_count"] == 800
    assert changed["eval_count"] == 12
    assert engine.resident()["olbench-tiny:latest"]["context_length"] == 512


def test_two_names_of_one_file_share_a_runner_and_two_files_do_not(engine: Served) -> None:
    for name in (TINY, "OLBENCH-TINY:latest", OTHER):
        engine.post("/api/generate", model=name)
    assert set(engine.resident()) == {"olbench-tiny:latest", "olbench-tiny:q8_0"}
    assert len(engine.children()) == 2


def test_the_fourth_model_takes_the_place_of_the_one_that_would_leave_first(engine: Served) -> None:
    for name, keep_alive in ((TINY, 600), (OTHER, 60), ("one", 600), ("two", 600)):
        engine.post("/api/generate", model=name, keep_alive=keep_alive)
    assert set(engine.resident()) == {"olbench-tiny:latest", "one:latest", "two:latest"}


# --- what goes wrong ---------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "a model that is not there": ({"model": "nix", "prompt": "x"}, 404, "model 'nix' not found"),
    "no model": ({"prompt": "x"}, 404, "model '' not found"),
    "thinking": ({"think": True, "prompt": "x"}, 400, '"olbench-tiny" does not support thinking'),
    "a wrong type": ({"stream": 1}, 400, "json: field stream is of type number; it must be boolean"),
    "a wrong type of an option": (
        {"prompt": "x", "options": {"num_ctx": "512"}},
        500,
        'option "num_ctx" must be of type integer',
    ),
    "a prompt too long": (
        {"prompt": "x" * 3000, "raw": True, "truncate": False},
        400,
        "request (3001 tokens) exceeds the available context size (2048 tokens), try increasing it",
    ),
    "a file that is no model": (
        {"model": "garbage", "prompt": "x"},
        500,
        "unable to load model: garbage.gguf: not a GGUF file",
    ),
    "half a model": (
        {"model": "torso", "prompt": "x"},
        500,
        "llama runner process has terminated: llama_model_load: error loading model: tensor",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_error_before_the_first_line_has_a_status_and_words(case: str, engine: Served) -> None:
    fields, status, words = REFUSED[case]
    response = engine.http.post(
        "/api/generate", json={"model": TINY, **fields} if case != "no model" else fields
    )
    assert response.status_code == status
    assert response.headers["content-type"].startswith("application/json")
    assert response.json()["error"].startswith(words)


def test_paths_and_methods_that_are_not_there_are_told_in_words(engine: Served) -> None:
    missing = engine.http.post("/api/create", json={})
    assert (missing.status_code, missing.json()) == (404, {"error": "POST /api/create: Not Found"})
    wrong = engine.http.get("/api/generate")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


def test_a_runner_killed_in_mid_stream_is_an_error_line_and_the_next_request_loads_anew(
    engine: Served,
) -> None:
    asked = {"model": TINY, "prompt": "x", "options": LONG}
    with engine.http.stream("POST", "/api/generate", json=asked) as response:
        lines = response.iter_lines()
        next(lines)
        engine.child(TINY).kill()
        *_, last = lines
    assert response.status_code == 200
    assert json.loads(last)["error"].startswith("llama runner process has terminated: ")
    until(lambda: not engine.resident())
    next_one = engine.post("/api/generate", model=TINY, prompt="x", stream=False, options=GREEDY)
    assert next_one["eval_count"] == 12


def test_a_client_that_goes_away_frees_its_slot(engine: Served) -> None:
    asked = {"model": TINY, "prompt": "x", "options": LONG}
    for _ in range(3):  # one more than there are slots
        with engine.http.stream("POST", "/api/generate", json=asked) as response:
            next(response.iter_lines())
    last = engine.post("/api/generate", model=TINY, prompt="x", stream=False, options=GREEDY)
    assert last["total_duration"] < 1_000_000_000


def test_more_requests_than_slots_wait_in_line_and_not_in_load_duration(engine: Served) -> None:
    options = {"temperature": 0, "num_predict": 600}
    engine.post("/api/generate", model=TINY)

    def ask(_: int) -> dict[str, Any]:
        return engine.lines("/api/generate", model=TINY, prompt="x", options=options)[-1]

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(ask, range(3)))
    waits = sorted(one["total_duration"] - sum(one[name] for name in DURATIONS[1:]) for one in answers)
    assert waits[2] > waits[1] + 50_000_000
    assert all(one["load_duration"] < 50_000_000 for one in answers)


# --- the rest ----------------------------------------------------------------------------------------------------


def test_pull_speaks_ollamas_lines_and_knows_what_it_can_fetch(engine: Served) -> None:
    known = engine.lines("/api/pull", model=TINY)
    assert [line["status"] for line in known] == ["pulling manifest", "success"]
    first, last = engine.lines("/api/pull", model="llama3:8b")
    assert first == {"status": "pulling manifest"}
    assert last["error"].startswith("pull model manifest: file does not exist")
    refused = engine.http.post("/api/pull", json={"model": "llama3:8b", "stream": False})
    assert refused.status_code == 500
    assert engine.post("/api/pull", model=TINY, stream=False) == {"status": "success"}


def test_the_engines_own_log_has_the_durations_that_the_last_line_tells(engine: Served) -> None:
    told = engine.post("/api/generate", model=TINY, prompt="Hello", stream=False, options=GREEDY)
    newest = max(engine.log.iterdir(), key=lambda log: log.name)
    until(lambda: "eval time" in newest.read_text())
    logged = re.findall(r"\beval time = +([\d.]+) ms / +(\d+) tokens", newest.read_text())
    (prompt_ms, _), (eval_ms, tokens) = logged
    assert int(tokens) == told["eval_count"] == 12
    assert abs(float(eval_ms) - told["eval_duration"] / 1e6) <= 0.01
    assert abs(float(prompt_ms) - told["prompt_eval_duration"] / 1e6) <= 0.01
    about = json.loads(newest.read_text().splitlines()[0].removeprefix("# "))
    assert (about["model"], about["parallel"]) == ("olbench-tiny:latest", 2)


def test_the_official_client_works(engine: Served) -> None:
    with ollama.Client(host=engine.url) as client:
        _the_clients_story(client)


def _the_clients_story(client: Any) -> None:
    assert TINY + ":latest" in [model.model for model in client.list().models]
    assert client.show(TINY).details.quantization_level == "F16"
    assert client.generate(TINY, "x", options=GREEDY, keep_alive="5m").eval_count == 12
    assert len(list(client.generate(TINY, "x", options=GREEDY, stream=True))) == 13
    turns = [{"role": "user", "content": "x"}]
    assert len(client.chat(TINY, turns, options=GREEDY).message.content) == 12
    assert list(client.chat(TINY, turns, options=GREEDY, stream=True))[-1].done_reason == "length"
    assert client.generate(TINY, "x", options=GREEDY, format="json").response.lstrip().startswith("{")
    assert [model.context_length for model in client.ps().models] == [2048]
    assert client.generate(TINY, keep_alive=0).done_reason == "unload"
    assert [line.status for line in client.pull(TINY, stream=True)] == ["pulling manifest", "success"]
    with pytest.raises(ollama.ResponseError, match="model 'nix' not found"):
        client.generate("nix", "x")
    with pytest.raises(ollama.ResponseError, match="does not support thinking"):
        client.chat(TINY, turns, think=True)


PARENT = """
import asyncio, json, sys, urllib.request
from pathlib import Path
from olbench.engines.embedded import Embedded

async def main():
    url = await Embedded(cache=Path(sys.argv[1])).start()
    body = json.dumps({"model": "olbench-tiny", "keep_alive": -1}).encode()
    urllib.request.urlopen(urllib.request.Request(url + "/api/generate", body)).read()
    print("loaded", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_kill_9_of_the_parent_leaves_no_process(engine: Served) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(engine.cache)],
        env=lifeline.environment(),
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"loaded\n"
        family = psutil.Process(parent.pid).children(recursive=True)
        commands = " ".join(word for one in family for word in one.cmdline())
        assert "olbench.engines.front" in commands
        assert "olbench.engines.child" in commands
        parent.kill()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def test_an_engine_that_died_starts_again_at_the_same_address(engine: Served) -> None:
    async def story() -> None:
        again = Embedded(cache=engine.cache)
        url = await again.start()
        assert await again.start() == url  # it runs: nothing is started
        (front,) = (
            one
            for one in psutil.Process().children()
            if "olbench.engines.front" in one.cmdline() and one.pid != engine.pid
        )
        front.kill()
        front.wait(10)
        assert await again.start() == url
        await again.stop()

    asyncio.run(story())
