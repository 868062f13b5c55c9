"""The table of known differences, compared with docs/differences.md."""

import re

import pytest

from ae_multi.backend_selection import BACKENDS
from ae_multi.parity.known_differences import KNOWN_DIFFERENCES, match
from tests.reference.pages import ROOT
from tests.reference.parity_reports import entry, report

PAGE = (ROOT / "docs" / "differences.md").read_text()
SECTIONS = dict(re.findall(r"^### (.*?)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("known", KNOWN_DIFFERENCES, ids=lambda known: known.title)
def test_title_and_link_are_on_the_page(known):
    assert known.title in SECTIONS
    assert known.link in SECTIONS[known.title]
    assert known.backend in BACKENDS
    assert known.layers[0].replace("Grouped", "Group") in known.title or known.layers[0] in (
        *("ELU", "RandomRotation", "loss"),
    )


def test_table_contains_every_silent_difference_of_the_page():
    part = PAGE.partition("\n## ")[2].partition("\n## ")[0]
    titles = set(re.findall(r"^### (.*)", part, re.MULTILINE))
    # This difference is in the code inside a layer, so no class of layers identifies it.
    titles = {title for title in titles if not title.startswith("`convert_to_tensor`")}
    assert titles == {known.title for known in KNOWN_DIFFERENCES}


def test_anchor_equals_that_of_github():
    (known,) = (k for k in KNOWN_DIFFERENCES if k.layers == ("BatchNormalization",))
    assert known.anchor == (
        "batchnormalization-in-training-data-whose-mean-is-far-larger-than-its-spread-pytorch"
    )


def matched(stages, oracle="jax"):
    result = report(stages, oracle=oracle)
    return match(result.first_divergence, result.stages, oracle)


def test_layer_backend_and_stage_have_to_match():
    stage = "training forward"
    beyond = ("torch",)
    assert matched({stage: [entry(stage, layer="BatchNormalization", beyond=beyond)]})
    assert not matched({stage: [entry(stage, layer="Dense", beyond=beyond)]})
    assert not matched({stage: [entry(stage, layer="BatchNormalization", beyond=("jax",))]})
    assert not matched({"forward": [entry("forward", layer="BatchNormalization", beyond=beyond)]})


def test_precision_has_to_match():
    gradient = entry("gradient", name="dense/bias", layer="Dense", beyond=("jax",))
    result = report({"forward": [entry("forward")], "gradient": [gradient]})
    first, stages = result.first_divergence, result.stages
    assert not match(first, stages, "tensorflow")
    (found,) = match(first, stages, "tensorflow", "bfloat16, TF32 off")
    assert found.difference.precision == "bfloat16"


def test_gradient_is_explained_by_a_later_layer():
    (found,) = matched(
        {
            "training forward": [
                entry("training forward", name="conv", layer="Conv2D"),
                entry("training forward", 1, "turn", "RandomRotation"),
            ],
            "gradient": [entry("gradient", 1, "conv/kernel", "Conv2D", ("tensorflow",))],
        }
    )
    assert (found.layer, found.kind) == ("turn", "RandomRotation")


def test_difference_of_the_loss_is_explained_by_its_clipping():
    forward = [entry("training forward", name="turn", layer="RandomRotation")]
    loss = entry("gradient", 0, "loss", "", ("tensorflow",))
    (found,) = matched({"training forward": forward, "gradient": [loss]})
    assert found.kind == "loss"
    assert "from_logits" in found.difference.advice
    other = entry("gradient", 0, "loss", "", ("jax",))
    assert not matched({"training forward": forward, "gradient": [other]})


def test_reference_may_be_the_backend_that_differs():
    def stages(beyond):
        return {
            "training forward": [
                entry("training forward", name="a", layer="SpectralNormalization")
            ],
            "gradient": [entry("gradient", 1, "a/kernel", "Dense", beyond)],
        }

    assert matched(stages(("torch", "tensorflow")), oracle="jax")
    assert not matched(stages(("torch", "tensorflow")), oracle="torch")
    assert not matched(stages(("torch",)), oracle="jax")
