"""Every setting of the house, read once from the environment (prefix ``ANIME_``)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from anime_pipeline.server_access import ServerAccess, access_in, remember

Switch = Literal["on", "off"]


class Settings(BaseSettings):
    """Where things are and how much may happen at once.

    Each field is an environment variable: ``home`` is ``ANIME_HOME``, and so on. Unset fields give a
    self-contained installation: embedded PostgreSQL, embedded preview renderer and media, all under ``home``.
    An empty variable counts as unset.
    """

    model_config = SettingsConfigDict(env_prefix="ANIME_", env_ignore_empty=True, extra="ignore", frozen=True)

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
    motion_backend: Literal["dis", "amt-s"] = Field(
        "dis", description="Interpolator of motion_smoothness: optical flow, or your own copy of AMT-S."
    )
    amt_checkout: Path | None = Field(
        None, description="Your own checkout of MCG-NKU/AMT (CC BY-NC 4.0), which amt-s imports and runs."
    )
    model_memory_gb: float = Field(
        6.0, gt=0, description="Memory for the models of learned metrics; the least used leave first."
    )
    batch_size: int = Field(50, ge=1, le=1000, description="Cuts that one Dagster run handles.")
    prompts_in_flight: int = Field(
        2, ge=1, le=8, description="Prompts kept on a server, so that it never waits."
    )
    lease_seconds: float = Field(
        60.0, gt=0, description="A lease without a heartbeat for this long is expired."
    )
    stall_seconds: float = Field(600.0, gt=0, description="No progress on a prompt for this long is a stall.")
    ui_port: int = Field(3000, ge=1, le=65535, description="Port of the Dagster UI that `dev` starts.")
    echo_brain_url: str | None = Field(
        None, description="Base URL of the Echo Brain supervisor; unset: there is none."
    )
    echo_brain_secret: str | None = Field(
        None, repr=False, description="Secret that we and the supervisor sign messages with."
    )
    echo_brain_callback_url: str | None = Field(
        None,
        description="Where the supervisor reaches our API; unset: http://127.0.0.1:8328/api/anime/echo.",
    )
    echo_brain_inbox_days: int = Field(
        90, ge=1, le=36500, description="Days that followed messages of the supervisor are kept."
    )
    retakes: Switch = Field("on", description="Whether a failed take is answered with a retake by itself.")
    sensors: Switch = Field("on", description="Default state of the sensors and schedules in a new home.")
    story_sync: Switch = Field("on", description="Register new and omitted cuts as partitions.")
    queue_drain: Switch = Field("on", description="Render what waits in the queue, in batches.")
    autorender: Switch = Field(
        "off", description="Render cuts that are missing or stale, without being asked."
    )
    automeasure: Switch = Field("on", description="Measure and judge what is rendered.")
    autoassemble: Switch = Field("on", description="Build reels and masters when their cuts are complete.")
    expire_leases: Switch = Field("on", description="Free what dead or late workers hold, every minute.")
    daily_report: str = Field(
        "07:00",
        pattern=r"^(off|([01]\d|2[0-3]):[0-5]\d)$",
        description="When the report of the day before is written (HH:MM), or off.",
    )
    render_hours: str | None = Field(
        None,
        pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$",
        description="Hours in which the queue drain renders, such as 22:00-07:00; unset: always.",
    )
    time_zone: str = Field(
        "UTC", description="Zone of all hours and days, such as Europe/Berlin or Asia/Tokyo."
    )

    api_open_on_loopback: bool = Field(
        True, description="Programs on this machine may use the API without a key, as admin."
    )
    api_allowed_hosts: str = Field(
        "", description="Comma-separated further host names that keyless requests may call this machine by."
    )
    api_cors_origins: str = Field(
        "",
        description="Comma-separated origins whose pages may call the API, such as https://review.example.",
    )
    api_require_if_match: bool = Field(
        False, description="Changes over the API need If-Match; the earlier system's clients send none."
    )
    api_requests_per_minute: int = Field(
        6000, ge=0, description="Requests of one key, or one address without a key; 0: no limit."
    )
    api_max_body_kib: int = Field(1024, ge=1, description="Longest JSON body of a request, in KiB.")
    api_max_upload_mib: int = Field(64, ge=1, description="Longest upload, in MiB.")
    callback_hosts: str = Field(
        "", description="Comma-separated hosts (or host:port) that jobs' callbacks may go to; empty: none."
    )
    callback_private_addresses: bool = Field(
        False, description="Whether these hosts may be on this machine or in a private network."
    )
    callback_secret: str | None = Field(
        None, repr=False, description="Secret that callbacks are signed with."
    )
    api_max_upload_megapixels: int = Field(
        50, ge=1, le=268, description="Largest picture that an upload may hold, in millions of pixels."
    )
    api_threads: int = Field(
        16, ge=1, le=64, description="Requests that one API process works on at once, each with a connection."
    )
    media_roots: str = Field(
        "",
        description="Comma-separated folders that clients may name pictures in; empty: `inbox` in the home.",
    )

    @field_validator("render_hours")
    @classmethod
    def _some_hours(cls, hours: str | None) -> str | None:
        if hours is not None and hours[:5] == hours[6:]:
            raise ValueError("begin and end are the same; unset it to render at all hours")
        return hours

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{name!r} is no time zone; write it as Europe/Berlin or UTC") from None
        return name

    @field_validator("comfyui_urls")
    @classmethod
    def _let_in(cls, urls: str) -> str:
        for server in _servers(urls):
            remember(server)
        return urls

    @field_validator("home", "models_dir", "workflows", "amt_checkout")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path is not None else None

    @field_validator("echo_brain_url", "echo_brain_secret", "echo_brain_callback_url", "callback_secret")
    @classmethod
    def _empty_is_unset(cls, value: str | None) -> str | None:
        return (value or "").strip() or None

    @property
    def comfyui_server_urls(self) -> tuple[str, ...]:
        """The configured ComfyUI servers, bare of last slashes and of what lets one in to them.

        Empty means the preview server.
        """
        return tuple(server.url for server in _servers(self.comfyui_urls))

    @property
    def api_allowed_host_names(self) -> frozenset[str]:
        """Further names of this machine for keyless requests."""
        return frozenset(_listed(self.api_allowed_hosts.lower()))

    @property
    def api_cors_origin_list(self) -> list[str]:
        """Origins whose pages may call the API; empty: none."""
        return [origin.rstrip("/") for origin in _listed(self.api_cors_origins)]

    @property
    def callback_host_names(self) -> frozenset[str]:
        """Hosts that callbacks may go to, in lower case."""
        return frozenset(name.strip().lower() for name in self.callback_hosts.split(",") if name.strip())

    def body_limit(self, is_form: bool) -> tuple[int, str]:
        """Bytes that a body may have, and the setting that says so."""
        if is_form:
            return self.api_max_upload_mib << 20, "ANIME_API_MAX_UPLOAD_MIB"
        return self.api_max_body_kib << 10, "ANIME_API_MAX_BODY_KIB"

    @property
    def picture_roots(self) -> tuple[Path, ...]:
        """Folders that clients of the API may name pictures in."""
        roots = tuple(Path(root).expanduser().absolute() for root in _listed(self.media_roots))
        return roots or (self.home / "inbox",)

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


def _servers(urls: str) -> list[ServerAccess]:
    return [access_in(url) for url in _listed(urls)]


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process."""
    return Settings()
