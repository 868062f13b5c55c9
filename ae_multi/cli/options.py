"""Options that several commands share."""

import argparse
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from ae_multi.compare.config import MODELS
from ae_multi.errors import InputError
from ae_multi.io.atomic import check_writable
from ae_multi.subprocesses.interpreters import Interpreters


def add_backend_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--backends`` and ``--python``."""
    parser.add_argument(
        "--backends",
        type=comma_separated,
        metavar="NAMES",
        help="comma-separated backends in the order to run: torch, tensorflow, jax (default: all "
        "that are installed)",
    )
    add_python_option(parser)


def interpreters_of(options: argparse.Namespace) -> Interpreters:
    """Return the `Interpreters` for the parsed options of `add_backend_options`."""
    return Interpreters(backends=options.backends, pythons=dict(options.python))


def add_python_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--python``."""
    parser.add_argument(
        "--python",
        type=backend_python,
        action="append",
        default=[],
        metavar="BACKEND=PATH",
        help="Python interpreter of a backend in another environment; may be repeated",
    )


def add_data_options(parser: argparse.ArgumentParser, has_files: bool = False) -> None:
    """Add ``--data`` and ``--data-path``; ``has_files`` if the first may name a file."""
    files = (
        "; or a file or folder that is read in windows: .npy, .parquet or images, bytes or numbers "
        "from 0 to 1"
    )
    parser.add_argument(
        "--data",
        default="auto",
        metavar="NAME",
        help="data set: mnist, mnist-sample (6,000 bundled images of MNIST), digits (of "
        "scikit-learn) or auto, which is MNIST if available, otherwise the bundled sample "
        f"(default: auto){files if has_files else ''}",
    )
    parser.add_argument(
        "--data-path",
        metavar="PATH",
        help="folder with the IDX files of MNIST, or an mnist.npz (also set by the environment "
        "variable AE_MULTI_MNIST)",
    )


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a training."""
    parser.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="number of epochs (default: 15 on MNIST, 150 on its bundled sample)",
    )
    parser.add_argument(
        "--batch-size", type=int, default=128, metavar="N", help="samples per batch (default: 128)"
    )
    parser.add_argument(
        "--learning-rate",
        type=float,
        default=1e-3,
        metavar="X",
        help="learning rate of Adam (default: 0.001)",
    )
    parser.add_argument(
        "--latent-dim", type=int, metavar="N", help="code size (default: depends on the model)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="seed of weights and batch order (default: 0)",
    )


def training_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the parsed options of `add_training_options` as keywords of `TrainingConfig`."""
    return {
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "learning_rate": options.learning_rate,
        "latent_dim": options.latent_dim,
        "seed": options.seed,
    }


def comma_separated(text: str) -> tuple[str, ...]:
    """Split ``a,b`` into ("a", "b")."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError(f"expected comma-separated names, received {text!r}")
    return names


def model_names(text: str) -> tuple[str, ...]:
    """Split comma-separated names of models; "all" stands for all of them."""
    return tuple(MODELS) if text == "all" else comma_separated(text)


def backend_python(text: str) -> tuple[str, str]:
    """Split ``jax=/path/to/python`` into ("jax", "/path/to/python")."""
    backend, equals, path = text.partition("=")
    if not equals or not path:
        raise argparse.ArgumentTypeError(f"expected BACKEND=PATH, received {text!r}")
    return backend, path


def check_names(option: str, names: Iterable[str], known: Collection[str]) -> None:
    """Raise an `InputError` for the first of ``names`` that is not in ``known``.

    Args:
        option: the option that holds the names, for the message ("--model").
        names: the received names.
        known: the valid names.
    """
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"Expected {option} among {', '.join(known)}. Received: {unknown[0]!r}.")


def check_figure(path: Path) -> None:
    """Raise an `InputError` unless ``path`` is writable and ends in .png, .svg or .pdf."""
    check_writable(path, "the figure")
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InputError(f"Expected a figure named .png, .svg or .pdf. Received: {path}.")
