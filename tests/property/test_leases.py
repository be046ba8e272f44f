"""Who holds a lease is told by a text that another process has written, perhaps of another version."""

from __future__ import annotations

import os

from hypothesis import example, given
from hypothesis import strategies as st

from engrain.store.leases import ENDED, RESTARTED, gone, machine, process

PARTS = st.lists(st.text(max_size=8) | st.sampled_from([*machine().split("|"), str(os.getpid()), "x"]), max_size=7)


@given(PARTS.map("|".join) | st.text(max_size=40).map(lambda rest: f"{machine()}|{rest}"))
@example(f"{machine()}|²|x")
@example(f"{machine()}|{10**30}|x")
def test_no_text_is_too_odd_to_be_a_holder(holder: str) -> None:
    assert gone(holder) in (None, ENDED, RESTARTED)


@given(st.text(max_size=30))
def test_what_lives_is_never_told_to_be_gone(purpose: str) -> None:
    assert gone(f"{process()}|{purpose}") is None
