"""Takes a multipart/form-data body (RFC 7578) apart, in memory; nothing is written to disk."""

from __future__ import annotations

from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from autotl.errors import RequestError, TooLargeError

_MAX_NAME_BYTES = 1024


@dataclass
class Part:
    """One part of a form.

    Attributes:
        name: Of the field.
        filename: Of the file as the client calls it; None for a plain field.
        kind: Its content type in lower case, without parameters; empty where there is none.
        content: Its bytes.
    """

    name: str = ""
    filename: str | None = None
    kind: str = ""
    content: bytes = b""


class _Collector:
    """Gathers parts from the events of the parser."""

    def __init__(self, most: int) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._most = most
        self._content = bytearray()
        self._field, self._value = bytearray(), bytearray()

    def on_part_begin(self) -> None:
        if len(self.parts) == self._most:
            raise TooLargeError(
                "too many parts in one request",
                found=f"more than {self._most:,}",
                expected=f"at most {self._most:,}",
                hint="Send them in several requests.",
            )
        self.parts.append(Part())
        self._content = bytearray()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._content += memoryview(data)[start:end]

    def on_part_end(self) -> None:
        self.parts[-1].content = bytes(self._content)

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            name, filename = options.get(b"name", b""), options.get(b"filename")
            if len(name) + len(filename or b"") > _MAX_NAME_BYTES:
                raise TooLargeError(
                    "a name in the form is too long", expected=f"at most {_MAX_NAME_BYTES} bytes"
                )
            self.parts[-1].name = name.decode("utf-8", "replace")
            self.parts[-1].filename = None if filename is None else filename.decode("utf-8", "replace")
        elif self._field.lower() == b"content-type":
            kind, _ = parse_options_header(bytes(self._value))
            self.parts[-1].kind = kind.decode("latin-1").lower()
        self._field, self._value = bytearray(), bytearray()

    def on_end(self) -> None:
        self.ended = True


def parse_form(content: bytes, content_type: str, most: int) -> list[Part]:
    """The parts of a form.

    Args:
        content: The body.
        content_type: Its Content-Type, which names the boundary.
        most: Most parts.

    Raises:
        RequestError: It is no well-formed, complete form.
        TooLargeError: It has too many parts.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise RequestError(
            "the form has no boundary",
            found=f"Content-Type {content_type[:80]!r}",
            expected="multipart/form-data; boundary=...",
        )
    collector = _Collector(most)
    events = [name for name in dir(collector) if name.startswith("on_")]
    callbacks = {name: getattr(collector, name) for name in events}
    try:
        parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]
        parser.write(content)
        parser.finalize()
    except FormParserError as error:
        raise RequestError(
            "the form is malformed", found=str(error)[:200], expected="multipart/form-data"
        ) from error
    if not collector.ended:
        raise RequestError("the form is cut off", found=f"{len(collector.parts)} parts and no last boundary")
    return collector.parts
