"""What an agent writes to stdout and stderr, kept small."""


class Tail:
    """The last `limit_bytes` of a stream, as text. Never grows, whatever is written."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._kept = b""

    def add(self, text: bytes) -> None:
        """Take what was written."""
        self._kept = (self._kept + text)[-self._limit_bytes :] if self._limit_bytes else b""

    def text(self) -> str:
        """What is kept; bytes that are not UTF-8 show as such."""
        return self._kept.decode(errors="backslashreplace")
