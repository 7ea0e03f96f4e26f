"""Defends keys: they round-trip, refuse what does not fit, and sort in story order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anime_pipeline.story.keys import CutKey, EpisodeKey, SceneKey, StoryKeyError, parse_scope

slugs = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)
cut_keys = st.builds(CutKey, slugs, st.integers(0, 99), st.integers(0, 999), st.integers(0, 9999))


def test_a_cut_key_is_written_with_two_three_and_four_digits() -> None:
    assert str(CutKey("lantern-post", 1, 3, 40)) == "lantern-post.e01.s003.c0040"


@given(cut_keys)
def test_keys_round_trip_with_their_parents(key: CutKey) -> None:
    assert CutKey.parse(str(key)) == key == parse_scope(str(key))
    assert SceneKey.parse(str(key.scene_key)) == key.scene_key == parse_scope(str(key.scene_key))
    assert EpisodeKey.parse(str(key.episode_key)) == key.episode_key == parse_scope(str(key.episode_key))
    assert str(key).startswith(f"{key.scene_key}.")
    assert str(key.scene_key).startswith(f"{key.episode_key}.")


@given(slugs, st.lists(st.tuples(st.integers(0, 99), st.integers(0, 999), st.integers(0, 9999)), max_size=20))
def test_sorted_texts_are_in_story_order(slug: str, numbers: list[tuple[int, int, int]]) -> None:
    texts = sorted(str(CutKey(slug, *triple)) for triple in numbers)
    assert texts == [str(CutKey(slug, *triple)) for triple in sorted(numbers)]


@given(st.sets(slugs, min_size=2, max_size=4), st.lists(st.integers(0, 99), min_size=1, max_size=4))
def test_sorting_keeps_projects_apart(projects: set[str], episodes: list[int]) -> None:
    keys = sorted(str(EpisodeKey(slug, episode)) for slug in projects for episode in set(episodes))
    order = [key.partition(".")[0] for key in keys]
    assert order == [slug for slug in dict.fromkeys(order) for _ in set(episodes)]


@pytest.mark.parametrize(
    "numbers", [(100, 1, 1), (1, 1000, 1), (1, 1, 10000), (-1, 1, 1), (1, -1, 1), (1, 1, -1)]
)
def test_numbers_beyond_the_padding_are_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(StoryKeyError, match="out of range") as caught:
        CutKey("a", *numbers)
    assert caught.value.remedy is not None
    assert "from 0 to" in caught.value.remedy


@pytest.mark.parametrize(
    "text",
    ["", "Lantern", "a.e1", "a.e01.s03", "a.e01.s003.c40", "a.e01.s003.c0040 ", "a.e01.s003.c0040.x",
     "-a.e01", "a.e०१", "a_b", "a" * 64],
)  # fmt: skip
def test_what_is_no_key_is_refused_with_an_example(text: str) -> None:
    for parse in (EpisodeKey.parse, SceneKey.parse, CutKey.parse, parse_scope):
        if parse in (parse_scope, EpisodeKey.parse) and text == "a.e01":
            continue
        with pytest.raises(StoryKeyError) as caught:
            parse(text)
        assert "lantern-post.e01" in (caught.value.remedy or "")


def test_a_scope_may_be_a_project() -> None:
    assert parse_scope("lantern-post") == "lantern-post"


def test_a_key_of_one_kind_is_none_of_another() -> None:
    with pytest.raises(StoryKeyError, match="not the key of a scene"):
        SceneKey.parse("lantern-post.e01")
