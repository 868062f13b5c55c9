"""Cache of the measured times of plans."""

import json

import pytest

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("plans_file")]


@pytest.mark.parametrize(
    "facts",
    [
        {"step": {"scan": "fast"}, "build": {"scan": 1.0}, "failed": []},
        {"step": {"scan": -1.0}, "build": {"scan": 1.0}, "failed": []},
        {"step": {"scan": 1.0}, "build": {}, "failed": []},
        {"step": {}, "build": {}, "failed": [1]},
        {"step": "scan"},
        ["scan"],
    ],
)
def test_malformed_entries_are_ignored(facts, plans_file, monkeypatch):
    from ae_multi.training import plan_cache

    monkeypatch.setattr(plan_cache, "_here", {})
    plans_file.parent.mkdir()
    plans_file.write_text(json.dumps({"key": facts}))
    assert plan_cache.recall("key") == {}
    sound = {"step": {"scan": 1.0}, "build": {"scan": 2}, "failed": ["step"]}
    plans_file.write_text(json.dumps({"key": sound}))
    assert plan_cache.recall("key") == sound
