"""The table of machines: ours is whole, and a user's own is read or refused in sentences."""

import pytest

from olbench import machines
from olbench.errors import UsageError

OWN = """
[[machine]]
name = "Shelf 3"
memory = "24 GiB"
usable = "75 %"
bandwidth = "1.008 TB/s"
compute = "330 TFLOPS"
sources.bandwidth = "https://example.org/shelf-3"
unread = ["compute"]

[[machine]]
name = "Old box"
memory = "16 GB"
bandwidth = "40 GB/s"
"""


def test_our_table_is_whole() -> None:
    ours = machines.shipped()
    assert 12 <= len(ours) <= 20
    for one in ours:
        needed = {"memory", "bandwidth"} | ({"compute"} if one.compute is not None else set())
        assert needed <= set(one.sources), one.name
        assert all(one.sources.values()), one.name
        assert set(one.unread) <= set(one.sources), one.name
        assert 1e9 < one.memory < 1e12, one.name
        assert 1e10 < one.bandwidth < 1e13, one.name


def test_figures_come_in_base_units() -> None:
    shelf, box = machines.read(OWN, "own.toml")
    assert (shelf.name, shelf.memory, shelf.usable, shelf.bandwidth, shelf.compute) == (
        "Shelf 3",
        24 * 2**30,
        0.75,
        1.008e12,
        3.3e14,
    )
    assert (shelf.sources, shelf.unread) == ({"bandwidth": "https://example.org/shelf-3"}, ("compute",))
    assert (box.memory, box.usable, box.bandwidth, box.compute) == (16e9, 1.0, 40e9, None)
    assert (box.sources, box.unread) == ({}, ())


FAULTS = [
    ("", "t.toml: no machine in it; write [[machine]], its name, its memory and its bandwidth"),
    ("machine = 3", "t.toml: no machine in it; write [[machine]], its name, its memory and its bandwidth"),
    ("machine = [3]", "t.toml: machine 1: it is no table; write [[machine]] and a line for each figure"),
    ("[machines]\na = 1", "t.toml: 'machines' is unknown; machines stand under [[machine]]"),
    (
        '[[machine]]\nmemory = "1 GB"\nbandwidth = "1 GB/s"',
        't.toml: machine 1: it has no name; write name = "..."',
    ),
    (
        '[[machine]]\nname = "a\\u001b[31m"\nmemory = "1 GB"\nbandwidth = "1 GB/s"',
        "t.toml: machine 1: its name holds what cannot be printed; write it in plain characters",
    ),
    (
        '[[machine]]\nname = "a"\nbandwidth = "1 GB/s"',
        't.toml: machine 1 (a): it has no memory; write memory = "24 GB"',
    ),
    (
        '[[machine]]\nname = "a"\nmemory = 24\nbandwidth = "1 GB/s"',
        't.toml: machine 1 (a): memory is 24; write it with its unit, as in "24 GB"',
    ),
    (
        '[[machine]]\nname = "a"\nmemory = "24 GB"\nbandwidth = "1 GB"',
        "t.toml: machine 1 (a): bandwidth is '1 GB'; write it with its unit, as in \"1008 GB/s\"",
    ),
    (
        '[[machine]]\nname = "a"\nmemory = "0 GB"\nbandwidth = "1 GB/s"',
        "t.toml: machine 1 (a): memory is '0 GB'; it is above 0",
    ),
    (
        '[[machine]]\nname = "a"\nmemory = "1 GB"\nusable = "120 %"\nbandwidth = "1 GB/s"',
        "t.toml: machine 1 (a): usable is '120 %'; it is at most 100 %",
    ),
    (
        '[[machine]]\nname = "a"\nmemory = "1 GB"\nbandwith = "1 GB/s"',
        (
            "t.toml: machine 1 (a): 'bandwith' is unknown; "
            "its keys are name, memory, usable, bandwidth, compute, sources, unread"
        ),
    ),
    (
        '[[machine]]\nname = "a"\nmemory = "1 GB"\nbandwidth = "1 GB/s"\nsources = "web"',
        "t.toml: machine 1 (a): sources is 'web'; write sources.memory = \"where it comes from\"",
    ),
    (
        '[[machine]]\nname = "a"\nmemory = "1 GB"\nbandwidth = "1 GB/s"\nunread = ["price"]',
        "t.toml: machine 1 (a): unread is ['price']; it is a list of figures, such as [\"compute\"]",
    ),
    (
        '[[machine]]\nname = "a"\nmemory = "1 GB"\nbandwidth = "1 GB/s"\n' * 2,
        "t.toml: 'a' stands there twice; names tell machines apart",
    ),
]


@pytest.mark.parametrize(("text", "fault"), FAULTS)
def test_a_table_that_cannot_be_used_says_where_and_what_would_do(text: str, fault: str) -> None:
    with pytest.raises(UsageError) as caught:
        machines.read(text, "t.toml")
    assert str(caught.value) == fault


def test_what_is_not_toml_says_so() -> None:
    with pytest.raises(
        UsageError, match=r"^t\.toml: Expected .*; a table of machines is TOML, see the one that ships$"
    ):
        machines.read("[[machine", "t.toml")


def test_all_faults_come_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        machines.read('[[machine]]\nname = "a"\n[[machine]]\nname = "b"\n', "t.toml")
    assert [one.split(": ")[1] for one in caught.value.faults] == ["machine 1 (a)", "machine 2 (b)"]
