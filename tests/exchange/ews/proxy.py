"""An HTTP proxy that lets TLS through (CONNECT, RFC 9110 section 9.3.6) and notes where to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def proxy() -> Iterator[tuple[str, list[str]]]:
    """The address of a proxy, and the targets that it was asked for."""
    listening = socket.create_server(("127.0.0.1", 0))
    targets: list[str] = []
    tunnels: list[threading.Thread] = []

    def serve() -> None:
        with listening, suppress(OSError):
            while True:
                client, _ = listening.accept()
                tunnels.append(threading.Thread(target=_tunnel, args=(client, targets)))
                tunnels[-1].start()

    accepting = threading.Thread(target=serve)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", targets
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        for thread in (accepting, *tunnels):
            thread.join()


def _tunnel(client: socket.socket, targets: list[str]) -> None:
    with client, suppress(OSError):
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        method, target, _ = head.split(b" ", 2)
        targets.append(f"{method.decode()} {target.decode()}")
        host, _, port = target.decode().partition(":")
        with socket.create_connection((host, int(port))) as server:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            there = threading.Thread(target=_pump, args=(client, server))
            there.start()
            _pump(server, client)
            there.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Hand on what comes until one of both ends it; then both are told."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
