"""One model, trained a little, in every format: what `benchmarks.exports` runs on each backend."""

import tempfile
from pathlib import Path

import numpy as np

TRAINED, COMPARED = 10_000, 1_000
MODELS = ("SimpleAutoencoder", "DeepAutoencoder", "ConvAutoencoder", "AnomalyDetector")


def measure(model, pythons):
    """Train ``model`` on the backend that runs here, and export it.

    Args:
        model: one of `MODELS`. The detector takes zeros for normal, and pixels from 0 to 255.
        pythons: dict of the other backends to their interpreters.

    Returns:
        List with what was found of each format, plain values. Of the detector also AUROC, its own
        and the file's, and the number of labels that differ.
    """
    import ae_multi
    from ae_multi.exporting.formats import FORMATS

    data = ae_multi.load_data("auto")
    x_train, y_train = data.x_train[:TRAINED], data.y_train[:TRAINED]
    x, anomalous = data.x_test[:COMPARED], data.y_test[:COMPARED] != 0
    if model == "AnomalyDetector":
        x = x * 255
        made = ae_multi.AnomalyDetector(contamination="held_out", epochs=5)
        made.fit(x_train[y_train == 0] * 255)
    else:
        made = getattr(ae_multi, model)()
        made.compile()
        made.fit(x_train, epochs=1, batch_size=128, verbose=0)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, format in FORMATS.items():
            path = Path(folder) / f"model{format.suffix}"
            done = ae_multi.export(made, path, name, data=x, pythons=pythons)
            row = {"data": data.name, "maker": format.backend, **done.to_json()}
            if model == "AnomalyDetector":
                row |= _judged(made, x, anomalous, done.outputs)
            rows.append(row)
    return rows


def _judged(detector, x, anomalous, outputs):
    from sklearn.metrics import roc_auc_score

    return {
        "labels_that_differ": int(np.sum(outputs["label"] != detector.predict(x))),
        "labels": {str(label): int(np.sum(outputs["label"] == label)) for label in (1, -1)},
        "auroc": float(roc_auc_score(anomalous, detector.anomaly_score(x))),
        "auroc_of_the_file": float(roc_auc_score(anomalous, outputs["score"])),
    }
