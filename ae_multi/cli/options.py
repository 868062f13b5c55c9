"""Options that several subcommands have."""

import argparse

from ae_multi.compare.config import MODELS
from ae_multi.errors import InputError
from ae_multi.io.atomic import check_writable
from ae_multi.subprocesses.interpreters import Interpreters


def add_backend_options(parser):
    """``--backends`` and ``--python``."""
    parser.add_argument(
        "--backends",
        type=comma_separated,
        metavar="NAMES",
        help="torch,tensorflow,jax or some of them, in this order (default: those installed)",
    )
    add_python_option(parser)


def interpreters_of(options):
    """The `Interpreters` that the options of `add_backend_options` name."""
    return Interpreters(backends=options.backends, pythons=dict(options.python))


def add_python_option(parser):
    """``--python``."""
    parser.add_argument(
        "--python",
        type=backend_python,
        action="append",
        default=[],
        metavar="BACKEND=PATH",
        help="the interpreter of a backend that lives in an environment of its own; repeatable",
    )


def add_data_options(parser):
    """``--data`` and ``--data-path``."""
    parser.add_argument(
        "--data",
        default="auto",
        metavar="NAME",
        help="mnist; mnist-sample (6,000 of its images, part of the package); digits "
        "(scikit-learn's); or auto (default): MNIST if available, otherwise the sample",
    )
    parser.add_argument(
        "--data-path",
        metavar="PATH",
        help="a folder of MNIST's IDX files, or an mnist.npz (also: AE_MULTI_MNIST)",
    )


def add_training_options(parser):
    """How to train."""
    parser.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="passes over the data (default: 15 on MNIST, 150 on its sample)",
    )
    parser.add_argument("--batch-size", type=int, default=128, metavar="N", help="default: 128")
    parser.add_argument(
        "--learning-rate", type=float, default=1e-3, metavar="X", help="Adam's (default: 0.001)"
    )
    parser.add_argument(
        "--latent-dim", type=int, metavar="N", help="size of the code (default: the model's own)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="weights and order (default: 0)"
    )


def training_options(options):
    """The keywords of a `TrainingConfig` that `add_training_options` asked for."""
    return {
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "learning_rate": options.learning_rate,
        "latent_dim": options.latent_dim,
        "seed": options.seed,
    }


def comma_separated(text):
    """``a,b`` as ("a", "b")."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError(f"expected names with commas between, received {text!r}")
    return names


def sizes(text):
    """``1000,500`` as (1000, 500); "auto" as it is."""
    if text == "auto":
        return text
    try:
        return tuple(int(part) for part in comma_separated(text))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected auto or whole numbers with commas between, received {text!r}"
        ) from None


def model_names(text):
    """Names of models, with "all" for every one."""
    return tuple(MODELS) if text == "all" else comma_separated(text)


def backend_python(text):
    """``jax=/path/to/python`` as ("jax", "/path/to/python")."""
    backend, found, path = text.partition("=")
    if not found or not path:
        raise argparse.ArgumentTypeError(f"expected BACKEND=PATH, received {text!r}")
    return backend, path


def check_names(option, names, known):
    """Raise `InputError` that names the first of ``names`` which nobody knows."""
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"Expected {option} among {', '.join(known)}. Received: {unknown[0]!r}.")


def check_figure(path):
    """Raise `InputError` unless a figure could be written to ``path``."""
    check_writable(path, "the figure")
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InputError(f"Expected a figure named .png, .svg or .pdf. Received: {path}.")
