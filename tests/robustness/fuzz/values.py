"""Unexpected values, and values that would execute code.

Such code would create the file `MARK` in the working folder of the process.
"""

import json
import os

MARK = "ae_multi-fuzz-has-run-code"
SECRET = "/tmp/ae_multi-fuzz-secret.txt"


class _Code:
    def __reduce__(self):
        return os.system, (f"touch {MARK}",)


CODE = _Code()


class Raw(str):
    """Text that is written to JSON literally."""


def _named(module, name, config=None, kind=None):
    return {
        "module": module,
        "class_name": kind or name,
        "config": config or {},
        "registered_name": None,
    }


OBJECTS = [
    _named("os", "system", "system", "function"),
    _named("posix", "system", "system", "function"),
    _named("builtins", "exec", "exec", "function"),
    _named("builtins", "eval", "eval", "function"),
    _named("subprocess", "Popen", {"args": ["touch", MARK]}),
    _named("keras.utils", "get_file", "get_file", "function"),
    _named("keras.layers", "Lambda", {"function": {"class_name": "__lambda__", "config":
           {"value": "4wAAAAA=", "defaults": None, "closure": None}}}),
    _named("keras.layers", "TorchModuleWrapper", {"module": "gASVAAAAAA=="}),
    _named("keras.layers", "TFSMLayer", {"filepath": "/tmp", "call_endpoint": "serving_default"}),
    _named("keras.layers", "StringLookup", {"vocabulary": SECRET}),
    _named("keras.layers", "TextVectorization", {"vocabulary": SECRET}),
    _named("antigravity", "fly"),
    _named("keras.src.saving.saving_api", "load_model", "load_model", "function"),
    {"class_name": "__lambda__", "config": {"value": "4wAAAAA="}},
    {"class_name": "__typespec__", "spec_name": "system", "module": "os", "config": [],
     "registered_name": None},
    {"class_name": "__numpy__", "config": {"value": ["a"], "dtype": "<U1000000000"}},
    {"class_name": "__tensor__", "config": {"value": [[0.0]] * 3, "dtype": "float32"}},
    _named("keras.layers", "Dense", {"units": 10**9}),
    _named("keras.metrics", "AUC", {"num_thresholds": 10**9}),
]  # fmt: skip
NUMBERS = [0, 1, -1, 2, 3, 255, 2**31 - 1, 2**31, 2**63, 2**64, 10**30, 0.5, -0.5, 1e308, 1e-320,
           Raw("NaN"), Raw("-Infinity"), Raw("1e999"), Raw("9" * 5000), Raw("-0.0")]  # fmt: skip
TEXTS = ["", "x", "x" * 100_000, "../../x", "/etc/passwd", SECRET, "os", "builtins", "relu", "mse",
         "float64", "\0", "\ud800", "é", "keras.layers", "Lambda", "arrays/0.npy"]  # fmt: skip
NESTED = [Raw("[" * 90 + "]" * 90), Raw("[" * 3000 + "]" * 3000),
          Raw('{"a":' * 500 + "1" + "}" * 500),
          [], {}, [[]], [0] * 1000, [None, None], {"class_name": None}, {"class_name": []},
          {"number": "nan"}, {"number": [1]}, {"tuple": "abc"}, {"tuple": {}}, {"dict": []},
          {"names": [["a"], "b"]}, {"names": [1]}, {"array": "x"}, {"array": []}, {"model": "x"},
          {"model": None}]  # fmt: skip
NASTY = [None, True, False, *NUMBERS, *TEXTS, *NESTED, *OBJECTS]


def dumps(rng, value):
    """Return JSON text with literal `Raw` text, also in keys, which may then be duplicates.

    Args:
        rng: `random.Random`, which chooses the indentation.
        value: nested values.
    """
    raws = []

    def plain(value):
        if isinstance(value, Raw):
            raws.append(str(value))
            return f"@raw{len(raws) - 1}@"
        if isinstance(value, dict):
            return {plain(key): plain(each) for key, each in value.items()}
        return [plain(each) for each in value] if isinstance(value, list) else value

    text = json.dumps(plain(value), indent=rng.choice([None, 1]))
    for place, raw in enumerate(raws):
        text = text.replace(f'"@raw{place}@"', raw)
    return text
