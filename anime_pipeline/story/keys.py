"""Names of episodes, scenes and cuts: ``lantern-post.e01.s003.c0040``, whose sorted order is story order."""

from __future__ import annotations

import re
from dataclasses import dataclass

from anime_pipeline.story.mistakes import StoryError

SLUG_PATTERN = r"[a-z0-9][a-z0-9-]{0,62}"
MAX_EPISODE, MAX_SCENE, MAX_CUT = 99, 999, 9999

_EPISODE = rf"(?P<project>{SLUG_PATTERN})\.e(?P<episode>[0-9]{{2}})"
_SCENE = rf"{_EPISODE}\.s(?P<scene>[0-9]{{3}})"
_CUT = rf"{_SCENE}\.c(?P<cut>[0-9]{{4}})"


class StoryKeyError(StoryError):
    """A text that is not the name of a project, episode, scene or cut, or a number too large for one."""


@dataclass(frozen=True)
class EpisodeKey:
    """``<slug>.e01``; episodes are numbered 0 to 99."""

    project: str
    episode: int

    def __post_init__(self) -> None:
        if not re.fullmatch(SLUG_PATTERN, self.project):
            raise StoryKeyError(
                f"{self.project!r} is no project slug.",
                "A slug has lower-case letters, digits and hyphens, begins with a letter or digit and is at "
                "most 63 long, such as lantern-post.",
            )
        _check_number("episode", self.episode, MAX_EPISODE)

    def __str__(self) -> str:
        return f"{self.project}.e{self.episode:02d}"

    @classmethod
    def parse(cls, text: str) -> EpisodeKey:
        """The episode that ``text`` names; raises :class:`StoryKeyError`."""
        match = _match("an episode", _EPISODE, text, "lantern-post.e01")
        return cls(match["project"], int(match["episode"]))


@dataclass(frozen=True)
class SceneKey:
    """``<slug>.e01.s003``; scenes are numbered 0 to 999 within their episode."""

    project: str
    episode: int
    scene: int

    def __post_init__(self) -> None:
        _ = self.episode_key
        _check_number("scene", self.scene, MAX_SCENE)

    def __str__(self) -> str:
        return f"{self.episode_key}.s{self.scene:03d}"

    @property
    def episode_key(self) -> EpisodeKey:
        """The episode that the scene belongs to."""
        return EpisodeKey(self.project, self.episode)

    @classmethod
    def parse(cls, text: str) -> SceneKey:
        """The scene that ``text`` names; raises :class:`StoryKeyError`."""
        match = _match("a scene", _SCENE, text, "lantern-post.e01.s003")
        return cls(match["project"], int(match["episode"]), int(match["scene"]))


@dataclass(frozen=True)
class CutKey:
    """``<slug>.e01.s003.c0040``; cuts are numbered 0 to 9999 within their scene."""

    project: str
    episode: int
    scene: int
    cut: int

    def __post_init__(self) -> None:
        _ = self.scene_key
        _check_number("cut", self.cut, MAX_CUT)

    def __str__(self) -> str:
        return f"{self.scene_key}.c{self.cut:04d}"

    @property
    def scene_key(self) -> SceneKey:
        """The scene that the cut belongs to."""
        return SceneKey(self.project, self.episode, self.scene)

    @property
    def episode_key(self) -> EpisodeKey:
        """The episode that the cut belongs to."""
        return EpisodeKey(self.project, self.episode)

    @classmethod
    def parse(cls, text: str) -> CutKey:
        """The cut that ``text`` names; raises :class:`StoryKeyError`."""
        match = _match("a cut", _CUT, text, "lantern-post.e01.s003.c0040")
        return cls(match["project"], int(match["episode"]), int(match["scene"]), int(match["cut"]))


Scope = str | EpisodeKey | SceneKey | CutKey


def parse_scope(text: str) -> Scope:
    """What ``text`` names: a project (returned as its slug), an episode, a scene or a cut."""
    if re.fullmatch(SLUG_PATTERN, text):
        return text
    for pattern, key_class in ((_EPISODE, EpisodeKey), (_SCENE, SceneKey), (_CUT, CutKey)):
        if re.fullmatch(pattern, text):
            return key_class.parse(text)
    raise StoryKeyError(
        f"{text!r} names no project, episode, scene or cut.",
        "Write one of these forms: lantern-post, lantern-post.e01, lantern-post.e01.s003, "
        "lantern-post.e01.s003.c0040.",
    )


def _match(what: str, pattern: str, text: str, example: str) -> re.Match[str]:
    match = re.fullmatch(pattern, text)
    if match is None:
        raise StoryKeyError(f"{text!r} is not the key of {what}.", f"Keys of this kind look like {example}.")
    return match


def _check_number(what: str, number: int, largest: int) -> None:
    if not 0 <= number <= largest:
        raise StoryKeyError(
            f"{what.capitalize()} number {number} is out of range.", f"Use a number from 0 to {largest}."
        )
