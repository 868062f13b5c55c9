"""Workers exchange their addresses through worker 0."""

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ae_multi.backends.collectives.rendezvous import exchange_addresses
from ae_multi.errors import WorkerError
from tests.workers.processes import free_port


def exchange(size, port, ranks=None, seconds=20):
    """Return what each worker of ``ranks`` receives, an error included."""
    ranks = range(size) if ranks is None else ranks
    with ThreadPoolExecutor(len(ranks)) as pool:
        futures = [
            pool.submit(exchange_addresses, rank, size, "127.0.0.1", port, seconds)
            for rank in ranks
        ]
        return [future.exception() or future.result() for future in futures]


def test_all_workers_receive_the_same_addresses_in_the_order_of_ranks():
    results = exchange(4, free_port(), ranks=[2, 3, 0, 1])
    assert results[0] == results[1] == results[2] == results[3]
    hosts, ports = zip(*(address.split(":") for address in results[0]), strict=True)
    assert set(hosts) == {"127.0.0.1"}
    assert len(set(ports)) == 4


def test_each_address_belongs_to_the_rank_that_sent_it():
    port = free_port()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(exchange_addresses, 0, 3, "127.0.0.1", port, 20)
        for rank in (2, 1):
            send(port, json.dumps({"rank": rank, "address": f"host-{rank}:{rank}"}))
        assert future.result()[1:] == ["host-1:1", "host-2:2"]


def send(port, text):
    """Send a line to worker 0 as soon as it listens, and leave."""
    for _ in range(2000):
        try:
            connection = socket.create_connection(("127.0.0.1", port))
            break
        except ConnectionRefusedError:
            threading.Event().wait(0.01)
    with connection:
        connection.sendall(text.encode() + b"\n")


@pytest.mark.parametrize("text", ["GET / HTTP/1.1", "[1]", '{"rank": 1}', '{"rank": "x"}', ""])
def test_other_programs_that_connect_are_ignored(text):
    port = free_port()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(exchange_addresses, 0, 2, "127.0.0.1", port, 20)
        send(port, text)
        second = pool.submit(exchange_addresses, 1, 2, "127.0.0.1", port, 20)
        assert first.result() == second.result()


@pytest.mark.parametrize("ranks", [[0, 2], [1]])
def test_missing_workers_end_the_wait_with_an_error(ranks):
    errors = exchange(3, free_port(), ranks=ranks, seconds=0.5)
    assert all(isinstance(error, WorkerError) for error in errors)
    assert all("within 0.5 s. Received by worker " in str(error) for error in errors)
    if 0 in ranks:
        assert "only workers [0, 2] have joined" in str(errors[0])


def test_two_workers_of_one_rank_are_refused():
    errors = exchange(3, free_port(), ranks=[0, 1, 1], seconds=5)
    assert "a second worker 1" in str(errors[0])


def test_port_in_use_is_named():
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(WorkerError, match=f"127.0.0.1:{port} .* Address already in use"):
            exchange_addresses(0, 2, "127.0.0.1", port, 5)
