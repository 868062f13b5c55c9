"""Exchange of the addresses of workers, for engines that need those of all workers at the start.

Worker 0 listens on MASTER_PORT. Each other worker connects and sends one line of JSON, its rank and
its address. When all have done so, worker 0 answers each with the list of all addresses.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time

from ae_multi.errors import WorkerError

# Limit of a line in bytes; a host name has up to 253 characters.
_MAX_LINE = 1 << 20
# Seconds that worker 0 waits for the line of one connection.
_MAX_SILENCE = 5.0
_SECONDS_BETWEEN_ATTEMPTS = 0.05


def exchange_addresses(
    rank: int, size: int, address: str, port: int, seconds: float = 60.0
) -> list[str]:
    """Return the address "host:port" of each worker, in the order of ranks.

    Each worker chooses a free port of its own, on which its engine is to listen.

    Args:
        rank: number of this worker.
        size: number of workers.
        address: host name of worker 0.
        port: port on which worker 0 listens until all workers have joined.
        seconds: time limit.

    Raises:
        WorkerError: not all workers have joined in time.
    """
    deadline = time.monotonic() + seconds
    try:
        if rank == 0:
            return _collect(size, address, port, deadline)
        return _join(rank, address, port, deadline)
    except (OSError, ValueError) as error:
        raise WorkerError(
            f"Expected all {size} workers to join at {address}:{port} within {seconds:g} s. "
            f"Received by worker {rank}: {str(error) or type(error).__name__}. Start all workers "
            "with the same MASTER_ADDR and MASTER_PORT, a free port of worker 0's machine."
        ) from error


def _collect(size: int, address: str, port: int, deadline: float) -> list[str]:
    family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
    workers, connections = {0: _free_address(address, family)}, []
    try:
        with socket.create_server(("", port), family=family) as server:
            while len(workers) < size:
                server.settimeout(_left(deadline))
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    raise TimeoutError(f"only workers {sorted(workers)} have joined") from None
                connections.append(connection)
                try:
                    # A program that connects and is silent must not use up the time.
                    message = _receive(connection, min(deadline, time.monotonic() + _MAX_SILENCE))
                    joined, own = int(message["rank"]), str(message["address"])
                except (OSError, ValueError, KeyError, TypeError):
                    continue  # another program has connected
                if not 0 < joined < size or joined in workers:
                    raise ValueError(f"a second worker {joined}")
                workers[joined] = own
        addresses = [workers[rank] for rank in range(size)]
        for connection in connections:
            # Another program may have left; a worker that has ended is noticed by the engine.
            with contextlib.suppress(OSError):
                _send(connection, {"workers": addresses})
        return addresses
    finally:
        for connection in connections:
            connection.close()


def _join(rank: int, address: str, port: int, deadline: float) -> list[str]:
    while True:
        try:
            connection = socket.create_connection((address, port), _left(deadline))
            break
        except OSError:
            if time.monotonic() + _SECONDS_BETWEEN_ATTEMPTS > deadline:
                raise
            time.sleep(_SECONDS_BETWEEN_ATTEMPTS)  # worker 0 may start later
    with connection:
        host = connection.getsockname()[0]
        _send(connection, {"rank": rank, "address": _free_address(host, connection.family)})
        return [str(worker) for worker in _receive(connection, deadline)["workers"]]


def _free_address(host: str, family: int) -> str:
    """Return "host:port" with a port that no process of this machine listens on."""
    with socket.socket(family) as server:
        server.bind(("", 0))
        port = server.getsockname()[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _send(connection: socket.socket, message: dict) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def _receive(connection: socket.socket, deadline: float) -> dict:
    line = b""
    while not line.endswith(b"\n"):
        connection.settimeout(_left(deadline))
        part = connection.recv(4096)
        if not part or len(line) > _MAX_LINE:
            raise ConnectionError("the connection has ended before the addresses came")
        line += part
    return json.loads(line)


def _left(deadline: float) -> float:
    """Return the seconds until ``deadline``, at least a short time."""
    return max(deadline - time.monotonic(), 0.001)
