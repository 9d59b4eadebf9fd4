"""Who else was computed while a request was answered."""

import numpy as np
import pytest
from records import cell, observation, sample

from olbench.gist import gist


def test_a_request_alone_has_nobody_beside_it() -> None:
    beside = gist(observation(cell(), [sample(sent_s=1.0), sample(sent_s=5.0)])).together
    assert beside.streams == pytest.approx([1.0, 1.0])
    assert beside.others.tolist() == [0.0, 0.0]


def test_what_has_no_counts_is_unknown_and_disturbs_nobody() -> None:
    beside = gist(observation(cell(), [sample(), sample(counts=None)])).together
    assert beside.streams[0] == pytest.approx(1.0)
    assert np.isnan(beside.streams[1])
    assert np.isnan(beside.others[1])


def test_a_visit_without_requests_has_an_empty_answer() -> None:
    beside = gist(observation(cell(), [])).together
    assert (len(beside.streams), len(beside.others)) == (0, 0)
