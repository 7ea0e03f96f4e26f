"""The words a story uses for places, hours, weather, cameras and acting, read out of free text.

Each table lists meaning → words, most particular first; the first meaning with a word in the text wins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from anime_pipeline.preview.drawing.colours import Rgb, find_colours, hex_colour

Words = dict[str, str]
_Meaning = TypeVar("_Meaning", bound=str)

PLACES: Words = {
    "lamp_room": "lamp room|lantern room|lens room|light room",
    "gallery": "gallery|balcony|widow's walk",
    "observatory": "observatory|planetarium|telescope",
    "classroom": "classroom|school|lecture|library|laboratory",
    "kitchen": "kitchen|galley|pantry",
    "cafe": "cafe|café|coffee|tea house|teahouse|restaurant|diner|bar|ramen|inn",
    "train": "train car|train carriage|inside the train|carriage|compartment|on the train|bus",
    "station": "station|platform|railway|tracks|train stop|train",
    "rooftop": "rooftop|roof|terrace",
    "bridge": "bridge|overpass",
    "stairs": "stairs|stairway|staircase|steps|shrine path",
    "shrine": "shrine|temple|torii|sanctuary",
    "harbour": "harbour|harbor|pier|dock|port|quay|wharf|marina|jetty",
    "beach": "beach|shore|coast|sands|cove",
    "alley": "alley|alleyway|backstreet|lane",
    "shop": "shop|store|bakery|bookshop|post office|market|stall|atelier|workshop",
    "street": "street|road|avenue|town|city|village|crossing|plaza|square",
    "bedroom": "bedroom|room|bed|home|house|hospital|attic|apartment|office|hallway|corridor",
    "forest": "forest|woods|grove|jungle|bamboo|trees",
    "hill": "hill|mountain|cliff|peak|ridge|valley",
    "field": "field|meadow|paddy|garden|park|grass|farm|plain",
    "lighthouse": "lighthouse|beacon|tower",
    "sea": "sea|ocean|boat|ship|deck|lake|river|water|island|bay",
    "sky": "sky|clouds|heaven|space|airship|flying",
}
HOURS: Words = {
    "dawn": "dawn|sunrise|daybreak|first light",
    "sunset": "sunset|golden hour|sundown",
    "dusk": "dusk|twilight|gloaming|blue hour",
    "morning": "morning",
    "afternoon": "afternoon",
    "evening": "evening",
    "night": "night|midnight|moonlight|moonlit|late",
    "day": "day|noon|midday",
}
WEATHERS: Words = {
    "rain": "rain|rainy|raining|rainfall|drizzle|downpour|storm|stormy|shower|wet",
    "lightning": "lightning|thunder|thunderstorm",
    "snow": "snow|snowy|snowing|snowfall|blizzard|snowflakes",
    "petals": "petals|petal|blossoms|blossom|sakura|cherry|leaves fall|falling leaves",
    "fireflies": "fireflies|firefly|sparks|embers|will-o",
    "stars": "stars|starry|shooting star|milky way|constellation",
    "wind": "wind|windy|breeze|gust|gusts|gale",
    "mist": "mist|misty|fog|foggy|haze|steam",
}
EXPRESSIONS: Words = {
    "laughing": "laughing|laughs|laugh|giggling|overjoyed|delighted|ecstatic|excited|joyful",
    "crying": "crying|cries|tears|tearful|weeping|sobbing",
    "angry": "angry|furious|annoyed|cross|grumpy|irritated|glaring|frustrated|scowling",
    "surprised": "surprised|shocked|startled|astonished|amazed|gasps|stunned",
    "awed": "awed|awe|wonder|wondering|curious|enchanted|moved|wide-eyed|hopeful",
    "worried": "worried|afraid|scared|anxious|nervous|fearful|uneasy|concerned|tense|frightened",
    "shy": "shy|embarrassed|bashful|blushing|flustered",
    "sleepy": "sleepy|tired|drowsy|exhausted|yawning|weary",
    "sad": "sad|melancholy|sorrowful|lonely|disappointed|mournful|wistful|grieving",
    "determined": "determined|resolute|serious|focused|brave|stern|confident|proud|stubborn",
    "serene": "serene|calm|peaceful|eyes closed|content|asleep|sleeping|relieved",
    "smirk": "smirk|smirking|sly|mischievous|playful|teasing|cheeky|impish",
    "happy": "happy|smiling|smile|smiles|cheerful|glad|warm|gentle|kind|friendly|fond|grateful|proudly",
    "neutral": "neutral|plain|blank",
}
Framing = Literal["wide", "full", "medium", "two_shot", "close", "extreme"]
FRAMINGS: dict[Framing, str] = {
    "extreme": "extreme close-up|extreme close up|extreme closeup|ecu|insert|detail|macro|eyes only",
    "close": "close-up|close up|closeup|close on|close shot|portrait|headshot",
    "wide": "wide|establishing|long shot|panorama|extreme long|aerial|bird's eye|master shot",
    "full": "full shot|full body|full-body|full figure|head to toe",
    "two_shot": "two-shot|two shot|three-shot|three shot|group|cowboy|medium wide|medium long|medium full",
    "medium": "medium|waist|bust|mid shot|over the shoulder|over-the-shoulder|ots",
}
POSITIONS: Words = {
    "far_left": "far left|left edge",
    "far_right": "far right|right edge",
    "left": "left|port side",
    "right": "right|starboard",
    "center": "center|centre|middle",
}
# What one figure does with its body; several may hold at once.
DEEDS: Words = {
    "walk": "walk|walks|walking|strolls|steps|climbs|climbing|wanders|approaches|enters|leaves|follows",
    "run": "run|runs|running|dashes|sprints|rushes|races|hurries",
    "turn": "turn|turns|turning|looks back|glances|spins",
    "look_up": "look up|looks up|looking up|gazes up|gazes at the sky|gazing up|watches the sky",
    "look_down": "look down|looks down|looking down|lowers|reads|reading|stares at the ground",
    "wave": "wave|waves|waving|greets|beckons|salutes",
    "give": "hold out|holds out|holding out|hand over|hands over|hands|gives|offers|offering|delivers",
    "hold": (
        "holds the|holds a|holds her|holds his|holding the|holding a|holding her|holding his|carries|clutches"
        "|reads|reading|with a lantern|with the lantern|with the letter|with a letter"
    ),
    "hold_up": "raises|lifts|holds up|lights|points|reaches",
    "bow": "bow|bows|bowing|nods",
    "jump": "jump|jumps|jumping|leaps|hops|bounces|dances",
    "sit": "sit|sits|sitting|seated|kneels|crouches|rests",
}
MOVES: Words = {
    "pan_left": "pan left|pans left|panning left|truck left",
    "pan_right": "pan right|pans right|panning right|truck right|slow pan|pans|panning|pan",
    "tilt_up": "tilt up|tilts up|crane up|boom up|pedestal up",
    "tilt_down": "tilt down|tilts down|crane down|boom down|tilt",
    "push_in": "push in|pushes in|push-in|zoom in|zooms in|dolly in|dollies in|slow push|slow zoom|moves in",
    "pull_out": "pull out|pulls out|pull-out|pull back|pulls back|zoom out|zooms out|dolly out|dolly back",
    "track": "tracking|track|tracks|dolly|follows|following|lateral",
    "shake": "handheld|hand-held|shake|shaky|trembles|quake",
}
_HAND_ITEMS: Words = {
    "letter": "letter|envelope|note|card|postcard|parcel|package",
    "lantern": "lantern|lamp",
}
_MOODS: dict[str, tuple[str, float, str]] = {
    "warm": (
        "#ffb36b",
        0.14,
        "warm|cosy|cozy|tender|hopeful|happy|joyful|festive|homely|golden|nostalgic|bright",
    ),
    "cold": ("#7fb0e8", 0.14, "cold|lonely|sad|melancholy|quiet|still|solemn|wistful|blue"),
    "eerie": ("#7a6bd6", 0.16, "eerie|mysterious|magical|enchanted|dreamlike|mystic|strange|wonder|spirit"),
    "grim": ("#5b6270", 0.18, "grim|tense|dark|ominous|gloomy|dread|bleak"),
    "fierce": ("#d8504a", 0.14, "angry|violent|danger|dangerous|fiery|urgent|fierce"),
}


@dataclass(frozen=True)
class Camera:
    """How a shot is taken."""

    framing: Framing
    moves: frozenset[str]
    low: bool
    high: bool
    over_shoulder: bool
    profile: bool
    static: bool


def says(text: str, words: str) -> bool:
    """Whether one of the words (split by ``|``) stands in the text as a whole word, whatever its case."""
    return re.search(rf"(?<![a-z])(?:{words})(?![a-z])", text.lower()) is not None


def first_meaning(text: str, table: Mapping[_Meaning, str]) -> _Meaning | None:
    """The first meaning of the table with a word in the text."""
    return next((meaning for meaning, words in table.items() if says(text, words)), None)


def all_meanings(text: str, table: Words) -> frozenset[str]:
    """Every meaning with a word in the text."""
    return frozenset(meaning for meaning, words in table.items() if says(text, words))


def place_of(location: str) -> str:
    """The backdrop for a location; ``generic`` where no word is known."""
    return first_meaning(location, PLACES) or "generic"


def hour_of(time_of_day: str) -> str:
    """The time of day; ``day`` where no word is known."""
    return first_meaning(time_of_day, HOURS) or "day"


def weather_of(text: str) -> frozenset[str]:
    """Weather and other things in the air; none for text that denies it (``after the rain``, ``no wind``)."""
    cleaned = re.sub(r"\b(?:no|without|after(?: the)?|stopped|before the) \w+", " ", text.lower())
    found = all_meanings(cleaned, WEATHERS)
    return found | {"rain"} if "lightning" in found and "snow" not in found else found


def mood_tints(mood: str) -> tuple[tuple[Rgb, float], ...]:
    """Tints (colour, amount) that a mood lays over the light. A colour in the text tints too."""
    known = [(hex_colour(colour), amount) for colour, amount, words in _MOODS.values() if says(mood, words)]
    return tuple(known[:2] or [(colour, 0.12) for colour in find_colours(mood)[:1]])


def camera_of(camera_angle: str, action: str) -> Camera:
    """The camera from its own words; moves also from the action."""
    text = f"{camera_angle} . {action}"
    framing: Framing = first_meaning(camera_angle, FRAMINGS) or "medium"
    if framing == "wide" and says(camera_angle, "medium wide"):
        framing = "two_shot"
    if says(camera_angle, "medium close-up|medium close up|medium closeup"):
        framing = "medium"
    moves = all_meanings(camera_angle, MOVES) | (all_meanings(action, MOVES) & _MOVES_IN_ACTION)
    if "pan_left" in moves:
        moves -= {"pan_right"}
    if "tilt_up" in moves:
        moves -= {"tilt_down"}
    if moves & {"push_in", "pull_out"}:
        moves -= {"track"}
    return Camera(
        framing=framing, moves=moves,
        low=says(camera_angle, "low angle|low-angle|worm's eye|from below|looking up"),
        high=says(camera_angle, "high angle|high-angle|bird's eye|from above|overhead|top down|top-down"),
        over_shoulder=says(camera_angle, "over the shoulder|over-the-shoulder|ots"),
        profile=says(text, "profile|side view|in silhouette"),
        static=says(camera_angle, "static|locked|locked-off|fixed|tripod"),
    )  # fmt: skip


def expression_of(text: str | None) -> str:
    """A known expression; ``neutral`` where no word is known."""
    return first_meaning(text or "", EXPRESSIONS) or "neutral"


def item_in_hand(action: str) -> str | None:
    """What is held or handed over: ``letter``, ``lantern`` or None."""
    return first_meaning(action, _HAND_ITEMS)


def deeds_of(name: str, action: str, alone: bool) -> frozenset[str]:
    """What the named figure does: from the sentences that name it; from all of them where it is alone."""
    if alone:
        return all_meanings(action, DEEDS)
    parts = re.split(r"[.;,!?]| while | as | and (?=[A-Z])|\bthen\b", action)
    found: set[str] = set()
    subject_is_me = False
    for part in parts:
        names = list(re.findall(r"[A-Z][\w'-]+", part))
        mine = _is_called(name, part)
        if names or mine:
            subject_is_me = mine and _first_named(name, part)
        if subject_is_me or says(part, "both|all|everyone|they|together"):
            found |= all_meanings(part, DEEDS)
    return frozenset(found)


def _is_called(name: str, text: str) -> bool:
    return any(says(text, re.escape(word.lower())) for word in name.split())


def _first_named(name: str, text: str) -> bool:
    """Whether the figure is the first name in the text: ``Mika hands Kon the letter`` is Mika's deed."""
    words = {word.lower() for word in name.split()}
    names = [word.lower() for word in re.findall(r"[A-Z][\w'-]*", text)]
    relevant = [word for word in names if word in words or word not in _SENTENCE_STARTERS]
    return not relevant or relevant[0] in words


_SENTENCE_STARTERS = frozenset(
    {"the", "a", "an", "in", "on", "at", "then", "she", "he", "his", "her", "slow", "camera", "rain"}
)
_MOVES_IN_ACTION = frozenset(
    {"pan_left", "pan_right", "tilt_up", "tilt_down", "push_in", "pull_out", "shake"}
)
