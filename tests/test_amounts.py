"""Footnotes that differ in amounts alone: which become one, and which must not."""

import pytest

from olbench.report.amounts import merged


@pytest.mark.parametrize(
    ("sentences", "together"),
    [
        (
            [
                "withheld 0.12 of 2 cores in 1 of 3 visits",
                "withheld 0.10 to 0.20 of 2 cores in 2 of 3 visits",
            ],
            "withheld 0.10 to 0.20 of 2 cores in 1 to 2 of 3 visits",
        ),
        (["the shortest (after 1,011)", "the shortest (after 998)"], "the shortest (after 998 to 1,011)"),
        (
            ["held back for 67 % of the time", "held back for 7 % of the time"],
            "held back for 7 to 67 % of the time",
        ),
        (["alike 3 ms", "alike 3 ms"], "alike 3 ms"),
        (
            ["1 visit; an interval needs 3", "2 visits; an interval needs 3"],
            "1 to 2 visits; an interval needs 3",
        ),
    ],
)
def test_sentences_that_differ_in_amounts_alone_become_one_with_the_range(
    sentences: list[str], together: str
) -> None:
    assert set(merged(sentences).values()) == {together}


@pytest.mark.parametrize(
    "sentences",
    [
        ["refused: HTTP 500 from the server", "refused: HTTP 503 from the server"],
        ["asked for num_ctx 8192, the server gave 4096", "asked for num_ctx 16384, the server gave 4096"],
        ["visit 1: the engine died", "visit 2: the engine died"],
        ["visits 1 and 3: short", "visits 2 and 3: short"],
        ["llama3.2:3b is missing", "llama3.1:8b is missing"],
        ["took 500 ms", "took 1.10 s"],
        ["listens at 127.0.0.1:11434 now", "listens at 127.0.0.2:11434 now"],
    ],
)
def test_names_visits_and_other_units_stay_apart(sentences: list[str]) -> None:
    assert merged(sentences) == {one: one for one in sentences}


def test_every_sentence_is_told_by_one_and_none_is_lost() -> None:
    assert merged(["b 1 s", "a", "b 3 s", "b 2 s"]) == {
        "b 1 s": "b 1 to 3 s", "b 3 s": "b 1 to 3 s", "b 2 s": "b 1 to 3 s", "a": "a",
    }  # fmt: skip
    assert merged([]) == {}
