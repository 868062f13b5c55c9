"""The group of workers that environment variables describe."""

import pytest

from ae_multi.errors import InputError
from ae_multi.workers.group import Group, group_of

WORKER = {"RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "host-0", "MASTER_PORT": "29500"}


def test_variables_of_a_worker_describe_its_group():
    assert group_of(WORKER) == Group(1, 4, "host-0", 29500)


def test_process_without_rank_has_no_group():
    assert group_of({**WORKER, "RANK": ""}) is None
    assert group_of({key: value for key, value in WORKER.items() if key != "RANK"}) is None
    assert group_of({"RANK": "0", "WORLD_SIZE": "1"}) is None


@pytest.mark.parametrize("name", ["WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"])
def test_missing_variable_of_a_worker_is_named(name):
    for environment in ({**WORKER, name: ""}, {k: v for k, v in WORKER.items() if k != name}):
        with pytest.raises(InputError, match=f"Received: RANK=1 without {name}"):
            group_of(environment)


def test_single_worker_has_no_group():
    assert group_of({**WORKER, "RANK": "0", "WORLD_SIZE": "1"}) is None


def test_port_on_which_torchrun_listens_is_not_used():
    environment = {**WORKER, "TORCHELASTIC_USE_AGENT_STORE": "True"}
    assert group_of(environment) == Group(1, 4, "host-0", 29501)


@pytest.mark.parametrize(("name", "value"), [("RANK", "4"), ("RANK", "-1"), ("MASTER_PORT", "x")])
def test_invalid_variable_is_named(name, value):
    with pytest.raises(InputError, match=f"Expected RANK .* Received: .*{name}={value}"):
        group_of({**WORKER, name: value})
