"""Digits on clutter: images in which a digit is easy to see and brightness does not give it away.

A background of smooth noise and waves, strokes cut from other digits and as bright as the digit
itself, the digit, and noise over all. Made from a set of images and a seed, and from nothing else.
"""

from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter

from ae_multi.errors import InputError
from ae_multi.randomness import streams

_STROKES = 3  # pieces of other digits in an image
_TEXTURE, _WAVES, _NOISE = 0.10, 0.08, 0.08  # standard deviations; a wave's is its amplitude / √2


def clutter(images, seed, purpose="clutter"):
    """Put each image among clutter.

    Args:
        images: float32 in [0, 1], (n, height, width, channels), bright on black; at least 2.
        seed: integer; with ``purpose``, which numbers are drawn.
        purpose: string; training and test images are to have clutter of their own.

    Returns:
        (scenes, masks): float32 (n, height, width, 1) in [0, 1], and where the digit is, which is
        where ``images`` are above a half: booleans (n, height, width).
    """
    if len(images) < 2:
        raise InputError(f"Expected at least 2 images to cut from. Received: {len(images)}.")
    digits = images.mean(axis=-1)

    def drawn(numbers, what, *shape):
        return numbers(seed, f"{purpose}/{what}", (len(images), *shape))

    uniform, normal = partial(drawn, streams.uniform), partial(drawn, streams.normal)
    ink = np.maximum(digits, _strokes(digits, uniform("strokes", _STROKES, 5)))
    brightness = 0.7 + 0.3 * uniform("brightness", 1, 1)
    ground = _background(digits.shape, uniform("waves", 4), normal("texture", *digits.shape[1:]))
    scenes = ground * (1 - ink) + brightness * ink + _NOISE * normal("noise", *digits.shape[1:])
    return np.clip(scenes, 0, 1).astype(np.float32)[..., np.newaxis], digits > 0.5


def _background(shape, drawn, normals):
    """Smooth noise, and waves of any direction, length and phase, about a grey of any depth."""
    _, height, width = shape
    smooth = gaussian_filter(normals, (0, 2, 2))
    smooth *= _TEXTURE / smooth.std(axis=(1, 2), keepdims=True)
    direction, length, phase, grey = (each[:, np.newaxis, np.newaxis] for each in drawn.T)
    rows, columns = np.mgrid[:height, :width]
    along = rows * np.sin(2 * np.pi * direction) + columns * np.cos(2 * np.pi * direction)
    waves = _WAVES * np.sqrt(2) * np.sin(2 * np.pi * (along / (5 + 10 * length) + phase))
    return np.clip(0.1 + 0.25 * grey + smooth + waves, 0, 1)


def _strokes(digits, drawn):
    """Pieces of other images, each anywhere: (n, height, width), 0 where there is none."""
    count, height, width = digits.shape
    tall, wide = max(height // 4, 1), max(width // 4, 1)
    layer = np.zeros_like(digits)
    other = (np.arange(count)[:, np.newaxis] + 1 + drawn[..., 0] * (count - 1)).astype(int) % count
    # Cut from the middle half, where there is ink.
    top = (height // 4 + drawn[..., 1] * (height // 2 - tall + 1)).astype(int)
    left = (width // 4 + drawn[..., 2] * (width // 2 - wide + 1)).astype(int)
    down = (drawn[..., 3] * (height - tall + 1)).astype(int)
    across = (drawn[..., 4] * (width - wide + 1)).astype(int)
    for image in range(count):
        for piece in range(drawn.shape[1]):
            where = image, piece
            cut = digits[other[where], top[where] :, left[where] :][:tall, :wide]
            target = layer[image, down[where] :, across[where] :][:tall, :wide]
            np.maximum(target, cut, out=target)
    return layer
