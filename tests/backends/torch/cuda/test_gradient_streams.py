"""Steps captured as CUDA graphs, and weights' gradients beside (PyTorch, without a GPU)."""

import numpy as np
import pytest

from tests.reference.recorded import operations, simplified_recording
from tests.reference.step_models import optimizers, task

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("torch")]
BATCH = 16


@pytest.fixture
def pretended(torch, monkeypatch):
    """The module of CUDA graphs on a processor, which PyTorch takes for its own."""
    from tests.reference import cuda_graphs

    cuda_graphs.pretend(monkeypatch)
    return cuda_graphs


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
def test_captured_steps_are_those_of_the_recording(
    keras, torch, pretended, monkeypatch, kind, optimizer
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
    # 3 alone; 2 times 16 and 2 alone; 16 and 4 alone.
    assert pretended.Graph.replays == 3 + (2 + 2) + (1 + 4)


def test_a_state_elsewhere_is_captured_anew(torch, pretended):
    from ae_multi.backends.torch.cuda.graphs import CudaGraphs

    def step(state, arrays, row):
        state[0].add_(arrays[0].index_select(0, row).sum())
        return {"sum": state[0].clone()}

    graphs, data = CudaGraphs(step), [torch.arange(8.0)]
    order = torch.arange(8).reshape(4, 2)
    for start in (0.0, 100.0):  # two tensors, in two places
        state = [torch.tensor(start)]
        for run in range(2):
            logs = graphs(state, data, order)
            begin = start + 28.0 * run
            expected = begin + torch.tensor([1.0, 6.0, 15.0, 28.0])
            torch.testing.assert_close(logs["sum"], expected)
            torch.testing.assert_close(state[0], torch.tensor(begin + 28.0))


def test_more_data_in_the_same_place_are_captured_anew(torch, pretended):
    from ae_multi.backends.torch.cuda.graphs import CudaGraphs

    def step(state, arrays, row):
        return {"number": torch.full((), float(len(arrays[0])))}

    graphs, state, data = CudaGraphs(step), [torch.zeros(1)], torch.arange(8.0)
    for count in (2, 8):
        assert graphs(state, [data[:count]], torch.arange(2)[None])["number"] == count


def test_a_step_that_fails_in_a_capture_leaves_the_state(torch, pretended):
    from ae_multi.backends.torch.cuda.graphs import CudaGraphs

    def step(state, arrays, row):
        state[0].add_(1)
        raise RuntimeError("not while capturing")

    state = [torch.zeros(3)]
    with pytest.raises(RuntimeError, match="not while capturing"):
        CudaGraphs(step)(state, [], torch.zeros(1, 2).long())
    assert not state[0].any()


def update(x, one, other):
    """Two layers' gradients and an update in which nothing else is multiplied."""
    hidden = x @ one
    back = (hidden @ other) @ other.t()
    gradients = [x.t() @ back, (hidden.t() @ (hidden @ other)).t()]
    one.sub_(gradients[0] * 0.1)
    other.sub_(gradients[1].t() * 0.1)
    return hidden.sum()


def test_weights_gradients_are_computed_beside(torch):
    from ae_multi.backends.torch.cuda.gradient_streams import gradients_beside

    inputs = [torch.rand(5, 4), torch.rand(4, 3), torch.rand(3, 4)]
    made = gradients_beside(simplified_recording(update, *(each.clone() for each in inputs)))
    found = operations(made)
    assert found.count("ae_multi.product_beside.default") == 2
    join = found.index("ae_multi.zero_after.default")
    assert "aten.mm.default" not in found[join:]
    assert not {"aten.sub_.Tensor", "aten.mul.Tensor"} & set(found[:join])
    # What is multiplied keeps its memory until then, and what is made is waited for.
    products = [node for node in made.graph.nodes if "product_beside" in str(node.target)]
    (zero,) = (node for node in made.graph.nodes if "zero_after" in str(node.target))
    assert {*zero.args[0]} == {*products, *(factor for node in products for factor in node.args)}
    ours, theirs = [each.clone() for each in inputs], [each.clone() for each in inputs]
    torch.testing.assert_close(made(*ours), update(*theirs))
    torch.testing.assert_close(ours, theirs)


def test_biases_gradients_are_summed_beside(torch):
    from ae_multi.backends.torch.cuda.gradient_streams import gradients_beside

    def update(x, kernel, bias, other):
        hidden = x @ kernel + bias
        back = (hidden @ other) @ other.t()
        gradients = [x.t() @ back, back.sum(0, keepdim=True), hidden.t() @ (hidden @ other)]
        kernel.sub_(gradients[0])
        bias.sub_(gradients[1].view(-1))
        other.sub_(gradients[2])
        return hidden.sum(0, keepdim=True)

    inputs = [torch.rand(5, 4), torch.rand(4, 3), torch.rand(3), torch.rand(3, 4)]
    made = gradients_beside(simplified_recording(update, *(each.clone() for each in inputs)))
    found = operations(made)
    assert found.count("ae_multi.sum_beside.default") == 1
    assert found.count("aten.sum.dim_IntList") == 1  # of what no gradient is made of
    ours, theirs = [each.clone() for each in inputs], [each.clone() for each in inputs]
    torch.testing.assert_close(made(*ours), update(*theirs))
    torch.testing.assert_close(ours, theirs)


def test_what_another_product_needs_is_not(torch):
    from ae_multi.backends.torch.cuda.gradient_streams import gradients_beside

    def chain(x, one, other):
        return (x @ one) @ other

    made = gradients_beside(simplified_recording(chain, *(torch.rand(3, 3) for _ in range(3))))
    assert operations(made) == ["aten.mm.default"] * 2


def test_gradients_that_are_used_on_the_way_stay_where_they_are(torch):
    from ae_multi.backends.torch.cuda.gradient_streams import gradients_beside

    def early(x, y, weight):
        first = x.t() @ y
        weight.sub_(first)
        return y.t() @ x

    made = gradients_beside(simplified_recording(early, *(torch.rand(3, 3) for _ in range(3))))
    assert operations(made).count("aten.mm.default") == 2


def test_products_of_what_is_changed_meanwhile_stay_where_they_are(torch):
    from ae_multi.backends.torch.cuda.gradient_streams import gradients_beside

    def changing(x, y, weight):
        gradients = [x.t() @ y, y.t() @ x]
        x.add_(1)
        return weight.sub_(gradients[0]).sub_(gradients[1])

    made = gradients_beside(simplified_recording(changing, *(torch.rand(3, 3) for _ in range(3))))
    assert operations(made).count("aten.mm.default") == 2


def test_the_current_stream_waits_for_those_beside_once_they_have_work(torch, pretended):
    from ae_multi.backends.torch.cuda.gradient_streams import _Side

    current, side = torch.cuda.current_stream(), _Side()
    side.join()
    assert current.waited_for == []  # in a capture, waiting for what it has not seen is an error
    given = [side.next() for _ in range(3)]
    assert all(current in stream.waited_for for stream in given)
    side.join()
    assert set(current.waited_for) == set(given)
    side.join()
    assert len(current.waited_for) == len(set(given))
