"""
Detect anomalies
================

An :class:`~ae_multi.AnomalyDetector` learns what normal samples look like, here zeros, and scores
how far others are from that.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score

import ae_multi

data = ae_multi.load_data("mnist-sample")
zeros = data.x_train[data.y_train == 0]

# %%
# Hold out 30 % of the zeros. The threshold is set so that 5 % of them are called anomalous.

detector = ae_multi.AnomalyDetector(
    contamination="held_out", false_alarm_rate=0.05, validation_fraction=0.3, epochs=60
).fit(zeros)

scores = detector.anomaly_score(data.x_test)
is_anomaly = data.y_test != 0
called = detector.predict(data.x_test) == -1
print(f"AUROC                {roc_auc_score(is_anomaly, scores):.4f}")
print(f"anomalies found      {called[is_anomaly].mean():.1%}")
print(f"false alarms         {called[~is_anomaly].mean():.1%}")

# %%
# The scores of both kinds of test samples, and the threshold.

figure, axis = plt.subplots(figsize=(7, 3.2), layout="constrained")
bins = np.linspace(0, np.quantile(scores, 0.99), 50)
axis.hist(scores[~is_anomaly], bins, alpha=0.6, density=True, label="zeros")
axis.hist(scores[is_anomaly], bins, alpha=0.6, density=True, label="other digits")
axis.axvline(-detector.offset_, color="black", linestyle="--", label="threshold")
axis.set(xlabel="anomaly score", yticks=[])
axis.legend()

# %%
# ``feature_errors`` shows which pixels make a sample anomalous.

chosen = np.argsort(scores)[-8:]
figure, axes = plt.subplots(2, 8, figsize=(9, 2.6), layout="constrained")
errors = detector.feature_errors(data.x_test[chosen])
for (above, below), image, error in zip(axes.T, data.x_test[chosen], errors, strict=True):
    above.imshow(image[..., 0], cmap="gray_r")
    below.imshow(error[..., 0], cmap="inferno")
    above.axis("off")
    below.axis("off")
