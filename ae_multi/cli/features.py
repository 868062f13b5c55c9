"""``ae-multi features``: codes as features of a classifier."""

from ae_multi.cli.options import sizes
from ae_multi.cli.tasks import add_task_options, run_task


def add_options(parser):
    """What can be asked for."""
    parser.add_argument(
        "--latent-dim", type=int, default=32, metavar="N", help="size of the code (default: 32)"
    )
    parser.add_argument(
        "--masked",
        type=share,
        default="auto",
        metavar="X",
        help="the share of pixels that training sets to 0 (default: 0.75 from 16 codes on)",
    )
    parser.add_argument(
        "--hidden",
        type=sizes,
        default="auto",
        metavar="SIZES",
        help="layers between pixels and code (default: by the code's size)",
    )
    add_task_options(parser)


def run(options):
    """Run the task; return 0."""
    return run_task(
        "features",
        options,
        latent_dim=options.latent_dim,
        masked=options.masked,
        hidden=options.hidden,
    )


def share(text):
    """``0.5`` as a number; "auto" as it is."""
    return text if text == "auto" else float(text)
