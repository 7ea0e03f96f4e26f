"""Defends reels and masters: the selected takes and nothing else, in story order, to the frame; a film always
builds; the same content is never encoded twice; and what lies in the deliveries folder is always whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Delivery, MediaFile, Take
from anime_pipeline.delivery import films
from anime_pipeline.delivery.masters import build_master
from anime_pipeline.delivery.reels import build_reel
from anime_pipeline.delivery.results import DeliveryError
from anime_pipeline.errors import UserError
from anime_pipeline.media.errors import MissingMediaError
from anime_pipeline.media.film import iter_frames, probe
from anime_pipeline.settings import Settings
from anime_pipeline_tests.delivery.cuts import number_of
from anime_pipeline_tests.delivery.studio import EPISODE, FPS, HEIGHT, WIDTH, Studio

SCENE = f"{EPISODE}.s001"


@pytest.fixture
def studio(session: Session, settings: Settings, tmp_path: Path) -> Studio:
    return Studio(session, settings, tmp_path)


def shown(path: Path) -> list[int]:
    return [number_of(frame) for frame in iter_frames(path)]


def deliveries(studio: Studio) -> list[tuple[str, str]]:
    rows = studio.session.query(Delivery).order_by(Delivery.id)
    return [(row.kind, row.scope_key) for row in rows]


@pytest.fixture
def scene(studio: Studio) -> Studio:
    """A video, a still, a loop, and a cut at another rate; written out of order."""
    loop = studio.cut(1, 30, "loop", frames=4, repeats=2)
    still = studio.cut(1, 20, "still", frames=5)
    video = studio.cut(1, 10, "video", frames=6)
    slow = studio.cut(1, 40, "video", frames=3, fps=12)
    studio.film_take(video, [0, 1, 2, 3, 4, 5])
    studio.picture_take(still, 20)
    studio.film_take(loop, [30, 31, 32, 33])
    studio.film_take(slow, [40, 41, 42], fps=12)
    return studio


def test_a_reel_shows_each_cut_for_its_time(scene: Studio) -> None:
    reel = build_reel(scene.session, scene.settings, SCENE)
    assert shown(reel.path) == [
        *(0, 1, 2, 3, 4, 5),
        *(20,) * 5,
        *(30, 31, 32, 33, 30, 31, 32, 33),
        *(40, 40, 41, 41, 42, 42),
    ]
    info = probe(reel.path)
    assert (info.width, info.height, info.fps, info.codec) == (WIDTH, HEIGHT, FPS, "h264")
    assert info.frame_count == reel.frame_count == 25
    assert reel.duration_seconds == pytest.approx(25 / FPS)
    assert (reel.built, reel.slates) == (True, ())


def test_a_cut_without_a_selected_take_is_a_slate(scene: Studio) -> None:
    bare, unselected = scene.cut(1, 25, frames=7), scene.cut(1, 26, "loop", frames=4, repeats=2)
    scene.film_take(unselected, [1, 2, 3, 4], selected=False)
    reel = build_reel(scene.session, scene.settings, SCENE)
    assert reel.slates == (bare, unselected)
    frames = list(iter_frames(reel.path))
    assert len(frames) == reel.frame_count == 25 + 7 + 8
    assert [number_of(frame) for frame in frames[:11]] == [0, 1, 2, 3, 4, 5, *(20,) * 5]
    assert {round(float(frame.std())) for frame in frames[11:26]}.isdisjoint({0}), "a slate has writing on it"


def test_a_film_of_slates_alone_is_built(studio: Studio) -> None:
    studio.cut(1, 10)
    assert probe(build_reel(studio.session, studio.settings, SCENE).path).frame_count == 12


def test_omitted_cuts_are_not_shown(scene: Studio) -> None:
    scene.omit(f"{SCENE}.c0020")
    assert 20 not in shown(build_reel(scene.session, scene.settings, SCENE).path)


def test_the_same_reel_is_found_and_not_encoded(scene: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build_reel(scene.session, scene.settings, SCENE)
    monkeypatch.setattr(films, "FilmWriter", None)
    again = build_reel(scene.session, scene.settings, SCENE)
    assert again.built is False
    assert (again.path, again.sha256, again.frame_count) == (first.path, first.sha256, first.frame_count)
    assert deliveries(scene) == [("reel", SCENE)]


def test_a_lost_film_is_built_again_to_the_same_bytes(scene: Studio) -> None:
    first = build_reel(scene.session, scene.settings, SCENE)
    scene.store.local_path(first.sha256, ".mp4").unlink()
    first.path.unlink()
    again = build_reel(scene.session, scene.settings, SCENE)
    assert again.built
    assert again.sha256 == first.sha256
    assert again.path.is_file()


def test_another_selected_take_makes_another_film_and_the_way_back_none(scene: Studio) -> None:
    first = build_reel(scene.session, scene.settings, SCENE)
    key = f"{SCENE}.c0020"
    retake = scene.picture_take(key, 50, selected=False, number=2)
    assert build_reel(scene.session, scene.settings, SCENE).built is False, "an unselected take shows nowhere"
    takes = {
        take.job_id: take for take in scene.session.query(Take).filter_by(cut_id=scene.profile(key).cut_id)
    }
    [old] = [take for take in takes.values() if take.selected]
    select(scene, takes[retake], old)
    second = build_reel(scene.session, scene.settings, SCENE)
    assert second.built
    assert shown(second.path)[6:11] == [50] * 5
    select(scene, old, takes[retake])
    third = build_reel(scene.session, scene.settings, SCENE)
    assert (third.built, third.sha256) == (False, first.sha256)
    assert shown(third.path)[6:11] == [20] * 5
    newest = scene.session.query(Delivery).order_by(Delivery.id.desc()).first()
    assert newest is not None
    assert newest.sha256 == first.sha256


def select(studio: Studio, chosen: Take, other: Take) -> None:
    other.selected = False
    studio.session.flush()
    chosen.selected = True
    studio.session.flush()


def test_a_torn_copy_in_the_deliveries_folder_is_replaced(scene: Studio) -> None:
    first = build_reel(scene.session, scene.settings, SCENE)
    whole = first.path.read_bytes()
    first.path.write_bytes(whole[:100])
    assert build_reel(scene.session, scene.settings, SCENE).path.read_bytes() == whole
    assert [path.name for path in first.path.parent.iterdir()] == [f"{SCENE}.mp4"]


def test_a_selected_take_whose_file_is_lost_is_named(scene: Studio) -> None:
    job = scene.session.query(Take).filter_by(cut_id=scene.profile(f"{SCENE}.c0010").cut_id).one().job_id
    path = scene.file_of(job)
    path.unlink()
    with pytest.raises(MissingMediaError, match=path.name):
        build_reel(scene.session, scene.settings, SCENE)
    assert deliveries(scene) == []
    assert not list((scene.settings.home / "tmp").iterdir())


def test_what_has_no_cuts_is_named(studio: Studio) -> None:
    with pytest.raises(DeliveryError, match=r"s009 has no cuts"):
        build_reel(studio.session, studio.settings, f"{EPISODE}.s009")
    with pytest.raises(UserError):
        build_reel(studio.session, studio.settings, EPISODE)
    with pytest.raises(UserError):
        build_master(studio.session, studio.settings, SCENE)


@pytest.fixture
def episode(scene: Studio) -> Studio:
    """A second scene, with dialogue; one line belongs to a cut at another rate."""
    key = scene.cut(2, 10, frames=24, lines=(("Toru", "Late again?", 2, 20),))
    slow = scene.cut(2, 20, frames=12, fps=12, lines=(("Mika", "The <sea> was\nin the way.", 3, 12),))
    scene.film_take(key, list(range(24)))
    scene.film_take(slow, list(range(12)), fps=12)
    return scene


def test_a_master_is_all_scenes_with_subtitles_beside_it(episode: Studio) -> None:
    master = build_master(episode.session, episode.settings, EPISODE)
    assert master.path == episode.settings.home / "deliveries" / EPISODE / f"{EPISODE}.mp4"
    assert probe(master.path).frame_count == master.frame_count == 25 + 24 + 24
    numbers = shown(master.path)
    assert numbers[:6] == [0, 1, 2, 3, 4, 5]
    assert numbers[25:49] == list(range(24))
    assert numbers[49:] == [number for number in range(12) for _ in range(2)]
    assert master.subtitles == master.path.with_suffix(".srt")
    assert master.subtitles.read_text() == (
        "1\n00:00:01,125 --> 00:00:01,875\nToru: Late again?\n"
        "\n"
        "2\n00:00:02,292 --> 00:00:03,042\nMika: The <sea> was\nin the way.\n"
    ).replace("<sea>", "‹sea›")
    assert deliveries(episode) == [("master", EPISODE), ("subtitles", EPISODE)]
    kinds = {media.suffix: media.kind for media in episode.session.query(MediaFile) if media.suffix != ".png"}
    assert kinds == {".mp4": "video", ".srt": "subtitles"}


def test_a_second_master_encodes_nothing(episode: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build_master(episode.session, episode.settings, EPISODE)
    monkeypatch.setattr(films, "FilmWriter", None)
    again = build_master(episode.session, episode.settings, EPISODE)
    assert (again.built, again.sha256, again.subtitles) == (False, first.sha256, first.subtitles)
    assert len(deliveries(episode)) == 2


def test_new_words_change_the_subtitles_and_only_a_burnt_film(episode: Studio) -> None:
    build_master(episode.session, episode.settings, EPISODE)
    burnt = build_master(episode.session, episode.settings, EPISODE, burn_subtitles=True)
    assert burnt.path.name == f"{EPISODE}.subtitled.mp4"
    profile = episode.profile(f"{EPISODE}.s002.c0010")
    line = {"speaker": "Toru", "text": "You are early.", "start": 2, "end": 20}
    profile.spec = profile.spec | {"dialogue": [line]}
    episode.session.flush()
    plain = build_master(episode.session, episode.settings, EPISODE)
    assert plain.built is False
    assert plain.subtitles is not None
    assert "You are early." in plain.subtitles.read_text()
    again = build_master(episode.session, episode.settings, EPISODE, burn_subtitles=True)
    assert again.built
    assert again.sha256 != burnt.sha256


def test_burnt_subtitles_show_while_they_are_spoken(episode: Studio) -> None:
    plain = build_master(episode.session, episode.settings, EPISODE).path
    burnt = build_master(episode.session, episode.settings, EPISODE, burn_subtitles=True).path
    differs = [
        bool((abs(one.astype(int) - other) > 60).any())
        for one, other in zip(iter_frames(plain), iter_frames(burnt), strict=True)
    ]
    spoken = set(range(25 + 2, 25 + 20)) | set(range(49 + 6, 49 + 24))
    assert {number for number, changed in enumerate(differs) if changed} == spoken
