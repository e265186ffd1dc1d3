"""How much the server takes, and the count of what it holds: beyond it, requests are refused, not stored."""

from __future__ import annotations

from dataclasses import dataclass, fields

from autotl.errors import OverloadedError, SettingsError

#: What a request costs beside its body: its tasks, headers and answer.
REQUEST_BYTES = 16 * 1024
_MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """What a server accepts.

    Attributes:
        body_bytes: Longest body of a request.
        items: Most inputs of a request.
        pixels: Largest image, by the head of its file.
        characters: Longest text.
        queue_items: Most inputs that are accepted and not yet answered.
        queue_bytes: Most bytes of bodies that are held; decoded inputs that wait are held to the same figure.
        timeout_seconds: How long a request may take, from its first byte to its answer.

    Raises:
        SettingsError: A limit is not positive, or the queue is too small for one request.
    """

    body_bytes: int = 32 * _MIB
    items: int = 256
    pixels: int = 25_000_000
    characters: int = 100_000
    queue_items: int = 1024
    queue_bytes: int = 256 * _MIB
    timeout_seconds: float = 30.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise SettingsError(f"impossible limit {field.name}", found=value, expected="more than 0")
        for whole, part, name in (
            (self.queue_items, self.items, "items"),
            (self.queue_bytes, self.body_bytes + REQUEST_BYTES, "bytes"),
        ):
            if whole < part:
                raise SettingsError(
                    f"the queue is too small for one request, in {name}",
                    found=f"{whole:,}",
                    expected=f"at least {part:,}",
                    hint="Raise the limit of the queue, or lower that of a request.",
                )


class Gate:
    """Counts what accepted requests hold. Belongs to one event loop.

    Args:
        limits: The most that may be held.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.items = 0
        self.bytes = 0
        #: What a refused client is told to wait.
        self.retry_after_seconds = 1

    def hold(self) -> Hold:
        """What one request holds, nothing yet."""
        return Hold(self)

    def admit(self, items: int, size: int) -> None:
        """Count more.

        Raises:
            OverloadedError: It would be more than the limits; nothing was counted.
        """
        for name, held, more, most in (
            ("inputs", self.items, items, self._limits.queue_items),
            ("bytes", self.bytes, size, self._limits.queue_bytes),
        ):
            if held + more > most:
                raise OverloadedError(
                    "the server is busy",
                    found=f"{held:,} {name} waiting and {more:,} more",
                    expected=f"at most {most:,}",
                    hint=f"Try again in {self.retry_after_seconds} s.",
                )
        self.items += items
        self.bytes += size


class Hold:
    """What one request holds; a context that gives all of it back."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.items = 0
        self.bytes = 0

    def __enter__(self) -> Hold:
        self.take(size=REQUEST_BYTES)
        return self

    def __exit__(self, *_: object) -> None:
        self._gate.items -= self.items
        self._gate.bytes -= self.bytes
        self.items = self.bytes = 0

    def take(self, items: int = 0, size: int = 0) -> None:
        """Hold more.

        Raises:
            OverloadedError: The server holds too much already.
        """
        self._gate.admit(items, size)
        self.items += items
        self.bytes += size
