"""Ports that a command is to listen on."""

from __future__ import annotations

import errno
import socket

from anime_pipeline.errors import UserError


def refuse_taken(host: str, port: int) -> None:
    """Refuse a port that cannot be listened on before anything is started that would only log it.

    Raises:
        UserError: something listens there, or this account may not, or the machine has no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As the servers do: a port whose last connections are still dying is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            why = "something listens there already" if taken else (error.strerror or str(error)).lower()
            raise UserError(
                f"Port {port} of {host} can't be opened: {why}.",
                "end that, or name another port with --port" if taken else "name another --port or --host",
            ) from None
