"""Media over sockets: whole, in part, by hash, by job, frame by frame."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import text

from anime_pipeline.database.session import session_scope
from anime_pipeline.media.film import iter_frames
from anime_pipeline.media.store import MediaStore
from anime_pipeline_tests.rendering.studio import Studio


@pytest.fixture(scope="module")
def film(shared_tiny: Studio) -> Any:
    """The film of the loop: job_id, sha256, suffix, bytes."""
    shared_tiny.render()
    [row] = shared_tiny.query(
        "SELECT t.job_id, f.* FROM studio.takes t JOIN studio.cut_profiles p USING (cut_id) "
        "JOIN studio.take_media m USING (job_id) JOIN studio.media_files f USING (sha256) "
        "WHERE p.kind = 'loop' AND m.role = 'film'"
    )
    return row


def whole(tiny: Studio, film: Any) -> bytes:
    return MediaStore.of(tiny.settings).local_path(film.sha256, film.suffix).read_bytes()


def test_a_file_comes_whole_with_its_hash_as_its_tag(
    shared_tiny: Studio, shared_api: httpx.Client, film: Any
) -> None:
    answer = shared_api.get(f"/api/anime/media/{film.sha256}")
    assert (answer.status_code, hashlib.sha256(answer.content).hexdigest()) == (200, film.sha256)
    assert answer.headers["etag"] == f'"{film.sha256}"'
    assert answer.headers["content-type"] in ("video/mp4", "image/webp")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "private" in answer.headers["cache-control"]
    again = shared_api.get(
        f"/api/anime/media/{film.sha256}", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert shared_api.get(f"/api/anime/jobs/{film.job_id}/film").content == answer.content


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=5-", slice(5, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=0-999999999999", slice(0, None)),
        ("bytes=-999999999999", slice(0, None)),
        ("bytes=1-1", slice(1, 2)),
    ],
)
def test_a_range_gets_its_bytes(
    shared_tiny: Studio, shared_api: httpx.Client, film: Any, asked: str, part: slice
) -> None:
    data = whole(shared_tiny, film)
    answer = shared_api.get(f"/api/anime/media/{film.sha256}", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, data[part])
    first = range(len(data))[part][0]
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(data[part]) - 1}/{len(data)}"


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
def test_a_range_outside_the_file_is_refused_with_its_size(
    shared_tiny: Studio, shared_api: httpx.Client, film: Any, asked: str
) -> None:
    answer = shared_api.get(f"/api/anime/media/{film.sha256}", headers={"Range": asked})
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{film.bytes}")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("asked", ["bytes=5-2", "bytes=0-1,4-5", "frames=0-1", "bytes=a-b"])
def test_what_is_no_single_range_gets_the_whole(
    shared_tiny: Studio, shared_api: httpx.Client, film: Any, asked: str
) -> None:
    answer = shared_api.get(f"/api/anime/media/{film.sha256}", headers={"Range": asked})
    assert (answer.status_code, len(answer.content)) == (200, film.bytes)


def test_a_range_of_another_version_gets_the_whole(
    shared_tiny: Studio, shared_api: httpx.Client, film: Any
) -> None:
    headers = {"Range": "bytes=0-1", "If-Range": '"another"'}
    assert shared_api.get(f"/api/anime/media/{film.sha256}", headers=headers).status_code == 200


def test_head_has_the_headers_and_no_body(shared_tiny: Studio, shared_api: httpx.Client, film: Any) -> None:
    answer = shared_api.head(f"/api/anime/media/{film.sha256}")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(film.bytes)


def test_a_frame_comes_as_a_picture(shared_tiny: Studio, shared_api: httpx.Client, film: Any) -> None:
    path = MediaStore.of(shared_tiny.settings).local_path(film.sha256, film.suffix)
    frames = list(iter_frames(path))
    for number in (0, len(frames) - 1):
        answer = shared_api.get(f"/api/anime/jobs/{film.job_id}/frames/{number}")
        assert answer.headers["content-type"] == "image/png"
        np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(answer.content))), frames[number])
        tag = {"If-None-Match": answer.headers["etag"]}
        assert (
            shared_api.get(f"/api/anime/jobs/{film.job_id}/frames/{number}", headers=tag).status_code == 304
        )
    past = shared_api.get(f"/api/anime/jobs/{film.job_id}/frames/{len(frames)}")
    assert (past.status_code, f"{len(frames)} frames" in past.json()["detail"]) == (404, True)


def test_a_thumbnail_is_small(shared_tiny: Studio, shared_api: httpx.Client, film: Any) -> None:
    answer = shared_api.get(f"/api/anime/jobs/{film.job_id}/thumbnail")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    assert len(answer.content) <= 80_000


def test_the_worst_frame_of_a_metric(shared_tiny: Studio, shared_api: httpx.Client, film: Any) -> None:
    with session_scope(shared_tiny.settings) as session:
        session.execute(
            text(
                "INSERT INTO studio.measurements (job_id, metric_name, state, value, details, backend, "
                "backend_version) VALUES (:job, 'motion_smoothness', 'measured', 0.5, "
                ":details, 'x', '1')"
            ),
            {"job": film.job_id, "details": '{"lowest": {"frame": 2}, "highest": {"frame": 1}}'},
        )
    answer = shared_api.get(f"/api/anime/jobs/{film.job_id}/worst-frame?metric=motion_smoothness")
    assert (answer.status_code, answer.headers["x-frame"]) == (200, "2")
    assert answer.content == shared_api.get(f"/api/anime/jobs/{film.job_id}/frames/2").content
    assert shared_api.get(f"/api/anime/jobs/{film.job_id}/worst-frame?metric=aesthetic").status_code == 404
    failed = shared_api.get(f"/api/anime/jobs/{film.job_id}/worst-frame")  # though no verdict was ever kept
    assert (failed.status_code, failed.headers["x-frame"]) == (200, "2")


def test_a_contact_sheet_is_drawn_and_shown(shared_tiny: Studio, shared_api: httpx.Client, film: Any) -> None:
    path = "/api/anime/contact-sheets/tiny.e01.s001"
    assert shared_api.get(path).status_code == 404
    drawn = shared_api.post(path)
    assert drawn.status_code == 201, drawn.text
    shown = shared_api.get(path)
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/png")
    assert hashlib.sha256(shown.content).hexdigest() == drawn.json()["sha256"]
    assert "no-cache" in shown.headers["cache-control"]  # the next one that is drawn has the same address
    assert "immutable" in shared_api.get(drawn.json()["url"]).headers["cache-control"]
    assert shared_api.get("/api/anime/contact-sheets/..%2F..%2Fetc").status_code in (404, 422)
    assert shared_api.post("/api/anime/contact-sheets/tiny.e07").status_code == 409


def test_only_what_the_database_knows_is_given(
    shared_tiny: Studio, shared_api: httpx.Client, film: Any
) -> None:
    stray = MediaStore.of(shared_tiny.settings).put_bytes(b"not told to the database", ".png")
    assert shared_api.get(f"/api/anime/media/{stray.sha256}").status_code == 404
    for name in ("..%2f..%2fetc%2fpasswd", "../../etc/passwd", film.sha256.upper(), film.sha256[:-1]):
        assert shared_api.get(f"/api/anime/media/{name}").status_code in (404, 422), name


def test_a_file_that_was_dropped_is_gone(shared_tiny: Studio, shared_api: httpx.Client, film: Any) -> None:
    place = MediaStore.of(shared_tiny.settings).local_path(film.sha256, film.suffix)
    away = place.rename(place.with_suffix(".away"))
    for path in (f"/media/{film.sha256}", f"/jobs/{film.job_id}/film", f"/jobs/{film.job_id}/frames/0"):
        answer = shared_api.get(f"/api/anime{path}")
        assert (answer.status_code, answer.json()["remedy"] is not None) == (410, True), path
    away.rename(place)


def test_a_job_without_media_says_so(shared_tiny: Studio, shared_api: httpx.Client, film: Any) -> None:
    [asked] = shared_tiny.retake(["tiny.e01.s001.c0010"])
    answer = shared_api.get(f"/api/anime/jobs/{asked.answered_by_job_id}/film")
    assert (answer.status_code, "queued" in answer.json()["detail"]) == (404, True)
