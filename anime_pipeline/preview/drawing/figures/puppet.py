"""A figure as a puppet: parts drawn once, then placed for every frame by a pose."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageFilter

from anime_pipeline.preview.drawing.colours import Floats
from anime_pipeline.preview.drawing.cutout import Cutout, cut_out
from anime_pipeline.preview.drawing.figures import accessories, body, face, hair, head, outfits
from anime_pipeline.preview.drawing.figures.body import ArmPose
from anime_pipeline.preview.drawing.figures.face import MASKS, Lids, Mouth
from anime_pipeline.preview.drawing.figures.look import Look
from anime_pipeline.preview.drawing.grade import graded
from anime_pipeline.preview.drawing.pen import Point, Sheet, blurred

# Drawn so many times larger where a head has at most so many pixels: a large one is smooth by itself, and the
# sheet of an arm is four heads wide.
_OVERSAMPLES = ((700.0, 3), (1400.0, 2), (math.inf, 1))
_HEAD_BOX = (-0.95, -1.12, 0.95, 0.95)
_CHIN = -0.6
_TURN_STEPS = 10


@dataclass(frozen=True)
class Pose:
    """One moment of a figure. Offsets in heads, angles in degrees, sways as shears (heads per head)."""

    dx: float = 0.0
    dy: float = 0.0
    lean: float = 0.0
    stretch: float = 1.0
    head_angle: float = 0.0
    head_dx: float = 0.0
    head_dy: float = 0.0
    hair_sway: float = 0.0
    cloth_sway: float = 0.0
    arm_left: float = 0.0
    arm_right: float = 0.0
    leg_left: float = 0.0
    leg_right: float = 0.0
    tail: float = 0.0
    turn: float = 0.0
    lids: Lids = "open"
    mouth: Mouth = "rest"


@dataclass(frozen=True)
class Stance:
    """What stays for a whole shot: arms, things in hand, back view, gaze, whether it sits."""

    left: ArmPose = "rest"
    right: ArmPose = "rest"
    item_left: str | None = None
    item_right: str | None = None
    back: bool = False
    gaze: Point = (0.0, 0.0)
    seated: bool = False


@dataclass(frozen=True, eq=False)
class Sprite:
    """A finished picture whose origin lies on its joint, and its pixels per head."""

    picture: Cutout
    scale: float


@dataclass
class Puppet:
    """The parts of one figure at ``scale`` pixels per head, under one grading."""

    look: Look
    stance: Stance
    scale: float
    table: ImageFilter.Color3DLUT
    blur: float = 0.0
    _cache: dict[object, Sprite] = field(default_factory=dict)
    _heads: dict[float, tuple[Sheet, Sheet]] = field(default_factory=dict)

    def placed(self, pose: Pose, root: Floats) -> Iterator[tuple[Sprite, Floats]]:
        """Parts from back to front, each with the matrix from its own heads to the frame's pixels.

        ``root`` maps heads around the ground point between the feet to pixels.
        """
        look, stance = self.look, self.stance
        hip = look.torso
        ground = root @ moved(pose.dx, pose.dy) @ turned(pose.lean) @ stretched(pose.stretch)
        neck = ground @ moved(0, -(look.torso + look.legs))
        skull = (
            neck @ moved(pose.head_dx, _CHIN + pose.head_dy + 0.5) @ turned(pose.head_angle) @ moved(0, -0.5)
        )
        if look.accessories & {"fox_ears", "cat_ears"}:
            yield self._part("animal_tail"), neck @ moved(0.12, hip * 0.95) @ turned(pose.tail)
        if stance.back:
            yield from self._from_behind(pose, neck, skull)
            return
        yield self._part("hair_back"), skull @ moved(0, -0.4) @ sheared(pose.hair_sway) @ moved(0, 0.4)
        tails = hair.tail_roots(look)
        for (x, y), side, in_front in tails:
            if not in_front:
                yield (
                    self._part(f"tail{side:+.0f}"),
                    skull @ moved(x, y) @ turned(-60 * pose.hair_sway) @ sheared(pose.hair_sway),
                )
        if look.outfit in ("raincoat", "hoodie") and not look.hood_up:
            yield self._part("hood_down"), neck
        yield from self._trunk(pose, neck)
        yield from self._arms(pose, neck, raised=False)
        yield self._head(pose), skull
        for (x, y), side, in_front in tails:
            if in_front:
                yield (
                    self._part(f"tail{side:+.0f}"),
                    skull @ moved(x, y) @ turned(-30 * pose.hair_sway) @ sheared(pose.hair_sway * 0.5),
                )
        yield from self._arms(pose, neck, raised=True)

    def light_points(self, pose: Pose, root: Floats) -> list[Point]:
        """Where the figure carries a burning lantern, in pixels."""
        ground = root @ moved(pose.dx, pose.dy) @ turned(pose.lean) @ stretched(pose.stretch)
        neck = ground @ moved(0, -(self.look.torso + self.look.legs))
        points = []
        for side, item in ((-1.0, self.stance.item_left), (1.0, self.stance.item_right)):
            if item == "lantern" and not self.stance.back:
                held = neck @ self._hand_matrix(pose, side) @ moved(0, 0.42)
                points.append((float(held[0, 2]), float(held[1, 2])))
        return points

    def _trunk(self, pose: Pose, neck: Floats) -> Iterator[tuple[Sprite, Floats]]:
        hip = self.look.torso
        spread = self.look.shoulders * 0.34
        if self.stance.seated:
            yield self._part("stool"), neck @ moved(0, hip)
        yield self._part("leg"), neck @ moved(-spread, hip) @ turned(pose.leg_left)
        yield self._part("leg"), neck @ moved(spread, hip) @ turned(pose.leg_right)
        waist = self._waist
        yield self._part("skirt"), neck @ moved(0, waist) @ sheared(pose.cloth_sway) @ moved(0, -waist)
        yield self._part("bodice"), neck

    def _from_behind(self, pose: Pose, neck: Floats, skull: Floats) -> Iterator[tuple[Sprite, Floats]]:
        yield from self._trunk(pose, neck)
        yield from self._arms(pose, neck, raised=False)
        yield from self._arms(pose, neck, raised=True)
        yield self._part("head_back"), skull
        for (x, y), side, _ in hair.tail_roots(self.look):
            yield (
                self._part(f"tail{side:+.0f}"),
                skull @ moved(x * 0.6, y) @ turned(-40 * pose.hair_sway) @ sheared(pose.hair_sway),
            )

    def _arms(self, pose: Pose, neck: Floats, raised: bool) -> Iterator[tuple[Sprite, Floats]]:
        for side, arm, item in (
            (-1.0, self.stance.left, self.stance.item_left),
            (1.0, self.stance.right, self.stance.item_right),
        ):
            if (arm in ("wave", "raise", "give", "hold")) != raised:
                continue
            angle = pose.arm_left if side < 0 else pose.arm_right
            matrix = neck @ self._shoulder(side) @ turned(angle)
            hang = neck @ self._hand_matrix(pose, side)
            if item == "lantern":
                yield self._part(item), hang @ turned(pose.tail * 0.6)
            yield self._part(f"arm{side:+.0f}", arm), matrix
            if item is not None and item != "lantern":
                yield self._part(item), hang @ moved(0.12 * side, -0.06)

    def _shoulder(self, side: float) -> Floats:
        return moved(side * (self.look.shoulders * 0.9), 0.24)

    def _hand_matrix(self, pose: Pose, side: float) -> Floats:
        arm, angle = (self.stance.left, pose.arm_left) if side < 0 else (self.stance.right, pose.arm_right)
        x, y = body.joints(self.look, arm)[2]
        at = self._shoulder(side) @ turned(angle) @ moved(x * side, y)
        return moved(float(at[0, 2]), float(at[1, 2]))

    @property
    def _waist(self) -> float:
        return self.look.torso * 0.66

    def _head(self, pose: Pose) -> Sprite:
        turn = round(pose.turn * _TURN_STEPS) / _TURN_STEPS
        key = ("head", turn, pose.lids, pose.mouth)
        if key not in self._cache:
            if turn not in self._heads:
                self._heads[turn] = self._head_layers(turn)
            under, over = self._heads[turn]
            whole = under.layer()
            whole.merge(under)
            face.draw_face(
                whole, self.look, MASKS[self.look.expression], pose.lids, pose.mouth, turn, self.stance.gaze
            )
            whole.merge(over)
            self._cache[key] = self._sprite(whole)
        return self._cache[key]

    def _head_layers(self, turn: float) -> tuple[Sheet, Sheet]:
        under, over = self._sheet(*_HEAD_BOX), self._sheet(*_HEAD_BOX)
        head.draw_head(under, self.look, turn)
        if self.look.accessories & {"beard", "moustache"}:
            head.draw_beard(under, self.look, turn)
        accessories.draw_on_face(over, self.look, turn)
        if self.look.accessories & {"fox_ears", "cat_ears"}:
            accessories.draw_ears(over, self.look)
        hair.draw_front(over, self.look, turn)
        if self.look.hood_up:
            outfits.draw_hood_up(over, self.look)
        accessories.draw_on_head(over, self.look)
        return under, over

    def _part(self, name: str, arm: ArmPose = "rest") -> Sprite:
        key = (name, arm)
        if key not in self._cache:
            self._cache[key] = self._draw(name, arm)
        return self._cache[key]

    def _draw(self, name: str, arm: ArmPose) -> Sprite:
        look, dressing = self.look, body.dressing_of(self.look)
        if name in ("bodice", "skirt"):
            return self._garment(name)
        if name == "leg":
            sheet = self._sheet(-0.3, -0.15, 0.3, look.legs + 0.06)
            body.draw_leg(sheet, look, dressing)
        elif name.startswith("arm"):
            reach = look.torso + 0.6
            sheet = self._sheet(-reach, -reach, reach, reach)
            body.draw_arm(sheet, look, dressing, arm, -1.0 if name == "arm-1" else 1.0)
        elif name == "stool":
            wide = look.shoulders * 1.7
            sheet = self._sheet(-wide, -0.05, wide, look.legs + 0.06)
            accessories.draw_stool(sheet, look)
        elif name == "hair_back":
            sheet = self._sheet(-0.95, -0.95, 0.95, 1.65)
            hair.draw_back(sheet, look)
        elif name.startswith("tail"):
            sheet = self._sheet(-0.7, -0.3, 0.7, 1.45)
            hair.draw_tails(sheet, look, -1.0 if name == "tail-1" else 1.0)
        elif name == "head_back":
            sheet = self._sheet(-0.95, -1.12, 0.95, 1.1)
            if look.accessories & {"fox_ears", "cat_ears"}:
                accessories.draw_ears(sheet, look)
            hair.draw_back_view(sheet, look)
            accessories.draw_on_head(sheet, look)
        elif name == "hood_down":
            sheet = self._sheet(-0.6, -0.45, 0.6, 0.3)
            outfits.draw_hood_down(sheet, look)
        elif name == "animal_tail":
            sheet = self._sheet(-0.2, -1.15, 1.3, 0.6)
            accessories.draw_animal_tail(sheet, look)
        else:
            sheet = self._sheet(-0.35, -0.3, 0.35, 0.75)
            (accessories.draw_lantern if name == "lantern" else accessories.draw_letter)(sheet)
            if name == "lantern":
                return sprite_of(sheet.finished(), sheet.origin, self.scale)
        return self._sprite(sheet)

    def _garment(self, name: str) -> Sprite:
        look, dressing = self.look, body.dressing_of(self.look)
        sheet = self._sheet(-1.6, -0.5, 1.6, dressing.hem + 0.6)
        body.draw_neck(sheet, look)
        outfits.draw_outfit(sheet, look, dressing, self.stance.back)
        whole = self._toned(sheet)
        cut = round(sheet.origin[1] + self._waist * self.scale)
        # The bodice lies two pixels over the skirt, so that no seam opens when the skirt sways.
        box = (0, 0, whole.width, min(whole.height, cut + 2)) if name == "bodice" else (0, cut, whole.width,
            whole.height)  # fmt: skip
        x, y = sheet.origin
        return sprite_of(whole.crop(box), (x, y - box[1]), self.scale)

    def _sheet(self, x0: float, y0: float, x1: float, y1: float) -> Sheet:
        oversample = next(times for largest, times in _OVERSAMPLES if self.scale <= largest)
        return Sheet(x0, y0, x1, y1, self.scale, oversample)

    def _sprite(self, sheet: Sheet) -> Sprite:
        return sprite_of(self._toned(sheet), sheet.origin, self.scale)

    def _toned(self, sheet: Sheet) -> Image.Image:
        image = graded(sheet.finished(), self.table)
        return blurred(image, self.blur) if self.blur >= 0.5 else image


def sprite_of(image: Image.Image, origin: Point, scale: float) -> Sprite:
    """A sprite from an RGBA picture; an empty one stays a single clear pixel."""
    picture = cut_out(image, origin)
    return Sprite(picture or Cutout(Image.new("RGB", (1, 1)), Image.new("L", (1, 1)), (0.0, 0.0)), scale)


def moved(dx: float, dy: float) -> Floats:
    """A shift as a 3 × 3 matrix."""
    return np.array(((1.0, 0.0, dx), (0.0, 1.0, dy), (0.0, 0.0, 1.0)))


def turned(degrees: float) -> Floats:
    """A turn around the origin, clockwise in the picture."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array(((c, -s, 0.0), (s, c, 0.0), (0.0, 0.0, 1.0)))


