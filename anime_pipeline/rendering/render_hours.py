"""The nightly batch window: between which hours of the studio's day automations may render."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

from anime_pipeline.settings import Settings


@dataclass(frozen=True)
class RenderHours:
    """A window of each day, such as 22:00 to 07:00 of the next; ``begin`` and ``end`` differ.

    Each day's window is an interval between two instants, so that the clocks may be put forward or back in
    it: an hour that comes twice counts the first time, one that is left out begins when it would have ended.
    """

    begin: time
    end: time
    zone: ZoneInfo

    @classmethod
    def of(cls, settings: Settings) -> RenderHours | None:
        """The window of the settings; None where all hours are good."""
        if settings.render_hours is None:
            return None
        begin, end = (time.fromisoformat(hour) for hour in settings.render_hours.split("-"))
        return cls(begin, end, ZoneInfo(settings.time_zone))

    def closes_at(self, now: datetime) -> datetime | None:
        """The end (UTC) of the window that ``now`` (any zone) is in; None outside."""
        today = now.astimezone(self.zone).date()
        for days in (-1, 0):
            opens, closes = self._interval(today + timedelta(days=days))
            if opens <= now < closes:
                return closes
        return None

    def opens_at(self, now: datetime) -> datetime:
        """The next beginning (UTC) of a window after ``now``."""
        today = now.astimezone(self.zone).date()
        begins = (self._interval(today + timedelta(days=days))[0] for days in (0, 1, 2))
        return next(begin for begin in begins if begin > now)

    def _interval(self, day: date) -> tuple[datetime, datetime]:
        last = day + timedelta(days=1) if self.end < self.begin else day
        begin, end = (
            datetime.combine(one, hour, self.zone).astimezone(timezone.utc)
            for one, hour in ((day, self.begin), (last, self.end))
        )
        return begin, end

    def __str__(self) -> str:
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"
