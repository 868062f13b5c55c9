"""Images of digits on clutter, in which brightness alone does not separate the digit.

An image has a background of smooth noise and waves, strokes cut from other digits and as bright as
the digit, the digit itself, and noise over everything. It is a pure function of the given images
and a seed.
"""

from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter

from ae_multi.errors import InputError
from ae_multi.randomness import streams

_STROKES = 3  # pieces of other digits in an image
_TEXTURE, _WAVES, _NOISE = 0.10, 0.08, 0.08  # standard deviations; a wave's is its amplitude / √2


def clutter(
    images: np.ndarray, seed: int, purpose: str = "clutter"
) -> tuple[np.ndarray, np.ndarray]:
    """Place each image on a cluttered background.

    Args:
        images: float32 in [0, 1], (n, height, width, channels), bright on black; at least 2.
        seed: integer, 0 to 2**64 - 1.
        purpose: string; different strings give different clutter, for training and test images.

    Returns:
        (scenes, masks): float32 (n, height, width, 1) in [0, 1], and booleans (n, height, width)
        that are true on the digit, where ``images`` exceed 0.5.

    Raises:
        InputError: fewer than 2 images.
    """
    if len(images) < 2:
        raise InputError(f"Expected at least 2 images to cut from. Received: {len(images)}.")
    digits = images.mean(axis=-1)

    def draw(distribution, name, *shape):
        return distribution(seed, f"{purpose}/{name}", (len(images), *shape))

    uniform, normal = partial(draw, streams.uniform), partial(draw, streams.normal)
    ink = np.maximum(digits, _strokes(digits, uniform("strokes", _STROKES, 5)))
    brightness = 0.7 + 0.3 * uniform("brightness", 1, 1)
    background = _background(
        digits.shape, uniform("waves", 4), normal("texture", *digits.shape[1:])
    )
    scenes = background * (1 - ink) + brightness * ink + _NOISE * normal("noise", *digits.shape[1:])
    return np.clip(scenes, 0, 1).astype(np.float32)[..., np.newaxis], digits > 0.5


def _background(shape: tuple[int, ...], uniforms: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Return grey images with smooth noise and waves, (n, height, width).

    Args:
        shape: (n, height, width).
        uniforms: numbers in [0, 1), (n, 4): direction, length and phase of the waves, and grey.
        normals: standard normal numbers of ``shape``, which are smoothed.
    """
    _, height, width = shape
    smooth = gaussian_filter(normals, (0, 2, 2))
    smooth *= _TEXTURE / smooth.std(axis=(1, 2), keepdims=True)
    direction, length, phase, grey = (each[:, np.newaxis, np.newaxis] for each in uniforms.T)
    rows, columns = np.mgrid[:height, :width]
    along = rows * np.sin(2 * np.pi * direction) + columns * np.cos(2 * np.pi * direction)
    waves = _WAVES * np.sqrt(2) * np.sin(2 * np.pi * (along / (5 + 10 * length) + phase))
    return np.clip(0.1 + 0.25 * grey + smooth + waves, 0, 1)


def _strokes(digits: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
    """Return pieces of other images at random positions, (n, height, width), 0 elsewhere.

    Args:
        digits: images, (n, height, width).
        uniforms: numbers in [0, 1), (n, pieces, 5): the image to cut from, the position of the
            piece in it (row, column), and its position in the result (row, column).
    """
    count, height, width = digits.shape
    tall, wide = max(height // 4, 1), max(width // 4, 1)
    layer = np.zeros_like(digits)
    first = np.arange(count)[:, np.newaxis] + 1
    other = (first + uniforms[..., 0] * (count - 1)).astype(int) % count
    # Pieces are cut from the central half, where there is ink.
    top = (height // 4 + uniforms[..., 1] * (height // 2 - tall + 1)).astype(int)
    left = (width // 4 + uniforms[..., 2] * (width // 2 - wide + 1)).astype(int)
    down = (uniforms[..., 3] * (height - tall + 1)).astype(int)
    across = (uniforms[..., 4] * (width - wide + 1)).astype(int)
    for image in range(count):
        for piece in range(uniforms.shape[1]):
            where = image, piece
            cut = digits[other[where], top[where] :, left[where] :][:tall, :wide]
            target = layer[image, down[where] :, across[where] :][:tall, :wide]
            np.maximum(target, cut, out=target)
    return layer
