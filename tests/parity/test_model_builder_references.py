"""References to build functions, as they are sent to other processes."""

import numpy as np
import pytest

from ae_multi.errors import InputError
from ae_multi.parity import model_builder


def test_references_find_their_functions(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("def make():\n    return 5\n")
    assert model_builder.find(f"{tmp_path}/mine.py:make")() == 5
    monkeypatch.syspath_prepend(tmp_path)
    assert model_builder.find("mine:make")() == 5
    assert model_builder.reference_to(np.linalg.norm).endswith(":norm")
    assert model_builder.reference_to("a:b") == "a:b"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nothing", "module:function or file.py:function"),
        (":name", "module:function"),
        ("no_such_module:make", "import no_such_module. Received: ModuleNotFoundError"),
        ("/nowhere/model.py:make", "import /nowhere/model.py. Received: FileNotFoundError"),
        ("math:no_such_name", "function no_such_name in math"),
        ("math:pi", "function pi in math"),
    ],
)
def test_invalid_references_are_refused(reference, message):
    with pytest.raises(InputError, match=message):
        model_builder.find(reference)


def test_unimportable_functions_are_refused():
    def inner():
        pass

    for function in (lambda: None, inner, 7):
        with pytest.raises(InputError, match="another process can import"):
            model_builder.reference_to(function)
