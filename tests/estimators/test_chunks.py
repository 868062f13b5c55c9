"""Estimators fitted on chunks."""

import numpy as np
import pytest

import ae_multi
from ae_multi.estimators import scaling
from ae_multi.estimators.fitting import train_chunks
from ae_multi.estimators.inputs import held_out

pytestmark = [pytest.mark.backend, pytest.mark.once]


def test_fit_chunks_scales_and_trains_over_all_chunks(table):
    """Scaling over chunks is exact, and each epoch includes all chunks."""
    chunks = [table[:90], table[90:100], table[100:]]
    parameters = {"latent_dim": 1, "epochs": 3, "batch_size": 32}
    for scale in ("minmax", "standard"):
        at_once = scaling.Scaling(scale, each=True)
        at_once.update(table)
        chunked = scaling.Scaling(scale, each=True)
        for chunk in chunks:
            chunked.update(chunk)
        for a, b in zip(at_once.learned(), chunked.learned(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10)
    transformer = ae_multi.AutoencoderTransformer(**parameters).fit_chunks(chunks)
    assert transformer.n_samples_seen_ == 400
    assert int(transformer.network_.optimizer.iterations) == 3 * (3 + 1 + 10)
    assert transformer.loss_curve_[-1] < transformer.loss_curve_[0]
    # With a single chunk, `fit_chunks` equals `fit`.
    single = ae_multi.AutoencoderTransformer(**parameters).fit_chunks(lambda: iter([table]))
    expected = ae_multi.AutoencoderTransformer(**parameters).fit(table)
    np.testing.assert_allclose(single.transform(table), expected.transform(table), atol=1e-6)
    np.testing.assert_allclose(single.loss_curve_, expected.loss_curve_, rtol=1e-5)


def test_fit_chunks_stops_early(table):
    transformer = ae_multi.AutoencoderTransformer(
        "simple", latent_dim=1, epochs=30, learning_rate=0.3, early_stopping=True, patience=2
    ).fit_chunks([table[:200], table[200:]])
    best = int(np.argmin(transformer.validation_loss_curve_))
    assert best == transformer.n_iter_ - 3
    held_out_rows = [
        chunk[held_out(0, "validation", 200, 0.1, number)[1]]
        for number, chunk in enumerate((table[:200], table[200:]))
    ]
    loss = -transformer.score(np.concatenate(held_out_rows))
    assert loss == pytest.approx(transformer.validation_loss_curve_[best], rel=1e-4)


def test_early_stopping_needs_a_chunk_of_two_samples(table):
    parameters = {"latent_dim": 1, "epochs": 2, "early_stopping": True}
    transformer = ae_multi.AutoencoderTransformer("simple", **parameters)
    transformer.fit_chunks([table[:3], table[3:4]])
    weights = transformer.network_.get_weights()
    with pytest.raises(ae_multi.InputError, match="at least one chunk of 2 or more samples"):
        transformer.partial_fit(table[:1])
    with pytest.raises(ae_multi.InputError, match=r"Received: 2 chunks of 1 sample\."):
        train_chunks(transformer, [(table[:1], table[:1])] * 2, 2, lambda epoch: 1e-3)
    for before, after in zip(weights, transformer.network_.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert len(transformer.validation_loss_curve_) == transformer.n_iter_ == 2


def test_chunks_that_can_be_iterated_only_once_are_refused(table):
    transformer = ae_multi.AutoencoderTransformer(epochs=2)
    for chunks in ((chunk for chunk in [table]), 3):
        with pytest.raises(ae_multi.InputError, match="iterated once for each epoch"):
            transformer.fit_chunks(chunks)
    with pytest.raises(ae_multi.InputError, match="at least one chunk"):
        transformer.fit_chunks([])


def test_partial_fit_equals_epochs_of_fit(table):
    transformer = ae_multi.AutoencoderTransformer(latent_dim=1)
    for _ in range(4):
        transformer.partial_fit(table)
    assert transformer.n_iter_ == len(transformer.loss_curve_) == 4
    assert transformer.loss_curve_[-1] < transformer.loss_curve_[0]
    expected = ae_multi.AutoencoderTransformer(latent_dim=1, epochs=4, schedule=None).fit(table)
    np.testing.assert_allclose(transformer.loss_curve_, expected.loss_curve_, rtol=1e-4)
    with pytest.raises(ValueError, match="X has 5 features"):
        transformer.partial_fit(table[:, :5])
