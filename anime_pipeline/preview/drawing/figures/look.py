"""How a character looks: attributes in free text become colours and shapes; a gap is filled from its name."""

from __future__ import annotations

from dataclasses import dataclass

from anime_pipeline.preview.drawing.colours import (
    PAINTER_WORDS,
    Rgb,
    find_colours,
    hex_colour,
    mix,
    shade,
    tint,
)
from anime_pipeline.preview.drawing.seeds import generator
from anime_pipeline.preview.drawing.shot import ShotFigure
from anime_pipeline.preview.drawing.vocabulary import Words, all_meanings, expression_of, first_meaning, says

HAIR_STYLES: Words = {
    "bald": "bald|shaved|hairless",
    "twintails": "twintails|twin tails|twin-tails|pigtails|pig tails|bunches",
    "ponytail": "ponytail|pony tail|pony-tail|topknot",
    "bun": "bun|chignon|updo|odango",
    "braid": "braid|braids|braided|plait",
    "bob": "bob|chin-length|chin length|pageboy",
    "spiky": "spiky|spikes|messy|wild|unruly|tousled|shaggy|punk",
    "long": "long|flowing|waist-length|straight",
    "short": "short|cropped|pixie|crew|buzz|neat",
}
OUTFITS: Words = {
    "raincoat": "raincoat|rain coat|slicker|oilskin|poncho|rain jacket|cape|cloak",
    "kimono": "kimono|yukata|hakama|happi|haori",
    "robe": "robe|robes|shrine wear|priest|miko|kariginu|gown|tunic of a spirit",
    "uniform": "uniform|sailor|seifuku|blazer|gakuran",
    "hoodie": "hoodie|hooded sweatshirt|sweatshirt|tracksuit",
    "sweater": "sweater|jumper|cardigan|pullover|turtleneck|knit",
    "apron": "apron|overalls|dungarees",
    "dress": "dress|sundress|pinafore|skirt",
    "coat": "coat|jacket|peacoat|greatcoat|overcoat|trench|parka|suit",
    "tunic": "tunic|shirt|t-shirt|tee|blouse|vest|pajamas|pyjamas",
}
PATTERNS: Words = {
    "flowers": "flower|flowers|floral|blossom|morning glory|peony|festival",
    "waves": "wave|waves|seigaiha|scales",
    "stripes": "stripe|stripes|striped",
    "dots": "dot|dots|dotted|polka",
    "checks": "check|checks|plaid|checked|tartan",
}
ACCESSORIES: Words = {
    "fox_ears": "fox ears|fox-eared|fox ear|fox",
    "cat_ears": "cat ears|cat-eared|cat ear|cat",
    "glasses": "glasses|spectacles|monocle",
    "beard": "beard|bearded|whiskers",
    "moustache": "moustache|mustache",
    "scarf": "scarf|muffler",
    "hat": "hat|cap|beret|beanie",
    "lantern": "lantern",
    "satchel": "satchel|bag|mailbag|messenger|backpack|pouch",
    "ribbon": "ribbon|bow|hairpin|hair clip|flower in",
    "headphones": "headphones|headset",
}
BUILDS: Words = {
    "child": "child|small|little|kid|tiny|boy spirit|chibi|petite|toddler|short build",
    "broad": "broad|stocky|heavy|burly|large|big|stout|muscular|round",
    "tall": "tall|lanky|long-legged|towering",
    "slim": "slim|slender|thin|average|medium|lean",
}
_SKINS: Words = {
    "#8a5a3c": "dark|deep|brown|ebony", "#c68e62": "tan|tanned|olive|bronze",
    "#eec3a2": "weathered|sun-browned|ruddy",
    "#f9ded0": "pale|porcelain|fair|light|ivory", "#f6d3b8": "warm|peach|medium|rosy",
}  # fmt: skip
_HAIR_CHOICES = ("teal", "chestnut", "raven", "blond", "auburn", "plum", "silver", "rose")
_EYE_CHOICES = ("amber", "emerald", "azure", "violet", "hazel", "crimson")
_CLOTH_CHOICES = ("#c9544d", "#3f6ea8", "#5a8f6b", "#8a5fa0", "#d09a3c", "#4f5d75")
_STYLE_CHOICES = ("short", "bob", "long", "ponytail", "spiky", "braid")


@dataclass(frozen=True)
class Look:
    """Everything that decides how a figure is drawn. Lengths are in heads."""

    name: str
    hair_style: str
    hair: Rgb
    eyes: Rgb
    skin: Rgb
    outfit: str
    cloth: Rgb
    accent: Rgb
    pattern: str | None
    hood_up: bool
    accessories: frozenset[str]
    beard: Rgb
    expression: str
    age: str
    shoulders: float
    torso: float
    legs: float
    slant: float


