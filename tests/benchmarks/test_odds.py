"""AUROC of the anomaly detector and of baselines on tables of ODDS."""

import functools

import numpy as np
import pytest

import ae_multi

pytestmark = [
    pytest.mark.backend,
    # PyTorch emits this warning when its compiler is first imported.
    pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning"),
]


def test_auroc_of_baselines_equals_their_formulas(tmp_path, monkeypatch):
    from scipy.io import savemat
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import train_test_split

    from benchmarks import odds

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(100, 8)), np.arange(100) % 10 == 0
    x[y] *= 1.5
    savemat(tmp_path / "pima.mat", {"X": x, "y": y[:, np.newaxis].astype(float)})
    monkeypatch.setattr(odds, "SETS", ("pima",))
    quick = functools.partial(ae_multi.AnomalyDetector, epochs=3)
    monkeypatch.setattr(odds, "AnomalyDetector", quick)
    found = odds.measure(tmp_path)["pima"]
    train, test, _, anomalous = train_test_split(
        x, y, test_size=0.4, random_state=np.random.RandomState(0)
    )
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    train, test = (train - mean) / deviation, (test - mean) / deviation
    distances = np.sort(np.linalg.norm(test[:, np.newaxis] - train, axis=2), axis=1)
    assert found["kNN-5"] == pytest.approx(roc_auc_score(anomalous, distances[:, 4]))
    tenth = np.square(distances[:, :6]).mean(axis=1)
    assert found["kNN n/10"] == pytest.approx(roc_auc_score(anomalous, tenth))
    components = np.linalg.svd(train)[2][:2]
    residual = np.square(test - test @ components.T @ components).sum(axis=1)
    assert found["PCA d/4"] == pytest.approx(roc_auc_score(anomalous, residual))
    for name, criterion in (("autoencoder", "combined"), ("autoencoder, MSE", "mse")):
        scores = quick(criterion=criterion, random_state=0).fit(train).anomaly_score(test)
        assert found[name] == pytest.approx(roc_auc_score(anomalous, scores), abs=1e-3)
    with pytest.raises(
        ae_multi.InputError, match=r"Expected the table\. Received: .*pima.mat, which is not a file"
    ):
        odds.measure(tmp_path / "none")
