"""Images as PNG files in data URIs, for pages that load nothing."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence

import numpy as np

# Longest sides in pixels.
THUMBNAIL, PICTURE = 32, 160
# Limits of the thumbnails in a page: their number, and their bytes before compression.
_MAX_THUMBNAILS, _MAX_BYTES = 2000, 1_600_000


def value_range(images: np.ndarray) -> tuple[float, float]:
    """Return the values of images that are drawn black and white.

    Args:
        images: images within [0, 1], or with other values, whose smallest and largest are taken.
    """
    low, high = float(images.min()), float(images.max())
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    return low, high


def max_thumbnails(shape: Sequence[int]) -> int:
    """Return the number of thumbnails that a page holds: 2,000, or fewer of large colour images.

    Args:
        shape: shape of an image, (height, width) or (height, width, channels).
    """
    reduction = min(1, THUMBNAIL / max(shape[:2]))
    values = math.prod(shape[:2]) * reduction**2 * (shape[-1] if shape[2:] in ((3,), (4,)) else 1)
    return min(_MAX_THUMBNAILS, int(_MAX_BYTES / values))


def pngs(images: np.ndarray, bounds: tuple[float, float], longest: int = PICTURE) -> list[str]:
    """Return images as data URIs of PNG files.

    Args:
        images: (n, height, width) or (n, height, width, channels); numbers of channels other than
            3 and 4 are averaged.
        bounds: values that are drawn black and white.
        longest: longest side in pixels, to which larger images are reduced.
    """
    low, high = bounds
    levels = (images - low) * (255 / (high - low or 1))
    return [_png(each, longest) for each in _grey_or_colour(levels)]


def error_maps(errors: np.ndarray) -> list[str]:
    """Return error maps as data URIs of PNG files; bright is large, as in the map "magma".

    Args:
        errors: squared errors (n, height, width) or (n, height, width, channels). Their roots are
            drawn, and share one scale.
    """
    from matplotlib import colormaps

    roots = np.sqrt(np.maximum(errors, 0))
    if roots.ndim == 4:
        roots = roots.mean(axis=-1)
    shares = roots / max(float(roots.max()), np.finfo(np.float32).tiny)
    return [_png(255 * colormaps["magma"](each)[..., :3], PICTURE) for each in shares]


def _grey_or_colour(levels: np.ndarray) -> np.ndarray:
    if levels.ndim == 4 and levels.shape[-1] not in (3, 4):
        return levels.mean(axis=-1)
    return levels


def _png(levels: np.ndarray, longest: int) -> str:
    from PIL import Image

    image = Image.fromarray(np.clip(np.round(levels), 0, 255).astype(np.uint8))
    image.thumbnail((longest, longest))
    buffer = io.BytesIO()
    image.save(buffer, "png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