def look_of(figure: ShotFigure) -> Look:
    """Reads a figure's attributes; colours and styles may stand anywhere in the text."""
    rng = generator("look", figure.name)
    traits = _Traits(figure.attributes)
    hair_text = traits.text("hair", without="facial")
    extras = traits.text(
        "accessor", "prop", "beard", "facial", "ears", "tail", "feature", "species", "item", "distinct"
    )
    everything = " ; ".join((figure.name, *traits.values))
    age = _age(f"{traits.text('age')} ; {everything}")
    usual = traits.text("outfit", "clothes", "clothing", "costume", without="color|colour")
    outfit_text = figure.outfit or usual
    accessories = all_meanings(f"{extras} ; {outfit_text} ; {hair_text}", ACCESSORIES)
    # An outfit whose name says nothing (``festival``) is cut as the attributes say.
    kind = first_meaning(outfit_text, OUTFITS) or first_meaning(usual, OUTFITS) or "tunic"
    cloth, accent = _cloth_colours(outfit_text, kind, traits, rng.choice(len(_CLOTH_CHOICES)))
    hair = _pick(traits.colours("hair"), _HAIR_CHOICES[rng.integers(len(_HAIR_CHOICES))])
    if not traits.colours("hair") and age == "old":
        hair = hex_colour("#dfe2e6")
    build = first_meaning(
        f"{traits.text('build', 'body', 'height', 'physique')} ; {traits.text('age')}", BUILDS
    )
    if build is None:
        build = "child" if age == "child" else "slim"
    elif build != "child" and age == "child":
        build = "child"
    shoulders, torso, legs = _PROPORTIONS[build]
    beard_colours = (
        traits.colours("beard") + traits.colours("facial") + _near_word(extras, "beard|moustache|whiskers")
    )
    return Look(
        name=figure.name,
        hair_style=first_meaning(hair_text, HAIR_STYLES) or _fallback_style(age, int(rng.integers(6))),
        hair=hair,
        eyes=_pick(traits.colours("eye"), _EYE_CHOICES[rng.integers(len(_EYE_CHOICES))]),
        skin=_skin(traits.text("skin", "complexion")),
        outfit=kind, cloth=cloth, accent=accent,
        pattern=first_meaning(outfit_text, PATTERNS) or ("flowers" if kind == "kimono" else None),
        hood_up=says(outfit_text, "hood up|hooded up|under the hood"),
        accessories=accessories,
        beard=beard_colours[0] if beard_colours else mix(hair, (240, 240, 240), 0.3),
        expression=expression_of(figure.expression or traits.text("expression")),
        age=age, shoulders=shoulders, torso=torso, legs=legs,
        slant=float(rng.uniform(-0.035, 0.035)),
    )  # fmt: skip


class _Traits:
    def __init__(self, attributes: dict[str, str]) -> None:
        self._items = sorted((key.lower(), str(value)) for key, value in attributes.items())
        self.values = [value for key, value in self._items if "color" not in key and "colour" not in key]

    def text(self, *stems: str, without: str | None = None) -> str:
        """The values whose type holds one of the stems, joined."""
        banned = without.split("|") if without else []
        chosen = [
            value for key, value in self._items
            if any(stem in key for stem in stems) and not any(word in key for word in banned)
        ]  # fmt: skip
        return " ; ".join(chosen)

    def colours(self, stem: str) -> list[Rgb]:
        """Colours of a trait: those of its colour attribute first, then those in its text."""
        named = [v for k, v in self._items if stem in k and ("color" in k or "colour" in k)]
        facial = stem == "facial"
        other = [v for k, v in self._items if stem in k and v not in named and ("facial" in k) == facial]
        return [colour for value in (*named, *other) for colour in find_colours(value)]


def _cloth_colours(text: str, kind: str, traits: _Traits, choice: int) -> tuple[Rgb, Rgb]:
    # An outfit that names its colour wins: a variation replaces the text, not always the colour attribute.
    in_text = find_colours(text)
    named = in_text or traits.colours("outfit_colo") or traits.colours("cloth")
    cloth = named[0] if named else hex_colour(_OUTFIT_COLOURS.get(kind, _CLOTH_CHOICES[choice]))
    accents = in_text[1:] or traits.colours("accent")
    accent = accents[0] if accents else _default_accent(cloth, kind)
    return cloth, accent


def _default_accent(cloth: Rgb, kind: str) -> Rgb:
    if kind == "kimono":
        return hex_colour("#e3a53c") if cloth[2] > cloth[0] else hex_colour("#5a6fb0")
    if kind == "coat":
        return hex_colour(PAINTER_WORDS["brass"])
    if kind in ("robe", "uniform"):
        return hex_colour("#c8403f")
    return tint(cloth, 0.55) if sum(cloth) < 360 else shade(cloth, 0.55)


def _pick(found: list[Rgb], fallback: str) -> Rgb:
    return found[0] if found else hex_colour(PAINTER_WORDS[fallback])


def _near_word(text: str, words: str) -> list[Rgb]:
    pieces = [piece for part in text.split(";") for piece in part.split(",") if says(piece, words)]
    return [colour for piece in pieces for colour in find_colours(piece)]


def _skin(text: str) -> Rgb:
    colours = find_colours(text) if "#" in text else []
    if colours:
        return colours[0]
    return hex_colour(first_meaning(text, _SKINS) or "#fbe0cf")


def _age(text: str) -> str:
    numbers = [int(word) for word in text.replace("-", " ").split() if word.isdigit() and int(word) < 130]
    if says(text, "old|elderly|grandpa|grandfather|grandma|grandmother|aged|elder") or any(
        n >= 58 for n in numbers
    ):
        return "old"
    if says(text, "child|kid|little boy|little girl|boy spirit|toddler|small boy") or any(
        n <= 11 for n in numbers
    ):
        return "child"
    return (
        "young"
        if not any(n >= 30 for n in numbers) and not says(text, "adult|grown|middle-aged")
        else "adult"
    )


def _fallback_style(age: str, choice: int) -> str:
    return "short" if age == "old" else _STYLE_CHOICES[choice]


_OUTFIT_COLOURS = {
    "raincoat": "#f3c13a", "coat": "#26365f", "kimono": "#343d8c", "robe": "#f1ede4", "uniform": "#2d3a5c",
}  # fmt: skip
# Half the shoulder width, chin to hip, hip to ground.
_PROPORTIONS = {
    "child": (0.46, 1.12, 1.25), "slim": (0.56, 1.42, 1.95), "tall": (0.62, 1.58, 2.4),
    "broad": (0.80, 1.55, 1.85),
}  # fmt: skip
