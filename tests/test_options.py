"""The table of options against what is known of Ollama, and the names that it refuses."""

import pytest

from olbench import options
from olbench.options import ELSEWHERE, LLAMA_CPP, OPENAI, OPTIONS, REMOVED


def test_these_options_load_the_model_again_and_no_others() -> None:
    assert {name for name, option in OPTIONS.items() if option.load_time} == {
        *("num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict")
    }


def test_no_name_is_both_an_option_and_refused() -> None:
    refused = [*OPENAI, *LLAMA_CPP, *ELSEWHERE, *REMOVED]
    assert not set(refused) & set(OPTIONS)
    assert len(refused) == len(set(refused))


def test_the_penalties_share_their_names_with_openai_and_stay() -> None:
    assert {"frequency_penalty", "presence_penalty", "top_p", "seed", "stop", "temperature"} <= set(OPTIONS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("max_tokens", "output_tokens (num_predict)"),
        ("max_completion_tokens", "output_tokens (num_predict)"),
        ("n_gpu_layers", "num_gpu would do"),
        ("num_predict", "sweep.output_tokens would do"),
        ("truncate", "cut in silence"),
        ("mirostat_tau", "ignores it in silence"),
        ("use_mlock", "use_mmap remains"),
        ("logit_bias", "no Ollama server has it"),
        ("OLLAMA_NUM_PARALLEL", "the server's environment"),
    ],
)
def test_a_refused_name_says_why_and_what_would_do(name: str, words: str) -> None:
    assert words in (options.refusal(name) or "")


def test_nothing_is_said_of_a_name_that_nobody_knows() -> None:
    assert options.refusal("colour") is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("num_gpu", "a whole number of at least -1"),
        ("top_p", "a number from 0 to 1"),
        ("temperature", "a number of at least 0"),
        ("frequency_penalty", "a number from -2 to 2"),
        ("use_mmap", "true or false"),
        ("stop", "a list of texts"),
    ],
)
def test_what_would_do_is_said_from_the_table(name: str, words: str) -> None:
    assert options.wants(OPTIONS[name]) == words
