"""Our own nodes: a backdrop, a cast and the shot that is drawn from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anime_pipeline.preview.folders import Folders
from anime_pipeline.preview.frames import Frames, Pixels
from anime_pipeline.preview.nodes.animatic_inputs import (
    FigureInput,
    figures_of,
    lines_of,
    palette_of,
    problem_with,
)
from anime_pipeline.preview.nodes.base import InputTypes, Node, NodeResult, RunContext, spec
from anime_pipeline.preview.nodes.images import MAX_SEED
from anime_pipeline.preview.nodes.pictures import picture_problem, picture_sha256, read_rgba

if TYPE_CHECKING:
    from anime_pipeline.preview.drawing.shot import ShotFigure


@dataclass(frozen=True)
class Backdrop:
    """ANIMATIC_BACKDROP: where and when a shot plays."""

    location: str
    time_of_day: str
    mood: str
    palette: dict[str, str]
    picture: Frames | None


class AnimaticBackdrop(Node):
    class_type = "AnimaticBackdrop"
    display_name = "Animatic Backdrop"
    description = "Place, time of day, mood and palette; a picture replaces the drawn place."
    category = "animatic"
    outputs = (("ANIMATIC_BACKDROP", "backdrop"),)

    @classmethod
    def input_types(cls, folders: Folders) -> InputTypes:
        return {
            "required": {
                "location": spec("STRING", default=""),
                "time_of_day": spec("STRING", default="day"),
                "mood": spec("STRING", default=""),
                "palette": spec("STRING", default="{}", multiline=True),
            },
            "optional": {"picture": spec("IMAGE")},
        }

    @classmethod
    def check(cls, folders: Folders, inputs: Mapping[str, Any]) -> dict[str, str]:
        return problem_with("palette", palette_of, inputs)

    def run(self, context: RunContext, **inputs: Any) -> NodeResult:
        return NodeResult(
            (
                Backdrop(
                    inputs["location"],
                    inputs["time_of_day"],
                    inputs["mood"],
                    palette_of(inputs["palette"]),
                    inputs.get("picture"),
                ),
            )
        )


class AnimaticCast(Node):
    class_type = "AnimaticCast"
    display_name = "Animatic Cast"
    description = "The figures of a shot as a JSON list; each may name an uploaded picture to be drawn with."
    category = "animatic"
    outputs = (("ANIMATIC_CAST", "cast"),)

    @classmethod
    def input_types(cls, folders: Folders) -> InputTypes:
        return {"required": {"figures": spec("STRING", default="[]", multiline=True)}}

    @classmethod
    def check(cls, folders: Folders, inputs: Mapping[str, Any]) -> dict[str, str]:
        wrong = problem_with("figures", figures_of, inputs)
        if wrong or "figures" not in inputs:
            return wrong
        for figure in figures_of(inputs["figures"]):
            problem = picture_problem(folders, figure.picture) if figure.picture is not None else None
            if problem:
                return {"figures": f"{problem} (picture of {figure.name})"}
        return {}

    @classmethod
    def fingerprint(cls, folders: Folders, inputs: Mapping[str, Any]) -> str:
        if not isinstance(inputs.get("figures"), str) or problem_with("figures", figures_of, inputs):
            return ""
        figures = figures_of(inputs["figures"])
        return " ".join(picture_sha256(folders, figure.picture) for figure in figures if figure.picture)

    def run(self, context: RunContext, **inputs: Any) -> NodeResult:
        figures = figures_of(inputs["figures"])
        return NodeResult((tuple(_shot_figure(context.folders, figure) for figure in figures),))


class AnimaticShot(Node):
    class_type = "AnimaticShot"
    display_name = "Animatic Shot"
    description = "The shot, drawn from its inputs alone: the same inputs give the same pixels."
    category = "animatic"
    outputs = (("IMAGE", "IMAGE"),)

    @classmethod
    def input_types(cls, folders: Folders) -> InputTypes:
        return {
            "required": {
                "backdrop": spec("ANIMATIC_BACKDROP"),
                "cast": spec("ANIMATIC_CAST"),
                "kind": spec(["still", "loop", "video"]),
                "camera_angle": spec("STRING", default=""),
                "action": spec("STRING", default="", multiline=True),
                "lines": spec("STRING", default="[]", multiline=True),
                "seed": spec("INT", default=0, min=0, max=MAX_SEED, control_after_generate=True),
                "width": spec("INT", default=960, min=64, max=8192, step=2),
                "height": spec("INT", default=540, min=64, max=8192, step=2),
                "length": spec("INT", default=48, min=1, max=100_000),
                "fps": spec("INT", default=24, min=1, max=120),
            },
            "optional": {
                "slate": spec("STRING", default=""),
                "timecode": spec("BOOLEAN", default=False),
                "subtitles": spec("BOOLEAN", default=False),
            },
        }

    @classmethod
    def check(cls, folders: Folders, inputs: Mapping[str, Any]) -> dict[str, str]:
        return problem_with("lines", lines_of, inputs)

    def run(self, context: RunContext, **inputs: Any) -> NodeResult:
        # The drawing is most of the server's start-up time, and a graph of plain pictures needs none of it.
        from anime_pipeline.preview.drawing import draw_shot
        from anime_pipeline.preview.drawing.shot import Shot, ShotLine

        backdrop: Backdrop = inputs["backdrop"]
        shot = Shot(
            kind=inputs["kind"],
            width=inputs["width"],
            height=inputs["height"],
            frames=inputs["length"],
            fps=inputs["fps"],
            seed=inputs["seed"],
            location=backdrop.location,
            time_of_day=backdrop.time_of_day,
            mood=backdrop.mood,
            palette=backdrop.palette,
            camera_angle=inputs["camera_angle"],
            action=inputs["action"],
            figures=inputs["cast"],
            lines=tuple(
                ShotLine(line.speaker, line.text, line.start_frame, line.end_frame)
                for line in lines_of(inputs["lines"])
            ),
            background=backdrop.picture.first() if backdrop.picture is not None else None,
            slate=inputs.get("slate") or None,
            timecode=inputs.get("timecode", False),
            subtitles=inputs.get("subtitles", False),
        )

        def draw() -> Iterable[Pixels]:
            return draw_shot(shot)

        return NodeResult((Frames(shot.frames, shot.height, shot.width, draw),))


def _shot_figure(folders: Folders, figure: FigureInput) -> ShotFigure:
    from anime_pipeline.preview.drawing.shot import ShotFigure

    return ShotFigure(
        name=figure.name,
        attributes=figure.attributes,
        outfit=figure.outfit,
        expression=figure.expression,
        position=figure.position,
        picture=read_rgba(folders, figure.picture) if figure.picture is not None else None,
    )
