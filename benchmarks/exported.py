"""Export of one briefly trained model to every format; `benchmarks.exports` runs it."""

import tempfile
from pathlib import Path

import numpy as np

TRAINED, COMPARED = 10_000, 1_000
MODELS = ("SimpleAutoencoder", "DeepAutoencoder", "ConvAutoencoder", "AnomalyDetector")


def measure(model: str, pythons: dict[str, str]) -> list[dict]:
    """Train a model on the backend of this process and export it to every format.

    Args:
        model: a name of `MODELS`. For the detector zeros are normal and pixels are 0 to 255.
        pythons: dict of the other backends to their interpreters.

    Returns:
        List of dicts of values for JSON, one for each format. For the detector they include the
        AUROC of the detector and of the file, and the number of labels that differ.
    """
    import ae_multi
    from ae_multi.exporting.formats import FORMATS

    data = ae_multi.load_data("auto")
    x_train, y_train = data.x_train[:TRAINED], data.y_train[:TRAINED]
    x, anomalous = data.x_test[:COMPARED], data.y_test[:COMPARED] != 0
    if model == "AnomalyDetector":
        x = x * 255
        trained = ae_multi.AnomalyDetector(contamination="held_out", epochs=5)
        trained.fit(x_train[y_train == 0] * 255)
    else:
        trained = getattr(ae_multi, model)()
        trained.compile()
        trained.fit(x_train, epochs=1, batch_size=128, verbose=0)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, format in FORMATS.items():
            path = Path(folder) / f"model{format.suffix}"
            result = ae_multi.export(trained, path, name, data=x, pythons=pythons)
            row = {"data": data.name, "maker": format.backend, **result.to_json()}
            if model == "AnomalyDetector":
                row |= _compare_labels(trained, x, anomalous, result.outputs)
            rows.append(row)
    return rows


def _compare_labels(detector, x, anomalous, outputs):
    """Compare labels and AUROC of the outputs of a file with those of the detector."""
    from sklearn.metrics import roc_auc_score

    return {
        "labels_that_differ": int(np.sum(outputs["label"] != detector.predict(x))),
        "labels": {str(label): int(np.sum(outputs["label"] == label)) for label in (1, -1)},
        "auroc": float(roc_auc_score(anomalous, detector.anomaly_score(x))),
        "auroc_of_the_file": float(roc_auc_score(anomalous, outputs["score"])),
    }
