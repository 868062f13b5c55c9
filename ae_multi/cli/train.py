"""``ae-multi train``: train one model on the current backend and save it."""

import argparse
from pathlib import Path

from ae_multi.checkpoints import Interval
from ae_multi.cli.options import add_data_options, add_training_options, training_options
from ae_multi.cli.startup import import_backend
from ae_multi.compare.config import ALL_MODELS, TrainingConfig
from ae_multi.errors import InputError
from ae_multi.io.atomic import check_writable
from ae_multi.report.progress import job_progress
from ae_multi.report.tables import console


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--model",
        default="deep",
        metavar="NAME",
        help=f"model: {', '.join(ALL_MODELS)} (default: deep)",
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--out", type=Path, metavar="FILE.keras", help="file of the trained model")
    output.add_argument(
        "--no-save", action="store_true", help="do not save the trained model; replaces --out"
    )
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FOLDER", help="folder for checkpoints of the training"
    )
    parser.add_argument(
        "--checkpoint-every",
        metavar="TIME",
        help="interval between checkpoints, such as '500 steps' or '5 minutes' (default: 1 epoch)",
    )
    parser.add_argument(
        "--keep", type=int, metavar="N", help="number of checkpoints to keep (default: 3)"
    )
    parser.add_argument(
        "--resume", action="store_true", help="resume from the newest checkpoint if there is one"
    )
    add_data_options(parser)
    add_training_options(parser)


def run(options: argparse.Namespace) -> int:
    """Train, save and print the quality; return 0."""
    config = TrainingConfig(options.model, **training_options(options))
    checkpoints = _checkpoints(options)
    if options.out is None and not options.no_save:
        raise InputError(
            "Expected --out FILE.keras, where the trained model is saved, or --no-save. "
            "Received: neither."
        )
    if options.out is not None:
        check_writable(options.out, "the model")
        if options.out.suffix != ".keras":
            raise InputError(f"Expected a model file named .keras. Received: {options.out}.")
    out = console()
    with job_progress(console(stderr=True), "train") as report:
        name = import_backend()
        from ae_multi import backends
        from ae_multi.compare.train import build, train
        from ae_multi.data import load_data
        from ae_multi.training.progress_bar import reporting

        backend = backends.current()
        data = load_data(options.data, options.data_path)
        model = build(config, data.image_shape)
        x, y, test = _task(config, data)
        with reporting(report):
            training = train(model, x, config, checkpoints=checkpoints, y=y)
        # Save before anything else can fail.
        if options.out is not None:
            model.save(options.out)
        quality, warning = test(model)
    out.print(
        f"{type(model).__name__} on {name} {backend.version()}, {backend.device()}; "
        f"{data.name} ({data.source})",
        soft_wrap=True,
    )
    speed = training.samples_per_second
    rate = f", {speed:,.0f} samples/s" if speed == speed else ""  # NaN without a timed epoch
    out.print(f"{quality}; {training.seconds:.1f} s{rate}", soft_wrap=True)
    if warning:
        out.print(warning, style="red", soft_wrap=True)
    if options.out is not None:
        out.print(f"Saved: {options.out}", soft_wrap=True)
    return 0


def _checkpoints(options):
    """Return the keywords of `fit` for checkpoints, or None without ``--checkpoint``."""
    if options.checkpoint is None:
        received = [
            f"--{name.replace('_', '-')}"
            for name in ("checkpoint_every", "keep", "resume")
            if getattr(options, name) not in (None, False)
        ]
        if received:
            raise InputError(
                f"Expected --checkpoint FOLDER with {', '.join(received)}. "
                "Received: no --checkpoint."
            )
        return None
    every = "1 epoch" if options.checkpoint_every is None else options.checkpoint_every
    Interval.parse(every)
    keep = 3 if options.keep is None else options.keep
    return {
        "checkpoint": options.checkpoint,
        "checkpoint_every": every,
        "keep": keep,
        "resume": options.resume,
    }


def _task(config, data):
    """Return the training data of a model and the function that tests it.

    Returns:
        (inputs, targets or None, test). ``test(model)`` returns (quality, warning), two strings;
        the warning is empty if the model is better than the baselines.
    """
    if config.model == "segmentation":
        from ae_multi.data.clutter import clutter

        x, masks = clutter(data.x_train, config.seed, "train")
        return x, masks, lambda model: _segmentation_quality(model, x, masks, data, config.seed)
    if config.model == "restoration":
        return data.x_train, None, lambda model: _restoration_quality(model, data, config.seed)
    return data.x_train, None, lambda model: _reconstruction_quality(model, data)


def _reconstruction_quality(model, data):
    """Compare reconstructions with PCA and the mean image; return (quality, warning)."""
    import numpy as np

    from ae_multi.baselines import mean_baseline, pca_baselines
    from ae_multi.metrics import psnr, squared_errors

    errors = squared_errors(data.x_test, model.reconstruct(data.x_test))
    size = int(np.prod(model.encode(data.x_test[:1]).shape[1:]))
    linear, mean = pca_baselines(data, [size])[size], mean_baseline(data)
    warning = ""
    if not np.mean(errors) < mean:
        warning = "No better than predicting the mean image."
    elif not np.mean(errors) < linear:
        warning = "Worse than PCA, a linear model."
    return (
        f"test MSE {np.mean(errors):.5f}, PSNR {psnr(errors):.2f} dB; PCA with {size} components: "
        f"{linear:.5f}; the mean image: {mean:.5f}",
        warning,
    )


def _restoration_quality(model, data, seed):
    """Compare restored images with the noisy images; return (quality, warning)."""
    import numpy as np

    from ae_multi.metrics import psnr, squared_errors
    from ae_multi.tasks.denoise import with_noise

    noisy = with_noise(data.x_test, model.noise, seed, "test")
    errors = squared_errors(data.x_test, model.restore(noisy))
    before = squared_errors(data.x_test, noisy)
    is_worse = not np.mean(errors) < np.mean(before)
    return (
        f"test MSE {np.mean(errors):.5f}, PSNR {psnr(errors):.2f} dB, of images with noise of "
        f"standard deviation {model.noise:g}; the noisy images: {np.mean(before):.5f}, "
        f"{psnr(before):.2f} dB",
        "Worse than the noisy images." if is_worse else "",
    )


def _segmentation_quality(model, x_train, m_train, data, seed):
    """Compare masks of digits with the best brightness threshold; return (quality, warning)."""
    from ae_multi.baselines import best_threshold
    from ae_multi.data.clutter import clutter
    from ae_multi.metrics import iou

    x_test, m_test = clutter(data.x_test, seed, "test")
    ours = iou(model.segment(x_test) > 0, m_test)
    baseline = iou(x_test[..., 0] > best_threshold(x_train[..., 0], m_train), m_test)
    return (
        f"test IoU {ours:.4f} of digits on clutter; the best threshold: {baseline:.4f}",
        "" if ours > baseline else "Worse than a threshold on brightness.",
    )
