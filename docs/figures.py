"""Draw the README's picture of an autoencoder, and that of a report: ``nox -s figures``.

The digits are scikit-learn's, which may be shown anywhere. The report is shown by Chromium, and
left as it is where there is none.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon
from PIL import Image

import ae_multi
from ae_multi.compare import TrainingConfig
from ae_multi.compare.train import build, train
from ae_multi.io.atomic import atomic_write
from ae_multi.metrics import squared_errors
from ae_multi.report.detection import write_detection_report

HERE = Path(__file__).parent
ENCODER, CODE, DECODER = "#0072B2", "#D55E00", "#009E73"


def main():
    """Train the deep model on the digits, draw what it does to one of them; then the report."""
    data = ae_multi.load_data("digits")
    model = build(TrainingConfig("deep", epochs=300), data.image_shape)
    train(model, data.x_train, TrainingConfig("deep", epochs=300), verbose=0)
    errors = squared_errors(data.x_test, model.reconstruct(data.x_test))
    threes = np.flatnonzero(data.y_test == 3)
    chosen = threes[np.argsort(errors[threes])[len(threes) // 4]]
    image = data.x_test[chosen : chosen + 1]
    draw(image[0, ..., 0], model.encode(image)[0], model.reconstruct(image)[0, ..., 0])
    report()


def report():
    """Train a detector on readings of a pump, and show the beginning of the report on new ones."""
    detector = ae_multi.AnomalyDetector(
        latent_dim=2, criterion="mse", contamination="held_out", false_alarm_rate=0.01
    )
    detector.fit(readings(5000, faults=0)[0])
    names = ["speed", "flow", "pressure", "power", "temperature", "vibration"]
    hours = np.datetime64("2026-03-01T00:00") + np.arange(2000) * np.timedelta64(1, "h")
    with tempfile.TemporaryDirectory() as folder:
        page, shot = Path(folder, "report.html"), Path(folder, "report.png")
        new, broken = readings(2000, faults=25, seed=1)
        write_detection_report(
            detector,
            new,
            page,
            columns=names,
            times=hours,
            anomalous=broken,
            title="Readings of a pump in spring",
        )
        options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1060,1560"]
        options += [f"--user-data-dir={folder}/profile", "--virtual-time-budget=5000"]
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        if chromium:
            subprocess.run([chromium, *options, f"--screenshot={shot}", page.as_uri()], check=True)
            with atomic_write(HERE / "report.png") as path:
                Image.open(shot).convert("RGB").quantize(48).save(path, optimize=True)


def readings(count, faults, seed=0):
    """Return readings of six sensors, (count, 6), and in which of them the flow is too small."""
    rng = np.random.default_rng(seed)
    speed, load = rng.uniform(600, 1800, count), rng.uniform(0.4, 1, count)
    flow, pressure = speed * load / 15, 2e-6 * speed**2 * (1.3 - 0.5 * load)
    power = 0.6 * flow * pressure + 5
    values = [speed, flow, pressure, power, 30 + power / 6, 0.5 + speed / 900]
    table = np.stack(values, axis=1) * rng.normal(1, 0.01, (count, 6))
    broken = rng.permutation(count) < faults
    table[broken, 1] *= rng.uniform(0.6, 0.9, faults)
    return table, broken


def draw(image, code, reconstruction):
    """Input, encoder, code, decoder and reconstruction, from left to right."""
    figure = Figure(figsize=(11, 3.3))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 110), ylim=(0, 33))
    axes.axis("off")
    show(axes, image, 2)
    show(axes, reconstruction, 90)
    funnel(axes, 24, 46, 9.5, 3.2, ENCODER, "encoder", "784 → 128 → 64 → 36 → 18")
    funnel(axes, 64, 86, 3.2, 9.5, DECODER, "decoder", "18 → 36 → 64 → 128 → 784")
    bars(axes, code)
    label(axes, 11, "input x", "784 pixels")
    label(axes, 55, "code z", f"{len(code)} numbers (the bottleneck)")
    error = np.mean((image - reconstruction) ** 2)
    label(axes, 99, "reconstruction x̂", f"error: mean (x - x̂)² = {error:.4f}")
    for begin, end in ((20.5, 23.5), (46.5, 49.5), (60.5, 63.5), (86.5, 89.5)):
        axes.add_patch(
            FancyArrowPatch(
                (begin, 18), (end, 18), arrowstyle="-|>", mutation_scale=12, color="0.3"
            )
        )
    with atomic_write(HERE / "autoencoder.png") as path:
        figure.savefig(path, dpi=130)


def show(axes, image, left):
    """One image, 18 units wide."""
    axes.imshow(
        image, cmap="gray_r", vmin=0, vmax=1, extent=(left, left + 18, 9, 27), aspect="auto"
    )
    axes.add_patch(
        Polygon(
            [(left, 9), (left + 18, 9), (left + 18, 27), (left, 27)], fill=False, edgecolor="0.6"
        )
    )


def funnel(axes, left, right, before, after, color, name, sizes):
    """A part of the network, narrowing or widening."""
    corners = [(left, 18 - before), (left, 18 + before), (right, 18 + after), (right, 18 - after)]
    axes.add_patch(Polygon(corners, facecolor=color, alpha=0.18, edgecolor=color, linewidth=1.5))
    middle = (left + right) / 2
    axes.text(middle, 18, name, ha="center", va="center", fontsize=13, color=color, weight="bold")
    axes.text(middle, 3.6, sizes, ha="center", va="center", fontsize=9, color="0.35")


def bars(axes, code):
    """The numbers of the code, as bars to the right and left of a middle line."""
    largest = abs(code).max()
    height = 16 / len(code)
    for place, value in enumerate(code):
        top = 26 - place * height
        width = 4.2 * value / largest
        axes.fill_between([55, 55 + width], top - 0.8 * height, top, color=CODE, linewidth=0)
    axes.plot([55, 55], [26 - 16, 26.2], color="0.4", linewidth=0.8)


def label(axes, x, name, detail):
    """A name in bold above a detail."""
    axes.text(x, 6.2, name, ha="center", va="center", fontsize=11, weight="bold")
    axes.text(x, 3.6, detail, ha="center", va="center", fontsize=9, color="0.35")


if __name__ == "__main__":
    main()
