"""Defends the order of partitions: Dagster's ranges are contiguous in it, and it is the story's."""

from __future__ import annotations

import dagster as dg
from hypothesis import given, settings
from hypothesis import strategies as st

from anime_pipeline.defs.partitions import _sync
from anime_pipeline.story.batches import contiguous_ranges

KEYS = [f"tiny.e01.s001.c{number:04d}" for number in range(40)]
key_sets = st.sets(st.sampled_from(KEYS)).map(sorted)


@settings(max_examples=30, deadline=None)
@given(st.lists(key_sets, min_size=1, max_size=5))
def test_partitions_are_the_storys_in_its_order_whatever_came_before(stories: list[list[str]]) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        before: list[str] = []
        for story in stories:
            change = _sync(instance, "cuts", story)
            assert list(instance.get_dynamic_partitions("cuts")) == story
            assert set(change.added) == set(story) - set(before)
            assert set(change.removed) == set(before) - set(story)
            before = story


@given(key_sets, st.integers(1, 10))
def test_ranges_hold_each_wanted_key_once_and_nothing_between(wanted: list[str], size: int) -> None:
    ranges = contiguous_ranges(KEYS, wanted, size)
    assert [key for batch in ranges for key in batch] == wanted
    for batch in ranges:
        assert 1 <= len(batch) <= size
        first = KEYS.index(batch[0])
        assert KEYS[first : first + len(batch)] == batch
