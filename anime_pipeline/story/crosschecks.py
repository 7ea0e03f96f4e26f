"""What the parts of a production must agree on: names that refer to each other, numbers, colours, pictures.

These checks read the plain data, not the models, so that they also run on a file whose models do not validate
and all its mistakes are told at once. Whatever has the wrong shape is left to the models.
"""

from __future__ import annotations

from anime_pipeline.story.cut_checks import Outfits, check_cut, check_outfit, check_seeds
from anime_pipeline.story.plain import Findings, Group, groups, text, whole
from anime_pipeline.story.production import PICTURE_FIELDS
from anime_pipeline.story.wording import color_suggestion, known_or_list
from anime_pipeline.story.yaml_reading import Location

# The public tables have no column for these two: they are kept inside JSON that the file also fills.
BACKGROUND_KEY = "background_image"
NEGATIVE_KEY = "negative_prompt"


def check(data: object) -> Findings:
    """All disagreements in the data of a production file, and the pictures that it names."""
    findings = Findings()
    if not isinstance(data, dict):
        return findings
    _check_project_and_bible(data, findings)
    characters = groups(data, (), "characters")
    findings.add_duplicates(characters, ("name",), "character")
    for location, character in characters:
        _check_character(location, character, findings)
    outfits = _outfits(data, characters)
    project = data.get("project")
    fps = whole(project, "fps") or 24 if isinstance(project, dict) else 24
    policy = text(project, "seed_policy") if isinstance(project, dict) else None
    episodes = groups(data, (), "episodes")
    findings.add_duplicates(episodes, ("number",), "episode")
    for location, episode in episodes:
        scenes = groups(episode, location, "scenes")
        findings.add_duplicates(scenes, ("number",), "scene")
        for place, scene in scenes:
            _check_scene(place, scene, outfits, fps, policy, findings)
    return findings


def _check_project_and_bible(data: Group, findings: Findings) -> None:
    project, bible = data.get("project"), data.get("bible")
    if isinstance(project, dict):
        sides = str(project.get("resolution")).split("x")
        if len(sides) == 2 and all(side.isdecimal() and len(side) in (2, 3, 4) for side in sides):
            _check_resolution(int(sides[0]), int(sides[1]), findings)
    requirements = bible.get("technical_requirements") if isinstance(bible, dict) else None
    if isinstance(requirements, dict) and NEGATIVE_KEY in requirements:
        place = ("bible", "technical_requirements", NEGATIVE_KEY)
        findings.add(place, f"{NEGATIVE_KEY} has its own place", f"write it as bible.{NEGATIVE_KEY}")


def can_be_filmed(width: int, height: int) -> bool:
    """Whether films can have this size in pixels: sides even and between 16 and 8192."""
    return all(16 <= side <= 8192 and side % 2 == 0 for side in (width, height))


def _check_resolution(width: int, height: int, findings: Findings) -> None:
    if can_be_filmed(width, height):
        return
    possible = "x".join(str(max(16, min(8192, side - side % 2))) for side in (width, height))
    message = f"{width}x{height} cannot be filmed: each side must be even and between 16 and 8192"
    findings.add(("project", "resolution"), message, f"write {possible}")


def _check_character(location: Location, character: Group, findings: Findings) -> None:
    attributes = groups(character, location, "attributes")
    variations = groups(character, location, "variations")
    anchors = groups(character, location, "anchors")
    findings.add_duplicates(attributes, ("type",), "attribute")
    findings.add_duplicates(variations, ("name",), "variation")
    findings.add_duplicates(anchors, ("type", "name"), "anchor")
    for place, attribute in attributes:
        value = text(attribute, "value") or ""
        if value.startswith("#") and not _is_hex(value):
            findings.add((*place, "value"), f"{value} is not a colour as #rrggbb", color_suggestion(value))
    for place, entry in variations + anchors:
        _note_picture(place, entry, findings)


def _check_scene(
    location: Location,
    scene: Group,
    outfits: Outfits | None,
    fps: int,
    policy: str | None,
    findings: Findings,
) -> None:
    _note_picture(location, scene, findings)
    overrides = scene.get("style_overrides")
    if isinstance(overrides, dict) and BACKGROUND_KEY in overrides:
        place = (*location, "style_overrides", BACKGROUND_KEY)
        findings.add(place, f"{BACKGROUND_KEY} has its own place", "write it beside style_overrides")
    cast = groups(scene, location, "cast")
    findings.add_duplicates(cast, ("character",), "character")
    names = []
    for place, member in cast:
        name = text(member, "character")
        if name is None:
            continue
        names.append(name)
        if outfits is not None and name not in outfits:
            suggestion = known_or_list(name, outfits, "describe it under characters")
            findings.add((*place, "character"), f"there is no character {name}", suggestion)
        elif outfits is not None:
            check_outfit(place, member, "costume_variant", name, outfits, findings)
    cuts = groups(scene, location, "cuts")
    findings.add_duplicates(cuts, ("number",), "cut")
    for place, cut in cuts:
        _note_picture(place, cut, findings)
        check_cut(place, cut, names, outfits or {}, fps, findings)
        check_seeds(place, cut, policy, findings)


def _note_picture(location: Location, entry: Group, findings: Findings) -> None:
    for key in PICTURE_FIELDS:
        if path := text(entry, key):
            findings.pictures.append(((*location, key), path))


def _outfits(data: Group, characters: list[tuple[Location, Group]]) -> dict[str, set[str]] | None:
    """Wearable variations by character; None where the list itself is damaged, so that nothing cascades."""
    written = data.get("characters", [])
    if not isinstance(written, list) or len(characters) != len(written):
        return None
    outfits: dict[str, set[str]] = {}
    for location, character in characters:
        name = text(character, "name")
        if name is None:
            return None
        outfits.setdefault(name, set()).update(
            text(variation, "name") or ""
            for _, variation in groups(character, location, "variations")
            if variation.get("type") != "expression"
        )
    return outfits


def _is_hex(value: str) -> bool:
    return len(value) == 7 and all(digit in "0123456789abcdefABCDEF" for digit in value[1:])
