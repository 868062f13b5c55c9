"""Preprocessing layers of images, audio and categories."""

from tests.robustness.sweep.branch import Configuration, Numbers

IMAGE = Numbers((8, 9, 3), mean=0.5, spread=0.15)
RANGE = {"value_range": (0, 1)}
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
FILL_MODES = ("constant", "nearest", "reflect", "wrap")


def _one(draw, config, numbers=IMAGE):
    return [Configuration(draw.layer, config, [numbers])]


def resizing(draw):
    found = []
    for interpolation in INTERPOLATIONS:
        config = {"height": draw.of(4, 5, 11, 16), "width": draw.of(3, 9, 12)}
        config |= {"interpolation": interpolation, "antialias": draw.of(True, False)}
        config |= draw.of({}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True})
        if config.get("pad_to_aspect_ratio"):
            config["fill_value"] = draw.of(0.0, 0.7)
        found += _one(draw, config)
    for antialias in (True, False):
        config = {"height": 4, "width": 3, "interpolation": "bilinear", "antialias": antialias}
        found += _one(draw, config)
    return found


def center_crop(draw):
    return _one(draw, {"height": draw.of(3, 5, 12), "width": draw.of(4, 9, 11)})


def rescaling(draw):
    return _one(draw, {"scale": draw.of(1 / 255, 3.0), "offset": draw.of(0.0, -1.0)})


def normalization(draw):
    config = {"axis": -1, "mean": [0.5, 0.4, 0.3], "variance": [0.04, 0.01, 0.0]}
    return _one(draw, {**config, "invert": draw.of(True, False)})


def pipeline(draw):
    steps = [
        {"class": "Rescaling", "config": {"scale": 2.0}},
        {"class": "CenterCrop", "config": {"height": 4, "width": 5}},
    ]
    return _one(draw, {"layers": steps})


def of_range(draw):
    return _one(draw, RANGE)


def with_factor(draw):
    return _one(draw, {**RANGE, "factor": draw.of(0.3, 0.8)})


def posterization(draw):
    return _one(draw, {**RANGE, "factor": draw.of(2, 5)})


def solarization(draw):
    factors = {"addition_factor": draw.of(0.0, 0.3), "threshold_factor": draw.of(0.0, 0.5)}
    return _one(draw, {**RANGE, **factors})


def contrast(draw):
    return _one(draw, {**RANGE, "factor": draw.of(0.2, 0.9)})


def color_jitter(draw):
    factors = {f"{name}_factor": 0.3 for name in ("brightness", "contrast", "saturation", "hue")}
    return _one(draw, {**RANGE, **factors})


def grayscale(draw):
    return _one(draw, {"factor": draw.of(0.5, 1.0)})


def flip(draw):
    return _one(draw, {"mode": draw.of("horizontal", "vertical", "horizontal_and_vertical")})


def geometric(draw):
    """Return geometric augmentations with each interpolation and two fill modes."""
    factors = {
        "RandomRotation": {"factor": 0.2},
        "RandomTranslation": {"height_factor": 0.3, "width_factor": 0.2},
        "RandomZoom": {"height_factor": 0.3},
        "RandomShear": {"x_factor": 0.3, "y_factor": 0.2},
    }[draw.layer]
    return [
        Configuration(
            draw.layer,
            {**factors, "interpolation": interpolation, "fill_mode": mode},
            [IMAGE],
        )
        for interpolation in ("nearest", "bilinear")
        for mode in draw.two_of(*FILL_MODES)
    ]


def perspective(draw):
    return _one(draw, {"factor": 1.0, "scale": 0.5, "interpolation": "bilinear"})


def erasing(draw):
    return _one(draw, {**RANGE, "factor": 1.0, "scale": (0.1, 0.4), "fill_value": 0.3})


def blur(draw):
    return _one(draw, {**RANGE, "kernel_size": 3, "sigma": draw.of(0.3, 1.0)})


def clahe(draw):
    return _one(draw, {**RANGE, "clip_limit": 4.0, "tile_grid_size": (2, 2)})


def stft(draw):
    config = {"mode": draw.of("log", "magnitude", "psd", "real", "imag", "angle", "stft")}
    config |= {"frame_length": 16, "frame_step": draw.of(5, 8), "fft_length": draw.of(16, 32)}
    config |= {"window": draw.of("hann", "hamming", None), "padding": draw.of("valid", "same")}
    config |= {"scaling": draw.of("density", "spectrum"), "periodic": draw.of(True, False)}
    return [
        *_one(draw, config, Numbers((64, 2))),
        *_one(draw, {**config, "mode": "magnitude"}, Numbers((64, 1))),
    ]


def mel(draw):
    config = {"fft_length": 32, "sequence_stride": 8, "sequence_length": 32}
    config |= {"sampling_rate": 64, "num_mel_bins": 8, "max_freq": 32}
    config |= {"power_to_db": draw.of(True, False), "mag_exp": draw.of(1.0, 2.0)}
    return _one(draw, config, Numbers((64,)))


def category_encoding(draw):
    config = {"num_tokens": 9, "output_mode": draw.of("one_hot", "multi_hot", "count")}
    return _one(draw, config, Numbers((5,), below=9))


def discretization(draw):
    config = {"bin_boundaries": [-1.0, 0.0, 2.5], "output_mode": draw.of("int", "one_hot")}
    return _one(draw, config, Numbers((5,), below=5))


DRAWS = {
    "Resizing": resizing,
    "CenterCrop": center_crop,
    "Rescaling": rescaling,
    "Normalization": normalization,
    "Pipeline": pipeline,
    "AutoContrast": of_range,
    "RandomInvert": of_range,
    **dict.fromkeys(
        (
            "RandomBrightness",
            "RandomColorDegeneration",
            "RandomHue",
            "RandomSaturation",
            "RandomSharpness",
        ),
        with_factor,
    ),
    "RandomPosterization": posterization,
    "Solarization": solarization,
    "RandomContrast": contrast,
    "RandomColorJitter": color_jitter,
    "RandomGrayscale": grayscale,
    "RandomFlip": flip,
    **dict.fromkeys(
        (
            "RandomRotation",
            "RandomTranslation",
            "RandomZoom",
            "RandomShear",
        ),
        geometric,
    ),
    "RandomPerspective": perspective,
    "RandomErasing": erasing,
    "RandomGaussianBlur": blur,
    "ContrastLimitedAdaptiveHistogramEqualization": clahe,
    "STFTSpectrogram": stft,
    "MelSpectrogram": mel,
    "CategoryEncoding": category_encoding,
    "Discretization": discretization,
}
