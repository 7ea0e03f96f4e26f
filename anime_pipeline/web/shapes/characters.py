"""Characters, their attributes and variations as the API shows and takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from anime_pipeline.database.models import Character, CharacterAttribute, CharacterVariation
from anime_pipeline.story.editing import without_marks
from anime_pipeline.web.schemas import (
    Body,
    Json,
    Model,
    Name,
    RowId,
    Short,
    Storable,
    Text,
    Tokens,
    Update,
    Utc,
)

VariationType = Literal["outfit", "expression", "pose", "age_variant"]
CharacterStatus = Literal["draft", "approved", "archived"]
PathText = Annotated[
    str, Field(min_length=1, max_length=500, description="See docs/API.md: Pictures."), Storable
]
Attribute = Annotated[str, Field(min_length=1, max_length=2000), Storable]


def _as_tokens(value: object) -> object:
    """Earlier clients send one text for a list of one."""
    return [value] if isinstance(value, str) else value


TokensOrText = Annotated[
    Tokens,
    BeforeValidator(
        _as_tokens, json_schema_input_type=Tokens | Annotated[str, Field(min_length=1, max_length=500)]
    ),
]
Priority = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]


class CharacterUpdate(Update):
    """What is to change; fields that are not sent stay."""

    name: Name = Field("", examples=["Mika"])
    description: Text = ""
    base_prompt: Text = Field("", examples=["1girl, solo"])
    negative_tokens: Tokens = Field([], examples=[["hat"]])
    lora_model_path: PathText | None = Field(None, description="As the render server names the file.")
    color_palette: Json = Field({})
    visual_traits: Json = Field({})
    status: CharacterStatus = "draft"
    metadata: Json = Field({})


class CharacterCreate(CharacterUpdate):
    """A new character. Names are unique in an installation."""

    name: Name = Field(examples=["Mika"])
    project_id: RowId | None = Field(None, description="Unset: Default Anime Project.", examples=[2])


class AttributeUpdate(Update):
    """What is to change; fields that are not sent stay."""

    attribute_type: Short = Field("", examples=["hair_color"])
    attribute_value: Attribute = Field("", examples=["silver"])
    prompt_tokens: Tokens = Field([], examples=[["silver hair"]])
    priority: Priority = Field(0, description="The higher one comes first.")


class AttributeBody(AttributeUpdate):
    """One trait. Its prompt tokens stand for it in prompts; without them its value does."""

    attribute_type: Short = Field(examples=["hair_color"])
    attribute_value: Attribute = Field(examples=["silver"])


class AttributeShown(Model):
    """One trait of a character."""

    id: int
    character_id: int | None
    attribute_type: str = Field(examples=["hair_color"])
    attribute_value: str = Field(examples=["teal"])
    prompt_tokens: list[str] | None
    priority: int | None
    created_at: Utc | None


class Modifiers(Body):
    """What a variation does to its character's prompt."""

    prepend: TokensOrText = Field([])
    append: TokensOrText = Field([], examples=[["yellow raincoat"]])
    attributes: dict[Short, Attribute] = Field(
        {}, description="Attribute type → the value that it has in this variation."
    )


class VariationBody(Body):
    """A new variation."""

    variation_name: Name = Field(examples=["raincoat"])
    variation_type: VariationType = "outfit"
    prompt_modifiers: Modifiers = Modifiers()
    reference_image_path: PathText | None = None


class VariationOf(VariationBody):
    """A new variation of the character that is named."""

    character_id: RowId = Field(examples=[1])


class VariationShown(Model):
    """An outfit, expression, pose or age of a character."""

    id: int
    character_id: int | None
    variation_name: str = Field(examples=["raincoat"])
    variation_type: str | None = Field(examples=["outfit"])
    prompt_modifiers: dict[str, Any] | None
    reference_image_path: str | None = Field(description="Its location in the media store.")
    created_at: Utc | None


class CharacterListed(Model):
    """A character in a list."""

    id: int
    project_id: int | None
    name: str = Field(examples=["Mika"])
    description: str | None
    base_prompt: str | None
    negative_tokens: list[str]
    lora_model_path: str | None
    color_palette: dict[str, Any]
    visual_traits: dict[str, Any]
    canonical_hash: str | None
    status: str | None = Field(examples=["draft"])
    metadata: dict[str, Any]
    has_embedding: bool = Field(description="A reference picture of it is enrolled.")
    created_at: Utc | None
    updated_at: Utc | None

    @classmethod
    def values(cls, row: Character) -> dict[str, Any]:
        """A stored character, field by field."""
        plain = (
            "id",
            "project_id",
            "name",
            "description",
            "base_prompt",
            "lora_model_path",
            "canonical_hash",
        )
        return {
            **{name: getattr(row, name) for name in (*plain, "status", "created_at", "updated_at")},
            "negative_tokens": row.negative_tokens or [],
            "color_palette": row.color_palette or {},
            "visual_traits": row.visual_traits or {},
            "metadata": without_marks(row.metadata_),
            "has_embedding": row.reference_embedding is not None,
        }


class CharacterShown(CharacterListed):
    """A character with its traits."""

    attributes: list[AttributeShown]
    variations: list[VariationShown]

    @classmethod
    def of(
        cls,
        row: Character,
        attributes: Sequence[CharacterAttribute],
        variations: Sequence[CharacterVariation],
    ) -> CharacterShown:
        """A stored character and the rows that belong to it."""
        return cls(
            **cls.values(row),
            attributes=[AttributeShown.model_validate(trait) for trait in attributes],
            variations=[VariationShown.model_validate(variation) for variation in variations],
        )


class PartShown(Model):
    """Some tokens of a prompt and where they come from."""

    text: str = Field(examples=["teal hair"])
    source: str = Field(examples=["Mika: attribute hair_color"])
    side: Literal["positive", "negative"]


class PromptShown(Model):
    """What a character adds to a prompt."""

    character_id: int
    variation_id: int | None
    positive_prompt: str = Field(examples=["1girl, solo, teal hair, yellow raincoat"])
    negative_prompt: str
    parts: list[PartShown]
