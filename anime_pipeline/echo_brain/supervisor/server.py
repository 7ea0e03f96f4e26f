"""The reference supervisor as a process: uvicorn in the foreground, until it is interrupted."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from anime_pipeline.echo_brain.supervisor.app import Supervisor, create_supervisor
from anime_pipeline.errors import UserError


def serve(
    home: Path,
    secret: str,
    host: str,
    port: int,
    forget_after: float,
    allow_misbehaviour: bool,
    say: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM. Raises UserError where the address is taken."""
    listening = bind(host, port)
    supervisor = Supervisor(home, secret, forget_after=forget_after, allow_misbehaviour=allow_misbehaviour)
    shown = f"[{host}]" if ":" in host else host
    say(f"Reference supervisor at http://{shown}:{listening.getsockname()[1]}, knowledge in {home}")
    server = uvicorn.Server(uvicorn.Config(create_supervisor(supervisor), log_level="warning"))
    server.run(sockets=[listening])


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens, so that a port of 0 is known before the server starts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise UserError(f"Port {port} of {host} cannot be used: {error.strerror}.", "choose --port") from None
    listening.listen(128)
    return listening
