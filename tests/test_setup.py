"""What differs between two set-ups, and whether that is another measurement."""

from typing import Any

import pytest
from builders import cell
from comparisons import side, side_cell

from olbench import setup
from olbench.differences import Side, Unlike
from olbench.model import Fact

MODEL = "smollm2:135m"


def one(**changes: Any) -> Side:
    return side("base", [side_cell({}, of=cell(model=MODEL))], **changes)


def with_facts(**facts: Fact) -> Side:
    return one(facts={name.replace("__", "."): value for name, value in facts.items()})


def with_model(**known: Fact) -> Side:
    return one(models={MODEL: known})


@pytest.mark.parametrize(
    ("base", "new", "differ"),
    [
        ({"server__version": "0.33.0"}, {"server__version": "0.33.1"}, ("server.version", "0.33.0", "0.33.1")),
        ({"os__kernel": "6.8.0-31"}, {"os__kernel": "6.8.0-40"}, ("os.kernel", "6.8.0-31", "6.8.0-40")),
        ({"gpu0__driver": "565.77"}, {"gpu0__driver": "570.1"}, ("gpu0.driver", "565.77", "570.1")),
        ({"cpu__governor": "performance"}, {"cpu__governor": "powersave"}, ("cpu.governor", "performance", "powersave")),
        ({"cpu__model": "Ryzen"}, {"cpu__model": "Xeon"}, ("cpu.model", "Ryzen", "Xeon")),
        ({"cpu__boost": True}, {"cpu__boost": False}, ("cpu.boost", "on", "off")),
        ({"ram__total": 32 * 2**30}, {"ram__total": 16 * 2**30}, ("ram.total", "32.00 GiB", "16.00 GiB")),
        ({"engine__threads": 4}, {"engine__threads": 2}, ("engine.threads", "4", "2")),
    ],
)  # fmt: skip
def test_a_fact_that_differs_is_named_with_both_values(
    base: dict[str, Fact], new: dict[str, Fact], differ: tuple[str, str, str]
) -> None:
    assert setup.unlike(with_facts(**base), with_facts(**new)) == (Unlike(*differ, content=False),)


def test_what_a_kernel_keeps_for_itself_is_no_other_machine() -> None:
    assert setup.unlike(with_facts(ram__total=25_274_793_984), with_facts(ram__total=25_270_000_000)) == ()


def test_what_is_different_every_time_is_not_compared() -> None:
    assert setup.unlike(with_facts(server__pid=1, bandwidth__add=1e9), with_facts(server__pid=2)) == ()


def test_a_variable_that_is_not_there_is_not_set_where_the_environment_could_be_read() -> None:
    read = {"server.env": 0}
    with_it = {"server.env": 1, "server.env.OLLAMA_FLASH_ATTENTION": "1"}
    found = setup.unlike(one(facts=read), one(facts=with_it))
    assert found == (Unlike("server.env.OLLAMA_FLASH_ATTENTION", "not set", "1", content=False),)
    assert setup.unlike(one(facts={"server.env": None}), one(facts=with_it)) == ()


@pytest.mark.parametrize(
    ("base", "new", "differ"),
    [
        ({"digest": "a" * 64}, {"digest": "b" * 64}, [f"digest of {MODEL}"]),
        ({"digest": "a", "quantization": "Q4_0"}, {"digest": "b", "quantization": "Q8_0"},
         [f"digest of {MODEL}", f"quantization of {MODEL}"]),
        ({"digest": "a", "template": "t"}, {"digest": "b", "template": "u"}, [f"digest of {MODEL}", f"template of {MODEL}"]),
        # The same bytes are the same model, whatever a newer server says of them.
        ({"digest": "a", "template": "t"}, {"digest": "a", "template": "u"}, []),
        ({"digest": "sha256:a"}, {"digest": "a"}, []),
        # Without digests, what else is known tells.
        ({"digest": None, "quantization": "Q4_0"}, {"digest": "b", "quantization": "Q8_0"}, [f"quantization of {MODEL}"]),
        ({"system": "none"}, {"system": "sha256:1"}, [f"system prompt of {MODEL}"]),
    ],
)  # fmt: skip
def test_another_model_behind_a_name_is_other_work(
    base: dict[str, Fact], new: dict[str, Fact], differ: list[str]
) -> None:
    found = setup.unlike(with_model(**base), with_model(**new))
    assert [unlike.what for unlike in found] == differ
    assert all(unlike.content for unlike in found)


def test_digests_are_shown_as_far_as_people_compare_them() -> None:
    (found,) = setup.unlike(with_model(digest="a" * 64), with_model(digest="b" * 64))
    assert (found.base, found.new) == ("a" * 12, "b" * 12)


def test_models_that_one_side_does_not_use_are_not_compared() -> None:
    other = side("new", [side_cell({}, of=cell(model="other"))], models={MODEL: {"digest": "b"}})
    assert setup.unlike(with_model(digest="a"), other) == ()


@pytest.mark.parametrize(
    ("base", "new", "differ"),
    [
        ({"language": "en"}, {"language": "zh"}, Unlike("language", "en", "zh", content=True)),
        ({"system": None}, {"system": "sha256:1f"}, Unlike("system", "none", "sha256:1f", content=True)),
        ({"format": "json"}, {"format": None}, Unlike("format", "json", "none", content=True)),
        ({"stream": True}, {"stream": False}, Unlike("stream", "on", "off", content=True)),
        ({"requests": 4}, {"requests": 8}, Unlike("requests", "4", "8", content=False)),
        ({"seed": 1}, {"seed": 2}, Unlike("seed", "1", "2", content=False)),
        ({"server.threads": 4}, {"server.threads": None},
         Unlike("server.threads", "4", "the engine's own", content=False)),
    ],
)  # fmt: skip
def test_prompts_and_form_are_content_and_how_often_is_not(
    base: dict[str, Fact], new: dict[str, Fact], differ: Unlike
) -> None:
    assert setup.unlike(one(settings=base), one(settings=new)) == (differ,)


def test_how_many_visits_there_are_is_no_difference() -> None:
    assert setup.unlike(one(settings={"repeats": 3}), one(settings={"repeats": 9})) == ()


def test_another_olbench_is_named() -> None:
    assert setup.unlike(one(), one(olbench="0.2.0")) == (Unlike("olbench", "0.1.0", "0.2.0", content=False),)


def test_what_one_side_does_not_say_is_no_difference_and_is_said() -> None:
    base, new = (
        with_facts(os__kernel="6.8", gpu0__driver="565", cpu__boost=None),
        with_facts(os__kernel="6.8"),
    )
    assert setup.unlike(base, new) == ()
    assert setup.unknown(base, new) == (
        "the new side does not say gpu0.driver: whether that is the same is unknown",
    )
    assert setup.unknown(new, base) == (
        "the base does not say gpu0.driver: whether that is the same is unknown",
    )


def test_what_changes_the_work_is_named_before_the_machine() -> None:
    base = one(models={MODEL: {"digest": "a"}}, facts={"server.version": "1"})
    new = one(models={MODEL: {"digest": "b"}}, facts={"server.version": "2"}, olbench="9")
    assert [found.what for found in setup.unlike(base, new)] == [
        f"digest of {MODEL}",
        "server.version",
        "olbench",
    ]
