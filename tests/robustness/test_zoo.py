"""The zoo: its data, its random models and its command; `nox -s zoo` compares all of it."""

import numpy as np
import pytest

from tests.robustness.zoo.__main__ import main
from tests.robustness.zoo.catalogue import ZOO, random_case
from tests.robustness.zoo.random_models import KINDS, LOSSES, OPTIMIZERS, WORDS, draw

NUMBERS = range(100)


@pytest.mark.parametrize("name", ZOO)
def test_data_fit_the_inputs_of_an_architecture(name):
    case = ZOO[name]
    xs, ys = case.data(1)
    assert [x.shape[1:] for x in xs] == list(case.shapes)
    for x, again, other in zip(xs, case.data(1)[0], case.data(2)[0], strict=True):
        np.testing.assert_array_equal(x, again)
        assert np.any(x != other)
    assert ys is None or set(ys[0].ravel()) <= set(range(case.classes))


def test_random_models_are_functions_of_their_number_and_use_every_block():
    drawn = [draw(number) for number in NUMBERS]
    assert drawn == [draw(number) for number in NUMBERS]
    assert len({str(model) for model in drawn}) == len(NUMBERS)
    assert {model["kind"] for model in drawn} == {*KINDS, "words"}
    assert {model["loss"] for model in drawn} == set(LOSSES)
    assert {model["optimizer"] for model in drawn} == set(OPTIMIZERS)
    used = {name for model in drawn for name, *_ in model["blocks"]}
    assert used == {name for names in KINDS.values() for name in names}


def test_case_of_a_random_model_has_its_data():
    number = next(n for n in NUMBERS if draw(n)["kind"] == "words")
    (words,), _ = random_case(number).data(0)
    assert words.shape[1:] == draw(number)["shape"]
    assert words.dtype == np.int32
    assert words.max() < WORDS


@pytest.mark.once
@pytest.mark.backend
@pytest.mark.parametrize("number", range(0, 100, 12))
def test_random_models_train(number):
    from ae_multi.parity import model_builder

    case = random_case(number)
    xs, ys = case.data(0)
    model = model_builder.build(case.build, xs)
    y = np.zeros((len(xs[0]), *model.output_shape[1:])) if ys is None else ys[0]
    loss = model.train_on_batch(xs[0][:8], y[:8])
    assert np.isfinite(loss)
    assert model.count_params() > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", "nonsense"], "Received: 'nonsense'"),
        (["--models", "bert", "--random", "3"], "either --models or --random"),
        (["--random", "5:2"], "A below B, received '5:2'"),
        (["--json", "/nowhere/a.json"], "is not a folder"),
    ],
)
def test_usage_errors_end_with_2(capsys, arguments, message):
    try:
        status = main(arguments)
    except SystemExit as error:  # from argparse
        status = error.code
    assert status == 2
    assert message in capsys.readouterr().err
