"""The sweep over Keras layers: coverage, and differences that it finds."""

import pytest

from tests.reference.patched_interpreter import patched_interpreter
from tests.robustness.sweep.branch import Configuration, Numbers
from tests.robustness.sweep.catalogue import DRAWS, EXCEPTIONS, configurations
from tests.robustness.sweep.sweep import sweep


@pytest.mark.backend
def test_every_public_layer_is_covered_or_excepted(keras):
    public = {
        name: value
        for name, value in vars(keras.layers).items()
        if isinstance(value, type) and issubclass(value, keras.layers.Layer)
    }
    # A layer may have two names, such as AvgPool1D and AveragePooling1D.
    listed = {public[name] for name in [*DRAWS, *EXCEPTIONS]}
    assert {name for name, value in public.items() if value not in listed} == set()
    assert len(listed) == len(DRAWS) + len(EXCEPTIONS), "a layer is listed twice"


def test_configurations_are_functions_of_seed_and_round():
    first = configurations(0, 0)
    assert first == configurations(0, 0)
    assert len(first) > len(DRAWS)
    assert first != configurations(0, 1)
    assert first != configurations(1, 0)
    assert [c for c in first if c.layer == "Dense"] == configurations(0, 0, ["Dense"])
    assert all(Configuration.from_json(c.to_json()) == c for c in first)


@pytest.mark.across
@pytest.mark.slow
def test_differing_layers_are_found_and_others_are_not(pythons, tmp_path):
    chosen = [
        Configuration("Dense", {"units": 3}, [Numbers((5,))]),
        Configuration("UpSampling2D", {"interpolation": "bicubic"}, [Numbers((5, 4, 2))]),
        Configuration("UpSampling2D", {"interpolation": "lanczos3"}, [Numbers((5, 4, 2))]),
        Configuration("LSTM", {"units": 3}, [Numbers((5, 2), skipped=2)], mask=0.0),
        Configuration("ActivityRegularization", {"l2": 0.1}, [Numbers((5,))]),
    ]
    found = sweep(chosen, pythons, tmp_path / "sweep")
    assert [finding.configuration for finding in found] == chosen[1:3]
    bicubic, lanczos = found
    first = next(entry for entry in bicubic.divergences if "torch" in entry.diverging)
    assert first.layer == "UpSampling2D"
    assert first.stage == "forward"
    assert first.error["torch"] > 0.01
    assert list(lanczos.errors) == ["torch"]
    assert "Lanczos" in lanczos.errors["torch"]


# Faults of one backend: an output slightly too large, and a gradient halved.
FAULTS = {
    "LayerNormalization": ("forward", "output * 1.0001"),
    "RMSNormalization": ("gradient", "(output + keras.ops.stop_gradient(output)) / 2"),
}


@pytest.mark.across
@pytest.mark.slow
def test_injected_faults_are_found_in_their_layers_only(pythons, tmp_path):
    code = "".join(
        f"real_{layer} = keras.layers.{layer}.call\n"
        f"def call(self, inputs, real=real_{layer}):\n"
        "    output = real(self, inputs)\n"
        f"    return {fault}\n"
        f"keras.layers.{layer}.call = call\n"
        for layer, (_, fault) in FAULTS.items()
    )
    chosen = [
        Configuration("Dense", {"units": 3}, [Numbers((5,))]),
        *(Configuration(layer, {}, [Numbers((5,))]) for layer in FAULTS),
    ]
    faulty = {**pythons, "torch": patched_interpreter(pythons["torch"], tmp_path / "altered", code)}
    found = sweep(chosen, faulty, tmp_path / "sweep")
    assert [finding.configuration for finding in found] == chosen[1:]
    for finding, (stage, _) in zip(found, FAULTS.values(), strict=True):
        assert {entry.diverging for entry in finding.divergences} == {("torch",)}
        assert finding.divergences[0].stage == stage
