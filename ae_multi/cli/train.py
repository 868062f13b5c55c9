"""``ae-multi train``: train one model on the current backend and save it."""

import argparse
import os
from pathlib import Path

from ae_multi.argument_checks import check_positive
from ae_multi.checkpoints import Interval
from ae_multi.cli.options import add_data_options, add_training_options, training_options
from ae_multi.cli.startup import import_backend
from ae_multi.cli.train_quality import task_of
from ae_multi.cli.train_workers import add_worker_options, has_to_launch, launch_training
from ae_multi.compare.config import ALL_MODELS, TrainingConfig
from ae_multi.errors import DivergenceError, InputError
from ae_multi.io.atomic import check_writable
from ae_multi.report.json_file import write_json
from ae_multi.report.progress import job_progress
from ae_multi.report.tables import console
from ae_multi.workers.group import group_of
from ae_multi.workers.launched import end_with_launcher, finish, refuse_restart


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
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    add_data_options(parser, has_files=True)
    parser.add_argument(
        "--samples",
        type=int,
        metavar="N",
        help="use only the first N training and the first N test images (default: all)",
    )
    add_training_options(parser)
    parser.add_argument(
        "--plan", metavar="NAME", help="plan that runs the steps (default: the fastest)"
    )
    add_worker_options(parser)


def run(options: argparse.Namespace) -> int:
    """Train, save and print the quality; return the exit status."""
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
    if options.json is not None:
        check_writable(options.json, "the JSON")
    check_positive(samples=options.samples)
    if has_to_launch(options):
        return launch_training(options)
    end_with_launcher()
    group = group_of(os.environ)
    job = _train if group is None or group.rank == 0 else _train_silently
    try:
        return job(options, config, checkpoints, group)
    except DivergenceError:  # the same training diverges again
        refuse_restart()
        raise


def _train(options, config, checkpoints, group):
    """Train as the only process or as worker 0: save, test and print; return 0."""
    out = console()
    with job_progress(console(stderr=True), "train") as report:
        name = import_backend()
        from ae_multi import backends
        from ae_multi.training.progress_bar import reporting

        with reporting(report):
            model, data, samples, test, training, losses = _fit(options, config, checkpoints)
        # Save before anything else can fail.
        if options.out is not None:
            model.save(options.out)
        quality, warning = test(model)
        digests = _digests(model, group)
        if options.json is not None:
            from ae_multi.environment import describe_backend, describe_machine

            values = {
                **describe_backend(),
                "model": type(model).__name__,
                "config": config.to_json(),
                "data": {"name": data.name, "source": data.source, "samples": samples},
                "workers": len(digests),
                "plan": training.plan,
                "seconds": training.seconds,
                "samples_per_second": training.samples_per_second,
                "losses": losses,
                "epoch_losses": training.losses,
                "weights_sha256": digests,
                "machine": describe_machine(),
            }
            write_json(options.json, values)
        backend = backends.current()
    shared = f", {group.size} workers" if group is not None else ""
    out.print(
        f"{type(model).__name__} on {name} {backend.version()}, {backend.device()}{shared}; "
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


def _train_silently(options, config, checkpoints, group):
    """Train as another worker than the first, which alone saves, tests and prints; return 0."""
    import_backend()
    _digests(_fit(options, config, checkpoints)[0], group)
    return 0


def _fit(options, config, checkpoints):
    """Load the data and train.

    Returns:
        (model, `Dataset`, number of training samples, function that tests the model, `Training`,
        loss of each step or None).
    """
    from ae_multi.cli.train_data import load_training_data
    from ae_multi.compare.train import build, train
    from ae_multi.training.step_losses import StepLosses

    data, samples = load_training_data(
        options.data, options.data_path, options.samples, config.model
    )
    model = build(config, data.image_shape)
    x, y, test = task_of(config, data)
    if y is None:
        x = samples
    collector = StepLosses() if options.json is not None else None
    training = train(
        model,
        x,
        config,
        callbacks=[collector] if collector else [],
        checkpoints=checkpoints,
        y=y,
        plan=options.plan,
    )
    finish()
    return model, data, len(x), test, training, collector and collector.losses


def _digests(model, group):
    """Return the SHA-256 of the weights of each worker; no worker ends before all are here."""
    from ae_multi.backends.chunks import as_numpy
    from ae_multi.data.digest import sha256

    digest = sha256(as_numpy(weight.value) for weight in model.weights)
    return [digest] if group is None else group.gather(digest)


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
