"""Defends variants: a take's own variant composes to its recipe again, and seeds follow their policy."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from anime_pipeline.database import migrations
from anime_pipeline.database.session import session_scope
from anime_pipeline.rendering.current_takes import current_takes
from anime_pipeline.rendering.ingredients import MAX_SEED, seed_of
from anime_pipeline.rendering.recipes import compose_recipe, recipe_hashes
from anime_pipeline.rendering.templates import SHIPPED, TemplateError, TemplateLibrary, read_template
from anime_pipeline.rendering.variants import FIRST, Variant
from anime_pipeline.settings import Settings
from anime_pipeline.story.context import SeedPolicy
from anime_pipeline_tests.rendering.contexts import (
    ANCHOR,
    BACKGROUND,
    CUT,
    LIBRARY,
    MIKA,
    SUFFIXES,
    cut,
    inputs_of,
)
from anime_pipeline_tests.rendering.studio import Studio, stills

SEEDS = st.none() | st.integers(0, MAX_SEED)
POLICIES: st.SearchStrategy[SeedPolicy] = st.sampled_from(("derived", "sequential", "random", "fixed"))
VARIANTS = st.builds(
    Variant, st.integers(1, 999), st.sampled_from([1.0, 1.25, 1.5]), st.booleans(), st.integers(0, 3)
)


@given(VARIANTS)
def test_a_variant_is_stored_and_comes_back(variant: Variant) -> None:
    stored = variant.as_json()
    assert Variant.from_json(stored) == variant
    assert Variant.from_json({**stored, "of a later version": 1}) == variant
    assert (stored == {}) == (variant == FIRST)


@given(POLICIES, SEEDS, st.integers(1, 200), st.integers(0, 2**53))
def test_seeds_by_policy(policy: SeedPolicy, seed: int | None, number: int, drawn: int) -> None:
    context = cut(seed=seed, seed_policy=policy, drawn_seed=drawn)
    first, other = seed_of(context, 1), seed_of(context, number)
    assert 0 <= other <= MAX_SEED
    assert seed is None or first == seed
    if policy == "fixed":
        assert other == first
    elif policy == "sequential":
        assert other == (first + number - 1) % 2**64
    else:
        assert (other == first) == (number == 1)


@hypothesis_settings(deadline=None)  # a workflow is read when it is first asked for
@given(st.sampled_from(LIBRARY.names()), POLICIES, SEEDS, st.integers(1, 4), st.booleans())
def test_the_hashes_of_wanted_takes_are_those_of_composing_each(
    name: str, policy: SeedPolicy, seed: int | None, takes: int, is_pictured: bool
) -> None:
    """In every shipped workflow, with pictures and LoRAs that nodes are removed, bypassed and copied for."""
    kind = LIBRARY.get(name).sidecar.serves[0]
    context = cut(kind=kind, workflow=name, seed_policy=policy, seed=seed, takes_wanted=takes)
    if is_pictured:
        look = replace(MIKA, lora="mika.safetensors", anchor_sha256s=(ANCHOR,))
        figures = (look, replace(look, name="Ren", lora="ren.safetensors"))
        ends = {"first_frame_sha256": ANCHOR, "last_frame_sha256": BACKGROUND}
        context = replace(context, figures=figures, **ends)

    def each() -> tuple[str, ...]:
        numbers = range(1, takes + 1)
        return tuple(compose_recipe(context, LIBRARY, SUFFIXES, Variant(n)).recipe_hash for n in numbers)

    try:
        expected = each()
    except TemplateError as error:
        assert not is_pictured
        with pytest.raises(TemplateError, match=re.escape(str(error))):
            recipe_hashes(context, LIBRARY, SUFFIXES)
    else:
        assert recipe_hashes(context, LIBRARY, SUFFIXES) == expected


def test_the_hashes_of_wanted_takes_need_a_place_for_their_seeds(tmp_path: Path) -> None:
    """As composing them does; and a node that rounds its seed gets each rounded."""
    (tmp_path / "own.json").write_text((SHIPPED / "sdxl-still.json").read_text(encoding="utf-8"))
    sidecar = yaml.safe_load((SHIPPED / "sdxl-still.yaml").read_text(encoding="utf-8"))
    seeds = sidecar["slots"].pop("seed")
    context = cut(kind="still", workflow="own", takes_wanted=2)

    def written(slots: dict[str, object]) -> TemplateLibrary:
        (tmp_path / "own.yaml").write_text(yaml.safe_dump({**sidecar, "slots": slots}))
        return TemplateLibrary(tmp_path)

    library = written(sidecar["slots"])
    with pytest.raises(TemplateError, match="no place for the seed"):
        recipe_hashes(context, library, SUFFIXES)
    once = replace(context, takes_wanted=1)
    assert recipe_hashes(once, library, SUFFIXES) == (compose_recipe(once, library, SUFFIXES).recipe_hash,)
    targets = seeds if isinstance(seeds, list) else [seeds]
    library = written({**sidecar["slots"], "seed": [{**target, "multiple": 8} for target in targets]})
    each = [compose_recipe(context, library, SUFFIXES, Variant(number)) for number in (1, 2)]
    assert recipe_hashes(context, library, SUFFIXES) == tuple(one.recipe_hash for one in each)


@given(st.integers(0, 2**53), st.integers(0, 2**53))
def test_a_random_seed_is_what_was_drawn_and_no_edit_of_the_bible_changes_it(one: int, other: int) -> None:
    drawn = cut(seed_policy="random", drawn_seed=one)
    edited = replace(drawn, bible=replace(CUT.bible, global_seed=99))
    assert seed_of(drawn, 3) == seed_of(edited, 3)
    assert (seed_of(drawn, 3) == seed_of(replace(drawn, drawn_seed=other), 3)) == (one == other)


def test_a_policy_is_an_ingredient_where_it_is_not_the_usual_one() -> None:
    def told(**fields: object) -> set[str]:
        ingredients = compose_recipe(cut(**fields), LIBRARY, SUFFIXES).ingredients
        return {name for name in ingredients if "seed" in name}

    assert told() == {"bible.global_seed"}
    assert told(seed_policy="sequential") == {"bible.global_seed", "project.seed_policy"}
    assert told(seed_policy="random", has_own_seed_policy=True) == {"cut.seed_policy"}
    assert told(seed_policy="fixed", seed=3) == {"cut.seed", "project.seed_policy"}


PICTURED = (replace(MIKA, anchor_sha256s=(ANCHOR,)),)
FACED = replace(CUT, kind="still", workflow="sdxl-still-faceid", figures=PICTURED, dialogue=())


def test_a_stronger_anchor_multiplies_what_the_workflow_has_and_a_usual_one_leaves_it() -> None:
    usual = compose_recipe(FACED, LIBRARY, SUFFIXES)
    stronger = compose_recipe(FACED, LIBRARY, SUFFIXES, Variant(1, anchor_weight=1.5))
    assert inputs_of(usual, "IPAdapter FaceID")["weight"] == 0.8
    assert inputs_of(stronger, "IPAdapter FaceID")["weight"] == 1.2
    assert inputs_of(stronger, "IPAdapter FaceID")["weight_faceidv2"] == 1.5
    assert usual.ingredients == stronger.ingredients, "the story is the same"
    with pytest.raises(TemplateError, match="no place for a stronger reference picture"):
        compose_recipe(CUT, LIBRARY, SUFFIXES, Variant(1, anchor_weight=1.5))


@pytest.mark.parametrize("name", ["wan-video", "wan-i2v", "wan-loop", "wan-first-last", "animatediff-loop"])
def test_each_workflow_of_moving_pictures_has_smoother_settings(name: str) -> None:
    kind = "loop" if "loop" in name else "video"
    context = cut(kind=kind, workflow=name, figures=PICTURED, dialogue=())
    usual = compose_recipe(context, LIBRARY, SUFFIXES)
    smoother = compose_recipe(context, LIBRARY, SUFFIXES, Variant(1, smoother=True))
    changed = {
        (node_id, field)
        for node_id, node in smoother.workflow.items()
        for field, value in node["inputs"].items()
        if usual.workflow[node_id]["inputs"][field] != value
    }
    settings = LIBRARY.get(name).sidecar.smoother
    assert changed == {(LIBRARY.get(name).node_id(one.node), one.input) for one in settings}
    with pytest.raises(TemplateError, match="has no smoother settings"):
        compose_recipe(CUT, LIBRARY, SUFFIXES, Variant(1, smoother=True))


@pytest.mark.parametrize(
    ("smoother", "said"),
    [
        ([{"node": "Nowhere", "input": "seed", "value": 1}], "no nodes have the title “Nowhere”"),
        ([{"node": "Shot", "input": "backdrop", "value": 1}], "no value for backdrop that smoother could"),
        ([{"node": "Shot", "input": "speed", "value": 1}], "no value for speed that smoother could replace"),
        ([{"node": "Shot", "value": 1}], "smoother.0.*: input is missing"),
    ],
)
def test_smoother_settings_are_checked_against_the_graph(
    tmp_path: Path, smoother: list[dict[str, object]], said: str
) -> None:
    sidecar = yaml.safe_load((SHIPPED / "animatic-still.yaml").read_text())
    (tmp_path / "ours.json").write_bytes((SHIPPED / "animatic-still.json").read_bytes())
    (tmp_path / "ours.yaml").write_text(yaml.safe_dump({**sidecar, "smoother": smoother}))
    with pytest.raises(TemplateError, match=said):
        read_template(tmp_path / "ours.json")
    sidecar["slots"]["anchor_weight"] = {"node": "Shot", "input": "action"}
    (tmp_path / "ours.yaml").write_text(yaml.safe_dump(sidecar))
    with pytest.raises(TemplateError, match="is no number that anchor_weight could scale"):
        TemplateLibrary(tmp_path).get("ours")


def test_a_take_is_current_by_its_own_variant(studio: Studio) -> None:
    studio.import_(stills(1, takes=2))
    studio.render()
    studio.retake()
    studio.drain()
    jobs = {row.job_id for row in studio.query("SELECT job_id FROM studio.takes")}
    assert len(jobs) == 3

    def current() -> set[int]:
        with session_scope(studio.settings) as session:
            return current_takes(session, studio.settings, studio.keys())[studio.keys()[0]]

    assert current() == jobs
    studio.import_(stills(1, takes=2, camera_angle="low angle"))
    assert current() == set()
    studio.import_(stills(1, takes=1))
    assert current() == jobs, "told as before, its takes show it again"


def test_takes_of_before_get_the_variant_that_they_were(studio: Studio, settings: Settings) -> None:
    """The migration tells takes of one story from their ingredients."""
    studio.import_(stills(1, takes=2))
    studio.render()
    studio.import_(stills(1, takes=3, camera_angle="low angle"))
    studio.render()
    rows = "SELECT variant, story_hash FROM studio.takes ORDER BY take_number"
    before = studio.query(rows)
    assert [row.variant for row in before] == [{}, {"number": 2}, {}, {"number": 2}, {"number": 3}]
    migrations.downgrade(settings, "0008")
    migrations.upgrade(settings)
    assert studio.query(rows) == before
