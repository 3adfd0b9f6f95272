"""Time of day, for what people read and for dates that servers send. Durations use the event loop's clock."""

from datetime import UTC, datetime


class WallClock:
    """Tell the time of day."""

    def stamp(self) -> str:
        """Tell the time as ISO 8601 in UTC, to the millisecond."""
        return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def seconds(self) -> float:
        """Tell the seconds since 1970."""
        return datetime.now(UTC).timestamp()
