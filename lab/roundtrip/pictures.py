"""Pictures as a person compares them: by what they show, whatever their format and compression."""

from __future__ import annotations

import base64
import io
import warnings

from PIL import Image

_SIDE, _ALIKE = 32, 6.0
_MOST_PIXELS = 50_000_000


def picture_text(data: bytes) -> str:
    """A picture as a text that ``same_picture`` compares: its shape, and what it looks like when it is small.

    What can't be shown is named by its length.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            image = Image.open(io.BytesIO(data))
            if image.width * image.height > _MOST_PIXELS:
                return f"broken {len(data)}"
            # As it is shown on white paper: JPEG knows nothing that can be seen through.
            shown = image.convert("RGBA")
            paper = Image.new("RGBA", shown.size, "white")
            paper.alpha_composite(shown)
            small = paper.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    except Exception:
        # Pillow raises whatever the decoder of a format raises.
        return f"broken {len(data)}"
    return f"{image.width / image.height:.2f} {base64.b64encode(small.tobytes()).decode('ascii')}"


def same_picture(one: str, other: str) -> bool:
    """Whether two of ``picture_text`` show the same."""
    (shape, _, pixels), (other_shape, _, other_pixels) = one.partition(" "), other.partition(" ")
    if "broken" in (shape, other_shape) or not pixels or not other_pixels:
        return one == other
    left, right = base64.b64decode(pixels), base64.b64decode(other_pixels)
    far = sum(abs(a - b) for a, b in zip(left, right, strict=True)) / len(left)
    return abs(float(shape) - float(other_shape)) < 0.03 and far < _ALIKE
