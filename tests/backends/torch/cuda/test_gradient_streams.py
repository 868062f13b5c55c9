"""Weight gradients on separate CUDA streams, without a GPU (PyTorch)."""

import pytest

from tests.reference.recorded import operations, simplified_recording

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("torch")]


def update(x, one, other):
    """Gradients of two layers and a gradient descent update."""
    hidden = x @ one
    back = (hidden @ other) @ other.t()
    gradients = [x.t() @ back, (hidden.t() @ (hidden @ other)).t()]
    one.sub_(gradients[0] * 0.1)
    other.sub_(gradients[1].t() * 0.1)
    return hidden.sum()


def test_weight_gradients_run_on_other_streams(torch):
    from ae_multi.backends.torch.cuda.gradient_streams import use_gradient_streams

    inputs = [torch.rand(5, 4), torch.rand(4, 3), torch.rand(3, 4)]
    made = use_gradient_streams(simplified_recording(update, *(each.clone() for each in inputs)))
    found = operations(made)
    assert found.count("ae_multi.side_product.default") == 2
    join = found.index("ae_multi.zero_after.default")
    assert "aten.mm.default" not in found[join:]
    assert not {"aten.sub_.Tensor", "aten.mul.Tensor"} & set(found[:join])
    # The join has the products as inputs, and the factors, whose memory must not be reused before.
    products = [node for node in made.graph.nodes if "side_product" in str(node.target)]
    (zero,) = (node for node in made.graph.nodes if "zero_after" in str(node.target))
    assert {*zero.args[0]} == {*products, *(factor for node in products for factor in node.args)}
    ours, theirs = [each.clone() for each in inputs], [each.clone() for each in inputs]
    torch.testing.assert_close(made(*ours), update(*theirs))
    torch.testing.assert_close(ours, theirs)


def test_bias_gradients_run_on_other_streams(torch):
    from ae_multi.backends.torch.cuda.gradient_streams import use_gradient_streams

    def update(x, kernel, bias, other):
        hidden = x @ kernel + bias
        back = (hidden @ other) @ other.t()
        gradients = [x.t() @ back, back.sum(0, keepdim=True), hidden.t() @ (hidden @ other)]
        kernel.sub_(gradients[0])
        bias.sub_(gradients[1].view(-1))
        other.sub_(gradients[2])
        return hidden.sum(0, keepdim=True)

    inputs = [torch.rand(5, 4), torch.rand(4, 3), torch.rand(3), torch.rand(3, 4)]
    made = use_gradient_streams(simplified_recording(update, *(each.clone() for each in inputs)))
    found = operations(made)
    assert found.count("ae_multi.side_sum.default") == 1
    assert found.count("aten.sum.dim_IntList") == 1  # the sum that is not a gradient
    ours, theirs = [each.clone() for each in inputs], [each.clone() for each in inputs]
    torch.testing.assert_close(made(*ours), update(*theirs))
    torch.testing.assert_close(ours, theirs)


def test_products_that_other_products_need_are_not_moved(torch):
    from ae_multi.backends.torch.cuda.gradient_streams import use_gradient_streams

    def chain(x, one, other):
        return (x @ one) @ other

    made = use_gradient_streams(simplified_recording(chain, *(torch.rand(3, 3) for _ in range(3))))
    assert operations(made) == ["aten.mm.default"] * 2


def test_gradients_used_early_are_not_moved(torch):
    from ae_multi.backends.torch.cuda.gradient_streams import use_gradient_streams

    def early(x, y, weight):
        first = x.t() @ y
        weight.sub_(first)
        return y.t() @ x

    made = use_gradient_streams(simplified_recording(early, *(torch.rand(3, 3) for _ in range(3))))
    assert operations(made).count("aten.mm.default") == 2


def test_products_of_tensors_changed_in_place_are_not_moved(torch):
    from ae_multi.backends.torch.cuda.gradient_streams import use_gradient_streams

    def changing(x, y, weight):
        gradients = [x.t() @ y, y.t() @ x]
        x.add_(1)
        return weight.sub_(gradients[0]).sub_(gradients[1])

    made = use_gradient_streams(
        simplified_recording(changing, *(torch.rand(3, 3) for _ in range(3)))
    )
    assert operations(made).count("aten.mm.default") == 2


def test_current_stream_waits_for_streams_that_have_work(torch, fake_cuda):
    from ae_multi.backends.torch.cuda.gradient_streams import _SideStreams

    current, side = torch.cuda.current_stream(), _SideStreams()
    side.join()
    assert current.waited_for == []  # waiting for a stream without work is an error in a capture
    given = [side.next() for _ in range(3)]
    assert all(current in stream.waited_for for stream in given)
    side.join()
    assert set(current.waited_for) == set(given)
    side.join()
    assert len(current.waited_for) == len(set(given))
