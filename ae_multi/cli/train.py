"""``ae-multi train``: one model on the current backend."""

from pathlib import Path

from ae_multi.checkpoints import Every
from ae_multi.cli.options import add_data_options, add_training_options, training_options
from ae_multi.errors import InputError
from ae_multi.files import check_writable
from ae_multi.recipes.recipe import Recipe
from ae_multi.report.tables import console


def add_options(parser):
    """What can be asked for."""
    parser.add_argument("--model", default="deep", metavar="NAME", help="simple or deep (default)")
    parser.add_argument(
        "--out", type=Path, metavar="FILE.keras", help="where the trained model goes"
    )
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FOLDER", help="where checkpoints of the training go"
    )
    parser.add_argument(
        "--every", default="1 epoch", metavar="TIME",
        help="from one checkpoint to the next: '1 epoch' (default), '500 steps', '5 minutes'",
    )  # fmt: skip
    parser.add_argument(
        "--keep", type=int, default=3, metavar="N", help="how many checkpoints stay (default: 3)"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the newest checkpoint, if there is one"
    )
    add_data_options(parser)
    add_training_options(parser)


def run(options):
    """Train, report and save; return 0."""
    recipe = Recipe(options.model, **training_options(options))
    Every.parse(options.every)
    if options.out is not None:
        check_writable(options.out, "the model")
        if options.out.suffix != ".keras":
            raise InputError(f"Expected a model file named .keras. Received: {options.out}.")

    import numpy as np

    from ae_multi import backends
    from ae_multi._keras import keras
    from ae_multi.data import load_data
    from ae_multi.data.floors import pca_floors
    from ae_multi.recipes.quality import psnr, squared_errors
    from ae_multi.recipes.train import build, train

    backend = backends.current()
    data = load_data(options.data, options.data_path)
    model = build(recipe, data.image_shape)
    out = console()
    out.print(
        f"{type(model).__name__} on {keras.config.backend()} {backend.version()}, "
        f"{backend.device()}; {data.name} ({data.source})"
    )
    checkpoints = {
        name: getattr(options, name) for name in ("checkpoint", "every", "keep", "resume")
    }
    training = train(model, data.x_train, recipe, verbose=1, checkpoints=checkpoints)
    errors = squared_errors(data.x_test, model.reconstruct(data.x_test))
    speed = training.samples_per_second
    size = int(np.prod(model.encoder.output_shape[1:]))
    floor = pca_floors(data, [size])[size]
    out.print(
        f"test MSE {np.mean(errors):.5f}, PSNR {psnr(errors):.2f} dB; PCA with {size} components: "
        f"{floor:.5f}; {training.seconds:.1f} s"
        + ("" if np.isnan(speed) else f", {speed:,.0f} samples/s")
    )
    if not np.mean(errors) < floor:
        out.print("Worse than PCA: a linear model does this as well.", style="red")
    if options.out is not None:
        model.save(options.out)
        out.print(f"Saved: {options.out}")
    return 0
