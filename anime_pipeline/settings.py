"""Every setting of the house, read once from the environment (prefix ``ANIME_``)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where things are and how much may happen at once.

    Each field is an environment variable: ``home`` is ``ANIME_HOME``, and so on. Unset fields give a
    self-contained installation: embedded PostgreSQL, embedded preview renderer and media, all under ``home``.
    """

    model_config = SettingsConfigDict(env_prefix="ANIME_", extra="ignore", frozen=True)

    home: Path = Field(Path("var"), description="Folder of everything this installation writes.")
    database_url: str | None = Field(
        None, description="postgresql+psycopg2:// URL of a real server; unset: the embedded one."
    )
    dagster_database_url: str | None = Field(
        None, description="Database of Dagster's own storage; unset: `<database>_dagster` on the same server."
    )
    media_url: str | None = Field(
        None, description="fsspec URL of the media store; unset: the folder `media` in the home."
    )
    comfyui_urls: str = Field(
        "", description="Comma-separated ComfyUI servers; empty: the embedded preview server."
    )
    workflows: Path | None = Field(None, description="Folder of the studio's own workflow templates.")
    models_dir: Path | None = Field(
        None, description="Folder of metric weights; unset: the folder `models` in the home."
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="Where learned metrics are computed; auto: the fastest that is found."
    )
    lpips_backend: Literal["auto", "lpips-alex", "lpips-vgg", "lpips-squeeze", "st-lpips-alex"] = Field(
        "auto", description="Network of the LPIPS metrics; auto: lpips-alex if fetched, else st-lpips-alex."
    )
    aesthetic_backend: Literal["laion-v2", "laion-v1"] = Field(
        "laion-v2", description="Aesthetic predictor: LAION's improved one, or the first, which VBench uses."
    )
    model_memory_gb: float = Field(
        6.0, gt=0, description="Memory for the models of learned metrics; the least used leave first."
    )
    batch_size: int = Field(25, ge=1, le=1000, description="Cuts that one Dagster run handles.")
    prompts_in_flight: int = Field(
        2, ge=1, le=8, description="Prompts kept on a server, so that it never waits."
    )
    lease_seconds: float = Field(
        60.0, gt=0, description="A lease without a heartbeat for this long is expired."
    )
    stall_seconds: float = Field(600.0, gt=0, description="No progress on a prompt for this long is a stall.")
    ui_port: int = Field(3000, ge=1, le=65535, description="Port of the Dagster UI that `dev` starts.")
    sensors: Literal["on", "off"] = Field("on", description="Default state of the sensors in a new home.")

    @field_validator("home", "models_dir", "workflows")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path is not None else None

    @property
    def comfyui_server_urls(self) -> tuple[str, ...]:
        """The configured ComfyUI servers without trailing slashes; empty means the preview server."""
        return tuple(url.strip().rstrip("/") for url in self.comfyui_urls.split(",") if url.strip())

    @property
    def media_root_url(self) -> str:
        """fsspec URL of the media store."""
        return self.media_url or f"file://{self.home / 'media'}"

    @property
    def models_path(self) -> Path:
        """Folder that metric weights are read from."""
        return self.models_dir or self.home / "models"

    @property
    def dagster_home(self) -> Path:
        """Folder that holds dagster.yaml for this home."""
        return self.home / "dagster"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process."""
    return Settings()
