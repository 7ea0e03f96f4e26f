"""What a cut must agree with: its scene's cast, its own cast's speakers, its length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from anime_pipeline.story.plain import Findings, Group, groups, text, whole
from anime_pipeline.story.production import STILL_SECONDS, CutCastEntry, LineEntry
from anime_pipeline.story.timing import SpokenText, speaking_times
from anime_pipeline.story.wording import known_or_list
from anime_pipeline.story.yaml_reading import Location

Outfits = Mapping[str, set[str]]


def check_cut(
    location: Location, cut: Group, scene_cast: Sequence[str], outfits: Outfits, fps: int, findings: Findings
) -> None:
    """Note what is wrong with one cut. ``outfits`` has the wearable variations of the known characters."""
    shown = _check_cast(location, cut, scene_cast, outfits, findings)
    lines = groups(cut, location, "dialogue", LineEntry)
    for place, line in lines:
        speaker = text(line, "speaker")
        if speaker and speaker not in shown and line.get("off_screen") is not True:
            hint = known_or_list(speaker, shown, "add it to the cast")
            findings.add(
                (*place, "speaker"), f"{speaker} is not in this cut", f"{hint}; or say off_screen: true"
            )
    _check_lengths(location, cut, lines, fps, findings)


def check_seeds(location: Location, cut: Group, project_policy: str | None, findings: Findings) -> None:
    """Note takes that would all be the same, and a seed beside the wish that one be drawn."""
    own = text(cut, "seed_policy")
    takes = whole(cut, "takes") or 1
    if (own or project_policy) == "fixed" and takes > 1:
        message = f"{takes} takes with seed_policy fixed would all be the same picture"
        findings.add((*location, "takes"), message, "write takes: 1, or another seed_policy for the cut")
    if own == "random" and cut.get("seed") is not None:
        findings.add(
            (*location, "seed"), "the cut has a seed, so none is drawn at random", "keep one of the two"
        )


def check_outfit(
    location: Location, member: Group, key: str, name: str, outfits: Outfits, findings: Findings
) -> None:
    """Note an outfit that the character does not have."""
    wanted = text(member, key)
    if wanted and wanted not in outfits[name]:
        suggestion = known_or_list(wanted, outfits[name], f"give {name} such a variation")
        findings.add((*location, key), f"{name} has no outfit {wanted}", suggestion)


def _check_cast(
    location: Location, cut: Group, scene_cast: Sequence[str], outfits: Outfits, findings: Findings
) -> Sequence[str]:
    if cut.get("cast") is None:
        return scene_cast
    cast = groups(cut, location, "cast", CutCastEntry)
    findings.add_duplicates(cast, ("character",), "character")
    shown = []
    for place, member in cast:
        name = text(member, "character")
        if name is None:
            continue
        shown.append(name)
        if name not in scene_cast:
            suggestion = known_or_list(name, scene_cast, "give the scene a cast")
            findings.add((*place, "character"), f"{name} is not in the scene's cast", suggestion)
        elif name in outfits:
            check_outfit(place, member, "variation", name, outfits, findings)
    return shown


def _check_lengths(
    location: Location, cut: Group, lines: list[tuple[Location, Group]], fps: int, findings: Findings
) -> None:
    kind, repeats = cut.get("kind"), whole(cut, "repeats") or 1
    if kind in ("loop", "video") and cut.get("duration_frames") is None:
        findings.add(location, f"a {kind} needs duration_frames", "write its length in frames")
        return
    frames = whole(cut, "duration_frames")
    if kind in ("loop", "video") and frames == 1:
        findings.add((*location, "duration_frames"), f"a {kind} has at least 2 frames", "or make it a still")
    if repeats > 1 and kind in ("still", "video"):
        findings.add((*location, "repeats"), f"a {kind} does not repeat", "remove it or make the cut a loop")
    if cut.get("duration_frames") is None:
        frames = STILL_SECONDS * (whole(cut, "fps") or fps)
    if frames and frames >= 1:
        _check_times(lines, frames * repeats, findings)


def _check_times(lines: list[tuple[Location, Group]], frames: int, findings: Findings) -> None:
    spoken = [
        SpokenText(text(line, "text") or " ", whole(line, "start"), whole(line, "end")) for _, line in lines
    ]
    for (place, _), given, (start, end) in zip(lines, spoken, speaking_times(spoken, frames), strict=True):
        key = "end" if given.end is not None else "start" if given.start is not None else None
        at = (*place, key) if key else place
        if end > frames or start >= frames:
            last = end if end > frames else start
            findings.add(
                at, f"the line is spoken at frame {last}, the cut has {frames}", "shorten or move it"
            )
        elif start >= end:
            findings.add(at, "no frame is left to speak the line in", "give it start and end, or more frames")
