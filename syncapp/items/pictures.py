"""Pictures of contacts: whether two show the same, and what becomes of one where only JPEG is known.

A picture comes from outside: only formats that people have pictures in are opened, and none of which the dimensions,
as its head states them, would fill the memory.
"""

from __future__ import annotations

import io
from functools import lru_cache

from PIL import Image, ImageOps

MOST_PIXELS = 20_000_000
MOST_BYTES = 1024 * 1024
"""No limit is documented for the picture of a contact in Exchange below that of a request. This is far more than any
client shows; phones load the pictures of all contacts."""

_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP")
_JPEG = b"\xff\xd8\xff"
_QUALITIES = (95, 85, 75)
_SIDE, _ALIKE, _SAME_SHAPE = 32, 4.0, 0.03
_REMEMBERED = 8


def as_jpeg(data: bytes) -> bytes:
    """A picture as a JPEG of at most ``MOST_BYTES``; nothing for what is no picture, or too large to be opened.

    One that is that already stays as it is, byte for byte, and is not even opened.
    """
    return data if data.startswith(_JPEG) and len(data) <= MOST_BYTES else _made_jpeg(data)


@lru_cache(_REMEMBERED)
def _made_jpeg(data: bytes) -> bytes:
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
        if image.width * image.height > MOST_PIXELS:
            return b""
        return _written(_on_paper(image))
    except Exception:
        # Each decoder has errors of its own for broken pictures, and more than are documented.
        return b""


def _written(image: Image.Image) -> bytes:
    """The picture in as good a quality as fits; smaller when none does."""
    while True:
        for quality in _QUALITIES:
            out = io.BytesIO()
            image.save(out, "JPEG", quality=quality, subsampling=0, optimize=True)
            if out.tell() <= MOST_BYTES:
                return out.getvalue()
        image = image.resize((max(image.width // 2, 1), max(image.height // 2, 1)), Image.Resampling.LANCZOS)


def _on_paper(image: Image.Image) -> Image.Image:
    """The picture the right way up, on white where one can see through it: JPEG knows neither."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode == "RGB":
        return upright
    shown = upright.convert("RGBA")
    paper = Image.new("RGBA", shown.size, "white")
    paper.alpha_composite(shown)
    return paper.convert("RGB")


def alike(one: bytes, other: bytes) -> bool:
    """Whether two pictures show the same, whatever their format, compression and size."""
    if one == other:
        return True
    left, right = _small(one), _small(other)
    if left is None or right is None or abs(left[0] - right[0]) > _SAME_SHAPE:
        return False
    far = sum(abs(a - b) for a, b in zip(left[1], right[1], strict=True)) / len(left[1])
    return far < _ALIKE


def _small(data: bytes) -> tuple[float, bytes] | None:
    """The shape of a picture and what it looks like when it is small; None for one that can't be opened."""
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
        if image.width * image.height > MOST_PIXELS:
            return None
        image.draft("RGB", (_SIDE * 4, _SIDE * 4))
        shown = _on_paper(image)
    except Exception:
        # As in ``as_jpeg``.
        return None
    return shown.width / shown.height, shown.resize((_SIDE, _SIDE), Image.Resampling.BOX).tobytes()
