"""The file in a form, as it comes: nothing is spooled, and nothing of it is in memory for longer than it takes to pass it on."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.uploads.refusal import RefusedUploadError

MOST_FIELDS, FIELD_BYTES, NAME_CHARACTERS = 10, 1024, 255
NO_FILE = "No file came with the form. Choose one, and send it again."


@dataclass
class UploadForm:
    """The fields that came before the file, the name that the sender gives it, and its content."""

    fields: dict[str, str]
    file_name: str
    chunks: AsyncIterator[bytes]


async def upload_form(content_type: str, body: AsyncIterator[bytes]) -> UploadForm:
    """Read the form up to the content of its file, which the caller then reads; fields after the file are passed over.

    Raises RefusedUploadError for what is no such form.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise RefusedUploadError(400, "That is not a form with a file. Use the form of the page.")
    reader = _Reader(options[b"boundary"])
    async for chunk in body:
        reader.feed(chunk)
        if reader.file_name is not None:
            return UploadForm(reader.fields, reader.file_name, reader.content(body))
    raise RefusedUploadError(400, NO_FILE)


@dataclass
class _Reader:
    """Callbacks of the parser, and what they have collected."""

    boundary: bytes
    fields: dict[str, str] = field(default_factory=dict)
    file_name: str | None = None
    blocks: deque[bytes] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._header, self._value = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._field = bytearray()
        self._name, self._is_file, self._is_whole, self._parts = "", False, False, 0
        self._parser = MultipartParser(
            self.boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._end_all,
            },
        )

    def feed(self, chunk: bytes) -> None:
        """Raises RefusedUploadError."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise RefusedUploadError(400, "The form is damaged. Send it again.") from error

    async def content(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The content of the file. Raises RefusedUploadError where the form ends in the middle of it."""
        while True:
            while self.blocks:
                yield self.blocks.popleft()
            chunk = await anext(body, None)
            if chunk is None:
                break
            self.feed(chunk)
        if not self._is_whole:
            raise RefusedUploadError(400, "The upload broke off. Send the file again.")

    def _begin(self) -> None:
        self._headers.clear()
        self._field.clear()
        self._name, self._is_file = "", False
        self._parts += 1
        if self._parts > MOST_FIELDS:
            raise RefusedUploadError(400, "The form has too many fields. Use the form of the page.")

    def _end_header(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" in options and self.file_name is None:
            self._is_file = True
            self.file_name = options[b"filename"].decode("utf-8", "replace")[-NAME_CHARACTERS:]
        elif b"filename" in options:
            raise RefusedUploadError(400, "Bring one file at a time.")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self.blocks.append(data[start:end])
        elif self.file_name is None:
            self._field += data[start:end]
            if len(self._field) > FIELD_BYTES:
                raise RefusedUploadError(400, "A field of the form is too long. Use the form of the page.")

    def _end(self) -> None:
        if not self._is_file and self.file_name is None:
            self.fields[self._name] = self._field.decode("utf-8", "replace")

    def _end_all(self) -> None:
        self._is_whole = True
