"""The cast of a shot: puppets and given pictures, placed and drawn frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFilter

from anime_pipeline.preview.drawing.clock import Clock
from anime_pipeline.preview.drawing.colours import Floats
from anime_pipeline.preview.drawing.figures.look import Look, look_of
from anime_pipeline.preview.drawing.figures.puppet import (
    Puppet,
    Sprite,
    moved,
    place,
    sheared,
    sprite_of,
    stretched,
    turned,
)
from anime_pipeline.preview.drawing.grade import graded, grading, palette_colours
from anime_pipeline.preview.drawing.light import Factors, Light
from anime_pipeline.preview.drawing.motion import Actor, actor_of, stance_of
from anime_pipeline.preview.drawing.pen import Sheet, blurred, radial
from anime_pipeline.preview.drawing.shot import Pixels, Shot
from anime_pipeline.preview.drawing.staging import Spot, stage
from anime_pipeline.preview.drawing.vocabulary import Camera

# Figures lean to the palette only a little: a character keeps its own colours in every scene.
_PULL = 0.06


@dataclass(eq=False)
class CastMember:
    """One figure of a shot: its acting and either a puppet or a picture."""

    actor: Actor
    spot: Spot
    puppet: Puppet
    picture: Sprite | None
    shadow: Sprite
    glow: Image.Image | None

    def draw(self, frame: Image.Image, camera: Floats, clock: Clock) -> None:
        """Draws the figure at a moment; ``camera`` maps shares of the frame's height to pixels."""
        spot = self.spot
        pose = self.actor.pose(clock)
        root = camera @ moved(spot.x, spot.ground) @ np.diag((spot.head, spot.head, 1.0))
        place(frame, self.shadow, root @ moved(pose.dx, 0.0))
        if self.picture is not None:
            body = (
                root
                @ moved(pose.dx, pose.dy)
                @ turned(pose.lean + 0.4 * pose.head_angle)
                @ stretched(pose.stretch)
            )
            place(frame, self.picture, body @ sheared(0.25 * pose.hair_sway))
            return
        for sprite, matrix in self.puppet.placed(pose, root):
            place(frame, sprite, matrix)
        if self.glow is not None:
            for x, y in self.puppet.light_points(pose, root):
                frame.paste(self.glow, (round(x) - self.glow.width // 2, round(y) - self.glow.height // 2),
                    self.glow)  # fmt: skip


def cast_of(
    shot: Shot, camera: Camera, weather: frozenset[str], ambient: Factors, light: Light, zoom: float
) -> list[CastMember]:
    """All figures from the back to the front."""
    looks = [look_of(figure) for figure in shot.figures]
    spots = stage(shot, looks, camera)
    members = []
    lit = grading(ambient, palette_colours(shot.palette), _PULL)
    dark = grading((ambient[0] * 0.5, ambient[1] * 0.5, ambient[2] * 0.58), palette_colours(shot.palette),
        _PULL)  # fmt: skip
    for figure, look, spot in zip(shot.figures, looks, spots, strict=True):
        if "sit" in spot.deeds:
            look = replace(look, legs=look.legs * 0.55)
        scale = max(1.0, spot.head * shot.height * zoom)
        shoulder = spot.depth <= -2
        table = dark if shoulder else lit
        blur = 0.010 * shot.height if shoulder else 0.0
        puppet = Puppet(look, stance_of(look, spot, shot.action), scale, table, blur)
        picture = None if figure.picture is None else _picture(figure.picture, look, scale, table)
        glow = _lantern_light(scale, light) if "lantern" in (puppet.stance.item_left,
            puppet.stance.item_right) else None  # fmt: skip
        members.append(CastMember(actor_of(shot, look, spot, weather), spot, puppet, picture, _shadow(look,
            scale), glow))  # fmt: skip
    # Who holds something out is in front: the thing must not vanish behind its receiver.
    return sorted(members, key=lambda member: (-member.spot.depth, "give" in member.spot.deeds))


def _picture(pixels: Pixels, look: Look, scale: float, table: ImageFilter.Color3DLUT) -> Sprite:
    """A studio's own figure, cut to its opaque part and as tall as the stylised one would be."""
    image = Image.fromarray(np.ascontiguousarray(pixels), "RGBA")
    image = image.crop(image.getbbox() or (0, 0, image.width, image.height))
    tall = look.torso + look.legs + 1.15
    height = max(1, round(tall * scale))
    width = max(1, round(image.width * height / image.height))
    image = image.resize((width, height), Image.Resampling.LANCZOS)
    return sprite_of(graded(image, table), (width / 2, float(height)), height / tall)


def _shadow(look: Look, scale: float) -> Sprite:
    wide = look.shoulders * 1.5
    sheet = Sheet(-wide, -0.25, wide, 0.25, scale, 1)
    sheet.dot(0, 0, wide * 0.75, 0.12, (22, 16, 44, 110))
    return sprite_of(blurred(sheet.finished(), 0.04 * scale), sheet.origin, scale)


def _lantern_light(scale: float, light: Light) -> Image.Image:
    radius = max(3, round(scale * (0.8 + 0.9 * light.lamps)))
    return radial(48, (255, 206, 120), 0.25 + 0.4 * light.lamps).resize((2 * radius, 2 * radius),
        Image.Resampling.BILINEAR)  # fmt: skip
