"""Pictures: what they show decides, and Exchange gets JPEG."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from syncapp.items.pictures import MOST_BYTES, MOST_PIXELS, alike, as_jpeg


def picture(kind: str, mode: str = "RGB", size: tuple[int, int] = (120, 80), **options: object) -> bytes:
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    image.paste("orange", (size[0] // 2, 0, size[0], size[1] // 2))
    out = io.BytesIO()
    image.convert(mode).save(out, kind, **options)
    return out.getvalue()


def noise(size: int) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((size, size), 200).convert("RGB").save(out, "PNG")
    return out.getvalue()


def lying(width: int, height: int) -> bytes:
    """A PNG whose head claims dimensions that it does not have."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rest = picture("PNG")[33:]
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head)) + rest


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "BMP"])
def test_any_format_becomes_a_jpeg_that_shows_the_same(kind: str) -> None:
    data = picture(kind)
    held = as_jpeg(data)
    assert Image.open(io.BytesIO(held)).format == "JPEG"
    assert Image.open(io.BytesIO(held)).size == (120, 80)
    assert alike(data, held)
    assert as_jpeg(held) == held


def test_a_jpeg_stays_as_it_is() -> None:
    data = picture("JPEG", quality=30)
    assert as_jpeg(data) == data


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA"])
def test_every_sort_of_colours_is_known(mode: str) -> None:
    data = picture("PNG", mode)
    assert alike(data, as_jpeg(data))


def test_what_can_be_seen_through_is_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(out, "PNG")
    assert Image.open(io.BytesIO(as_jpeg(out.getvalue()))).getpixel((4, 4)) == (255, 255, 255)


def test_a_picture_that_is_too_large_is_made_smaller() -> None:
    data = noise(1500)
    held = as_jpeg(data)
    assert 0 < len(held) <= MOST_BYTES < len(data)
    assert alike(data, held)


@pytest.mark.parametrize("data", [b"", b"no picture", picture("PNG")[:60], lying(60_000, 60_000), lying(20_001, 1000)])
def test_a_picture_that_is_broken_or_lies_about_its_size_is_none(data: bytes) -> None:
    assert as_jpeg(data) == b""
    assert MOST_PIXELS < 20_001 * 1000


def test_recompressed_and_scaled_pictures_are_alike() -> None:
    data = picture("JPEG", quality=95)
    assert alike(data, picture("JPEG", quality=60))
    assert alike(data, picture("PNG"))
    assert alike(data, picture("JPEG", size=(60, 40)))


def test_other_pictures_are_not_alike() -> None:
    data = picture("JPEG")
    mirrored = io.BytesIO()
    Image.open(io.BytesIO(data)).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(mirrored, "JPEG")
    assert not alike(data, mirrored.getvalue())
    assert not alike(data, picture("JPEG", size=(80, 80)))
    assert not alike(data, b"no picture")
    assert not alike(b"no picture", b"nor this")
    assert alike(b"the same", b"the same")
