"""JSON files of results."""

import json
import math

from ae_multi.report.json_file import write_json


def test_json_file_is_strict(tmp_path):
    path = tmp_path / "out.json"
    write_json(path, {"a": math.nan, "b": [1.5, math.inf], "c": (1, "x")})
    assert json.loads(path.read_text()) == {"a": None, "b": [1.5, None], "c": [1, "x"]}
