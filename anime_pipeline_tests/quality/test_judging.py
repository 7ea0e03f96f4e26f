"""Defends the judgement itself, without a database: unmeasured never passes, whatever else is true; the pass
rate and the least number of cuts decide on their boundary; the hash changes with everything that was judged.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anime_pipeline.quality.evidence import CutEvidence, Unmeasured
from anime_pipeline.quality.judging import Judgement, judge_scope_evidence
from anime_pipeline.quality.phases import Phase, Rule

ALL = frozenset({"still", "loop", "video"})
SMOOTH = Rule("motion_smoothness", "at_least", 0.95, "motion_smoothness_minimum", ALL)
LPIPS = Rule("temporal_lpips", "at_most", 0.15, "temporal_lpips_maximum", ALL)
PALETTE = Rule("palette_adherence", "reported", None, None, ALL)
AGAIN = Rule("reproducible", "at_least", 1.0, "reproducible_minimum", ALL)
PHASE = Phase("phase_2_loop", (SMOOTH, LPIPS, PALETTE), 5, 0.8)
UNAVAILABLE = Unmeasured("unavailable", "no weights", "fetch them")
GOOD = {"motion_smoothness": 0.99, "temporal_lpips": 0.05}


def cut(number: int, found: dict[str, float | None], kind: str = "loop") -> CutEvidence:
    """A cut with a take of these values; None for weights that are absent."""
    return CutEvidence(
        f"show.e01.s001.c{number:04}", kind, True, number, 1, "0" * 64, False,
        values={metric: value for metric, value in found.items() if value is not None},
        lacking={metric: UNAVAILABLE for metric, value in found.items() if value is None},
        details={metric: {"lowest": {"frame": 4}, "highest": {"frame": 9}} for metric in found},
        provenance="test 1",
    )  # fmt: skip


def judge(cuts: list[CutEvidence], phase: Phase = PHASE) -> Judgement:
    """The judgement on an episode of these cuts."""
    return judge_scope_evidence(cuts, phase, "show.e01")


values = st.one_of(st.none(), st.floats(0, 1))
some_cuts = st.lists(
    st.fixed_dictionaries({}, optional={"motion_smoothness": values, "temporal_lpips": values}), max_size=12
).map(lambda found: [cut(number, each) for number, each in enumerate(found, 1)])


@given(some_cuts)
def test_a_scope_passes_only_if_every_cut_is_measured(cuts: list[CutEvidence]) -> None:
    judgement = judge(cuts)
    counts = [judgement.count(outcome) for outcome in ("passed", "failed", "unmeasured")]  # type: ignore[arg-type]
    assert sum(counts) == len(cuts)
    if judgement.verdict == "passed":
        assert counts[2] == 0
        assert len(cuts) >= PHASE.minimum_cuts
        assert counts[0] >= 0.8 * len(cuts)
    if counts[2]:
        assert judgement.verdict == "incomplete"
        assert judgement.missing


@given(
    st.sampled_from(["motion_smoothness", "temporal_lpips"]),
    st.sampled_from(["gone", "none"]),
    st.integers(0, 9),
)
def test_one_unmeasured_metric_of_one_cut_keeps_the_gate_shut(metric: str, how: str, which: int) -> None:
    cuts = [cut(number, dict(GOOD)) for number in range(10)]
    assert judge(cuts).verdict == "passed"
    left: dict[str, float | None] = {name: value for name, value in GOOD.items() if name != metric}
    cuts[which] = cut(which, left if how == "gone" else {**left, metric: None})
    judgement = judge(cuts)
    assert judgement.verdict == "incomplete"
    assert judgement.missing[0].metric == metric
    assert judgement.missing[0].cut_keys == (cuts[which].cut_key,)


@pytest.mark.parametrize(
    ("passing", "total", "verdict"),
    [
        (4, 5, "passed"),
        (3, 5, "failed"),
        (7, 9, "failed"),
        (8, 10, "passed"),
        (12, 15, "passed"),
        (11, 15, "failed"),
    ],
)
def test_eighty_percent_is_enough_and_less_is_not(passing: int, total: int, verdict: str) -> None:
    bad = {**GOOD, "motion_smoothness": 0.5}
    cuts = [cut(number, dict(GOOD if number < passing else bad)) for number in range(total)]
    judgement = judge(cuts)
    assert (judgement.verdict, judgement.pass_rate) == (verdict, passing / total)


@pytest.mark.parametrize("total", [1, 4])
def test_fewer_than_five_cuts_say_nothing(total: int) -> None:
    judgement = judge([cut(number, dict(GOOD)) for number in range(total)])
    assert judgement.verdict == "incomplete"
    assert "5 are needed" in judgement.reason


def test_a_value_on_the_threshold_passes() -> None:
    on = {"motion_smoothness": 0.95, "temporal_lpips": 0.15}
    assert judge([cut(number, dict(on)) for number in range(5)]).verdict == "passed"


def test_a_failing_metric_names_value_threshold_and_worst_frame() -> None:
    bad = {"motion_smoothness": 0.5, "temporal_lpips": 0.4}
    low, high = judge([cut(1, dict(bad))]).failing
    assert (low.metric, low.value, low.threshold, low.worst_frame) == ("motion_smoothness", 0.5, 0.95, 4)
    assert (high.metric, high.value, high.threshold, high.worst_frame) == ("temporal_lpips", 0.4, 0.15, 9)


def test_a_switched_off_or_reported_metric_decides_nothing() -> None:
    phase = replace(PHASE, rules=(replace(SMOOTH, threshold=None), LPIPS, PALETTE))
    assert judge([cut(number, {"temporal_lpips": 0.1}) for number in range(5)], phase).verdict == "passed"


def test_cuts_of_other_kinds_are_not_judged() -> None:
    loops = replace(PHASE, rules=(replace(SMOOTH, cut_kinds=frozenset({"loop"})),))
    judgement = judge([cut(1, {}, "still")], loops)
    assert (judgement.verdict, judgement.reason, judgement.cuts) == (
        "incomplete",
        "no loop cuts in this scope",
        (),
    )


def test_a_sampled_metric_wants_one_measured_take_and_fails_the_take_that_fails_it() -> None:
    phase = replace(PHASE, rules=(*PHASE.rules, AGAIN))
    cuts = [cut(number, dict(GOOD)) for number in range(5)]
    without = judge(cuts, phase)
    assert without.verdict == "incomplete"
    assert without.missing[0].metric == "reproducible"
    assert judge([*cuts[:4], cut(4, {**GOOD, "reproducible": 1.0})], phase).verdict == "passed"
    failed = judge([*cuts[:4], cut(4, {**GOOD, "reproducible": 0.0})], phase)
    assert (failed.verdict, failed.count("failed")) == ("passed", 1)  # 4 of 5


def test_a_cut_with_only_an_animatic_is_said_to_be_one() -> None:
    cuts = [CutEvidence(f"show.e01.s001.c{number:04}", "loop", has_animatic=True) for number in range(3)]
    judgement = judge(cuts)
    assert judgement.verdict == "incomplete"
    assert judgement.reason == (
        "3 cuts have only an animatic; set ANIME_COMFYUI_URLS, then: anime-pipeline render show.e01"
    )


def test_videos_want_their_scenes_whole() -> None:
    videos = replace(PHASE, name="phase_3_video", rules=(replace(SMOOTH, cut_kinds=frozenset({"video"})),))
    cuts = [cut(number, dict(GOOD), "video") for number in range(5)]
    assert judge(cuts, videos).verdict == "passed"
    unfinished = [*cuts, CutEvidence("show.e01.s001.c0099", "still")]
    judgement = judge(unfinished, videos)
    assert judgement.verdict == "incomplete"
    assert judgement.missing[0].cut_keys == ("show.e01.s001.c0099",)
    assert judgement.missing[0].remedy == "anime-pipeline render show.e01"
    assert judge([*cuts, cut(99, {}, "still")], videos).verdict == "passed"


def test_the_hash_is_of_all_that_was_judged_and_of_nothing_else() -> None:
    cuts = [cut(number, dict(GOOD)) for number in range(5)]
    first = judge(cuts).judged_sha256
    assert judge([cut(number, dict(GOOD)) for number in range(5)]).judged_sha256 == first
    reported = [cut(0, {**GOOD, "unasked": 0.3}), *cuts[1:]]
    assert judge(reported).judged_sha256 == first
    others = [
        judge(cuts[:4]),
        judge([cut(0, {**GOOD, "motion_smoothness": 0.991}), *cuts[1:]]),
        judge([replace(cuts[0], job_id=77), *cuts[1:]]),
        judge([replace(cuts[0], recipe_hash="1" * 64), *cuts[1:]]),
        judge([replace(cuts[0], provenance="test 2"), *cuts[1:]]),
        judge(cuts, replace(PHASE, pass_rate=0.9)),
        judge(cuts, replace(PHASE, rules=(replace(SMOOTH, threshold=0.9), LPIPS, PALETTE))),
    ]
    assert len({first, *(other.judged_sha256 for other in others)}) == 8
