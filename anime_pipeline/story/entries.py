"""What every entry of a production file has in common, and the kinds of values that entries are made of."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

LARGEST_SEED = 2**64 - 1

Name = Annotated[str, Field(min_length=1, max_length=255)]
ShortName = Annotated[str, Field(min_length=1, max_length=100)]
Color = Annotated[
    str,
    Field(pattern=r"^#[0-9a-fA-F]{6}$", description="A colour as #rrggbb, in quotes."),
    AfterValidator(str.lower),
]
Fps = Annotated[int, Field(ge=1, le=240, description="Frames per second.")]
Frames = Annotated[int, Field(ge=1, le=100_000)]
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
Weight = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False, description="0 leaves it out.")]
PicturePath = Annotated[
    str, Field(min_length=1, max_length=1000, description="A PNG, JPEG or WebP, relative to this file.")
]


class Entry(BaseModel):
    """A group of keys of the file: unknown keys are mistakes, numbers are not text, text is trimmed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, str_strip_whitespace=True)


class ShortEntry(Entry):
    """An entry that also has a shorter form; ``short_forms`` is their JSON Schema."""

    short_forms: ClassVar[list[dict[str, Any]]] = [{"type": "string"}]

    @classmethod
    def written_out(cls, value: object) -> object:
        """The keys that a short form stands for, anything else as it is.

        Raises ``ValueError`` saying what the short form should look like.
        """
        raise NotImplementedError

    @model_validator(mode="before")
    @classmethod
    def _written_out(cls, value: object) -> object:
        return cls.written_out(value)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [*cls.short_forms, handler(core_schema)]}
