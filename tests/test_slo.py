"""Service levels as words."""

import pytest

from olbench.slo import Term, least_requests, terms
from olbench.stats.attained import attained


def test_the_lines_of_a_run_come_from_its_settings_in_the_order_of_the_table() -> None:
    found = terms({"slo.success": 0.99, "slo.ttft_p95": 1, "slo.answer_rate": 10.0, "requests": 8})
    assert found == (
        Term(key="ttft_p95", aspect="ttft", share=0.95, bound=1),
        Term(key="answer_rate", aspect="answer_rate", share=0.95, bound=10.0),
        Term(key="success", aspect="success", share=0.99, bound=None),
    )


def test_a_run_without_a_service_level_has_no_lines() -> None:
    assert terms({"requests": 8, "slo.ttft_p95": None}) == ()


@pytest.mark.parametrize(
    ("keys", "least"),
    [
        ((), 1),
        (("success",), 1),
        (("ttft_p50",), 4),  # 3.84 * 1
        (("ttft_p90",), 35),  # 3.84 * 9 = 34.6
        (("answer_rate",), 73),  # 3.84 * 19 = 73.0, just below
        (("ttft_p90", "e2e_p99"), 381),  # 3.84 * 99 = 380.3
    ],
)
def test_so_many_requests_are_needed_to_show_that_a_share_is_kept(keys: tuple[str, ...], least: int) -> None:
    assert least_requests(keys) == least


@pytest.mark.parametrize("share", [0.9, 0.95, 0.99])
def test_with_so_many_all_kept_it_is_shown_and_with_one_fewer_not(share: float) -> None:
    key = f"ttft_p{round(100 * share)}"
    enough = least_requests([key])
    assert attained([[True] * enough], share)[1] == "kept"
    assert attained([[True] * (enough - 1)], share)[1] == "unclear"
