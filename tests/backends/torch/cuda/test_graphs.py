"""Training steps captured as CUDA graphs, without a GPU (PyTorch)."""

import numpy as np
import pytest

from tests.reference.step_models import optimizers, task

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("torch")]


BATCH = 16


def rows(steps):
    order = np.concatenate(
        [np.random.default_rng(e).permutation(64) for e in range(steps // 4 + 1)]
    )
    return order[: BATCH * steps].reshape(-1, BATCH).astype(np.int32)


def trained(keras, kind, optimizer, plan, runs):
    """(losses of each run, weights and moments at the end)."""
    from ae_multi import backends

    module = backends.current()
    model, data = task(keras, kind, optimizers(keras)[optimizer]())
    parts = keras.tree.map_structure(lambda array: None if array is None else array[:BATCH], data)
    model._symbolic_build(data_batch=parts)
    steps = module.Steps(model, module.to_device(data), plan, True, BATCH, 64)
    losses = [steps.run(run)["loss"] for run in runs]
    return losses, [np.array(v) for v in model.variables + model.optimizer.variables]


@pytest.mark.parametrize(
    ("kind", "optimizer"), [("dense", "adam"), ("dense", "ema"), ("conv", "adam")]
)
def test_captured_steps_equal_the_recorded_steps(
    keras, torch, fake_cuda, monkeypatch, kind, optimizer
):
    runs = [rows(3), rows(37)[3:], rows(20)]
    expected, end = trained(keras, kind, optimizer, "graph", runs)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("ae_multi.backends.torch.cuda.small_matmul.kernel", lambda: True)
    found, state = trained(keras, kind, optimizer, "cuda", runs)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-6)
    for one, other in zip(state, end, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=2e-6)
    # 3 single steps; 2 graphs of 16 and 2 single; 1 of 16 and 4 single.
    assert fake_cuda.Graph.replays == 3 + (2 + 2) + (1 + 4)


def test_state_at_another_address_is_captured_again(torch, fake_cuda):
    from ae_multi.backends.torch.cuda.graphs import CudaGraphs

    def step(state, arrays, row):
        state[0].add_(arrays[0].index_select(0, row).sum())
        return {"sum": state[0].clone()}

    graphs, data = CudaGraphs(step), [torch.arange(8.0)]
    order = torch.arange(8).reshape(4, 2)
    for start in (0.0, 100.0):  # two tensors at different addresses
        state = [torch.tensor(start)]
        for run in range(2):
            logs = graphs(state, data, order)
            begin = start + 28.0 * run
            expected = begin + torch.tensor([1.0, 6.0, 15.0, 28.0])
            torch.testing.assert_close(logs["sum"], expected)
            torch.testing.assert_close(state[0], torch.tensor(begin + 28.0))


def test_data_of_another_size_are_captured_again(torch, fake_cuda):
    from ae_multi.backends.torch.cuda.graphs import CudaGraphs

    def step(state, arrays, row):
        return {"number": torch.full((), float(len(arrays[0])))}

    graphs, state, data = CudaGraphs(step), [torch.zeros(1)], torch.arange(8.0)
    for count in (2, 8):
        assert graphs(state, [data[:count]], torch.arange(2)[None])["number"] == count


def test_failed_capture_restores_the_state(torch, fake_cuda):
    from ae_multi.backends.torch.cuda.graphs import CudaGraphs

    def step(state, arrays, row):
        state[0].add_(1)
        raise RuntimeError("not while capturing")

    state = [torch.zeros(3)]
    with pytest.raises(RuntimeError, match="not while capturing"):
        CudaGraphs(step)(state, [], torch.zeros(1, 2).long())
    assert not state[0].any()
