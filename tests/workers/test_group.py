"""The group of workers that environment variables describe."""

import pytest

from ae_multi.errors import InputError
from ae_multi.workers.group import Group, group_of

WORKER = {"RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "host-0", "MASTER_PORT": "29500"}


def test_variables_of_a_worker_describe_its_group():
    assert group_of(WORKER) == Group(1, 4, "host-0", 29500)


@pytest.mark.parametrize("name", WORKER)
def test_process_without_one_of_the_variables_has_no_group(name):
    assert group_of({**WORKER, name: ""}) is None
    assert group_of({key: value for key, value in WORKER.items() if key != name}) is None


def test_single_worker_has_no_group():
    assert group_of({**WORKER, "RANK": "0", "WORLD_SIZE": "1"}) is None


def test_port_on_which_torchrun_listens_is_not_used():
    environment = {**WORKER, "TORCHELASTIC_USE_AGENT_STORE": "True"}
    assert group_of(environment) == Group(1, 4, "host-0", 29501)


@pytest.mark.parametrize(("name", "value"), [("RANK", "4"), ("RANK", "-1"), ("MASTER_PORT", "x")])
def test_invalid_variable_is_named(name, value):
    with pytest.raises(InputError, match=f"Expected RANK .* Received: .*{name}={value}"):
        group_of({**WORKER, name: value})