def stretched(factor: float) -> Floats:
    """Taller by the factor and a little narrower, from the origin."""
    return np.array(((factor**-0.4, 0.0, 0.0), (0.0, factor, 0.0), (0.0, 0.0, 1.0)))


def sheared(amount: float) -> Floats:
    """A sway: what lies lower moves sideways."""
    return np.array(((1.0, amount, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))


def place(frame: Image.Image, sprite: Sprite, matrix: Floats) -> None:
    """Draws a sprite on an RGB frame under a matrix from the sprite's heads to pixels."""
    ox, oy = sprite.picture.origin
    local = np.array(((1 / sprite.scale, 0, -ox / sprite.scale), (0, 1 / sprite.scale, -oy / sprite.scale),
        (0, 0, 1)))  # fmt: skip
    forward = matrix @ local
    width, height = sprite.picture.size
    corners = forward @ np.array(((0, width, 0, width), (0, 0, height, height), (1, 1, 1, 1)))
    x0, y0 = max(0, math.floor(corners[0].min())), max(0, math.floor(corners[1].min()))
    x1, y1 = min(frame.width, math.ceil(corners[0].max())), min(frame.height, math.ceil(corners[1].max()))
    if x1 <= x0 or y1 <= y0 or abs(np.linalg.det(forward[:2, :2])) < 1e-9:
        return
    back = tuple((np.linalg.inv(forward) @ moved(x0, y0))[:2].reshape(-1))

    def seen(image: Image.Image) -> Image.Image:
        return image.transform((x1 - x0, y1 - y0), Image.Transform.AFFINE, back, Image.Resampling.BILINEAR)

    alpha = sprite.picture.alpha
    mask = seen(alpha if alpha is not None else Image.new("L", sprite.picture.size, 255))
    frame.paste(seen(sprite.picture.colour), (x0, y0), mask)
