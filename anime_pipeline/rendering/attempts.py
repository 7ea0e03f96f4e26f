"""One attempt at a take on one server: adopt or post, follow, fetch, check, store."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select

from anime_pipeline.database.models import MediaFile
from anime_pipeline.database.session import session_scope
from anime_pipeline.media.errors import MediaError
from anime_pipeline.media.film import Frame, frames_sha256, iter_frames, probe
from anime_pipeline.media.store import MediaStore
from anime_pipeline.media.thumbnail import strip_positions, webp_strip
from anime_pipeline.rendering.budget_refusals import refused_over_budget
from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.comfyui_errors import ComfyError, RejectedPromptError
from anime_pipeline.rendering.environment import note_environment
from anime_pipeline.rendering.fleet import FleetServer
from anime_pipeline.rendering.following import Finished, Follower, is_known
from anime_pipeline.rendering.preflight import preflight
from anime_pipeline.rendering.progress import ProgressListener
from anime_pipeline.rendering.queue import (
    Leased,
    OpenAttempt,
    adopt_attempt,
    end_attempt,
    start_attempt,
)
from anime_pipeline.rendering.recipes import output_nodes, submission_graph
from anime_pipeline.rendering.recording import Rendered, RenderedFile
from anime_pipeline.settings import Settings


class LeaseLostError(Exception):
    """Another worker has the take by now."""


class Attempt:
    """Renders one leased take; :attr:`attempt_id` is known as soon as the attempt is recorded."""

    def __init__(
        self,
        settings: Settings,
        store: MediaStore,
        fleet_server: FleetServer,
        leased: Leased,
        should_stop: Callable[[], bool],
        on_progress: Callable[[float], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._fleet_server = fleet_server
        self._leased = leased
        self._should_stop = should_stop
        self._on_progress = on_progress
        self.attempt_id: int | None = None
        self.prompt_id: str | None = None
        self.adopted = False
        self.client = fleet_server.client
        self._server_kind: str = fleet_server.server.kind

    def render(self) -> Rendered:
        """Bring the take's files into the store.

        Raises :class:`ComfyError`, :class:`LeaseLostError` or
        :class:`~anime_pipeline.rendering.following.StoppedError`.
        """
        if not self._adopt():
            self._post()
        assert self.prompt_id is not None
        graph = self._leased.workflow
        with self._listener(self.prompt_id) as listener:
            follower = Follower(self.client, listener, self._settings.stall_seconds, self._should_stop)
            finished = follower.follow(self.prompt_id, graph, output_nodes(graph), self._on_progress)
        return self._fetched(finished)

    def cancel(self) -> None:
        """Take the prompt off its server, as far as that can be done."""
        if self.prompt_id is not None:
            try:
                self.client.cancel(self.prompt_id)
            except ComfyError:
                return  # the server is gone, and the prompt with it

    def _adopt(self) -> bool:
        """Take over what an earlier worker posted, if its server still knows it; else close it as lost."""
        open_attempt = self._leased.open_attempt
        if open_attempt is None:
            return False
        client = self._holder(open_attempt)
        with session_scope(self._settings) as session:
            if not adopt_attempt(session, self._leased, open_attempt):
                raise LeaseLostError
            if client is None:
                end_attempt(
                    session, open_attempt.attempt_id, self._leased.token, "lost", "lost",
                    f"{open_attempt.broken_by or 'its worker ended'}; its server lost it, or is silent",
                )  # fmt: skip
        if client is None:
            return False
        self.client, self.adopted, self._server_kind = client, True, open_attempt.server_kind
        self.attempt_id, self.prompt_id = open_attempt.attempt_id, open_attempt.prompt_id
        return True

    @contextmanager
    def _listener(self, prompt_id: str) -> Iterator[ProgressListener]:
        """Who hears of the prompt: for one that another worker posted, a listener in that worker's place.

        Without it a long render would look like a stall, since a server tells of a prompt to its client only.
        """
        own, client_id = self._fleet_server, None
        if self.adopted:
            client_id = self.client.client_id_of(prompt_id)
        if client_id is None or (self.client is own.client and client_id == own.client_id):
            yield own.listener
            return
        with ProgressListener(self.client.url, client_id) as listener:
            yield listener

    def _holder(self, attempt: OpenAttempt) -> ComfyClient | None:
        """The server that still has a prompt; None where it does not know it, or is another and silent."""
        own = attempt.server_url == self._fleet_server.url
        client = self._fleet_server.client if own else ComfyClient(attempt.server_url)
        try:
            return client if is_known(client, attempt.prompt_id) else None
        except ComfyError:
            if own:
                raise
            return None

    def _post(self) -> None:
        leased, server = self._leased, self._fleet_server
        self.client, self._server_kind = server.client, server.server.kind
        preflight(leased.workflow, server.object_info)
        names = self._uploaded()
        prompt_id = str(uuid.uuid4())
        with session_scope(self._settings) as session, refused_over_budget():
            self.attempt_id = start_attempt(session, leased, server.server.url, self._server_kind, prompt_id)
        if self.attempt_id is None:
            raise LeaseLostError
        self.prompt_id = prompt_id
        prefix = f"anime-pipeline/{leased.cut_key}.t{leased.take_number:02d}.{prompt_id[:8]}"
        try:
            self._submit(prefix, prompt_id, names)
        except RejectedPromptError as error:
            if not error.lacks_picture or not names:
                raise
            # Somebody has cleared the server's folder of inputs since they were sent.
            self.client.forget_uploads()
            self._submit(prefix, prompt_id, self._uploaded())
        note_environment(self._settings, self.attempt_id, self.client, server.object_info, leased.workflow)

    def _submit(self, prefix: str, prompt_id: str, names: Mapping[str, str]) -> None:
        graph = submission_graph(self._leased.workflow, prefix, names)
        self.client.submit(graph, self._fleet_server.client_id, prompt_id, self._marks())

    def _uploaded(self) -> dict[str, str]:
        return {name: self._upload(name, sha256) for name, sha256 in self._leased.inputs.items()}

    def _upload(self, name: str, sha256: str) -> str:
        with session_scope(self._settings) as session:
            suffix = session.scalar(select(MediaFile.suffix).where(MediaFile.sha256 == sha256))
        try:
            path = self._store.local_path(sha256, suffix or Path(name).suffix)
        except MediaError as error:
            raise ComfyError("validation", f"an input picture is missing: {error}", error.remedy) from error
        return self.client.upload(path, name)

    def _marks(self) -> Mapping[str, object]:
        """What a PNG says of itself beside its graph."""
        leased = self._leased
        marks = {"cut": leased.cut_key, "take": leased.take_number, "recipe": leased.recipe_hash}
        return {"anime_pipeline": marks}

    def _fetched(self, finished: Finished) -> Rendered:
        with tempfile.TemporaryDirectory(prefix="anime-pipeline-") as folder:
            paths = []
            for position, file in enumerate(finished.files):
                path = Path(folder) / f"{position:05d}{Path(file['filename']).suffix.lower()}"
                self.client.view(file, path)
                paths.append(path)
            try:
                # A file that cannot be decoded whole fails the attempt. One that can, but shows the wrong
                # thing, is a take: its gate measures that and says so.
                infos = [probe(path) for path in paths]
                frames = _Watched(_frames_of(paths), strip_positions(sum(i.frame_count for i in infos)))
                pixels = frames_sha256(frames)
                files = [
                    RenderedFile(
                        self._store.put_file(path), info, "film" if info.kind == "video" else "frame"
                    )
                    for path, info in zip(paths, infos, strict=True)
                ]
                files.append(self._thumbnail(Path(folder) / "thumbnail.webp", frames.seen))
            except MediaError as error:
                raise ComfyError(
                    "contract", f"the render cannot be used: {_unplaced(error, folder)}"
                ) from error
        return Rendered(tuple(files), pixels, finished.seconds, self._server_kind)

    def _thumbnail(self, path: Path, frames: list[Frame]) -> RenderedFile:
        path.write_bytes(webp_strip(frames))
        return RenderedFile(self._store.put_file(path), probe(path), "thumbnail")


class _Watched:
    """Frames on their way through, of which some are kept."""

    def __init__(self, frames: Iterator[Frame], wanted: Collection[int]) -> None:
        self._frames = frames
        self._wanted = wanted
        self.seen: list[Frame] = []

    def __iter__(self) -> Iterator[Frame]:
        for number, frame in enumerate(self._frames):
            if number in self._wanted:
                self.seen.append(frame)
            yield frame


def _frames_of(paths: list[Path]) -> Iterator[Frame]:
    for path in paths:
        yield from iter_frames(path)


def _unplaced(error: MediaError, folder: str) -> str:
    """The message without the temporary folder, which is gone when anybody reads it."""
    return str(error).replace(f"{folder}/", "")
