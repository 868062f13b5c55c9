"""``ae-multi reduce``: fewer numbers for each image."""

from ae_multi.cli.options import sizes
from ae_multi.cli.tasks import add_task_options, run_task


def add_options(parser):
    """What can be asked for."""
    parser.add_argument(
        "--latent-dim", type=int, default=9, metavar="N", help="size of the code (default: 9)"
    )
    parser.add_argument(
        "--hidden",
        type=sizes,
        default="auto",
        metavar="SIZES",
        help="layers between pixels and code, 1000,500,250 or others (default: the estimator's)",
    )
    add_task_options(parser)


def run(options):
    """Run the task; return 0."""
    return run_task("reduce", options, latent_dim=options.latent_dim, hidden=options.hidden)
