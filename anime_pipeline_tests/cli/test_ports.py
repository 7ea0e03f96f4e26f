"""Defends that a taken port is told in words before a server is started on it."""

from __future__ import annotations

import socket

import pytest

from anime_pipeline.cli.ports import refuse_taken
from anime_pipeline.errors import UserError


def test_a_taken_port_is_refused_and_a_free_one_is_not() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"Port {port} .*listens there already") as refused:
            refuse_taken("127.0.0.1", port)
        assert "--port" in str(refused.value.remedy)
    refuse_taken("127.0.0.1", port)


def test_an_address_that_the_machine_lacks_is_told() -> None:
    with pytest.raises(UserError, match="can't be opened"):
        refuse_taken("192.0.2.1", 8328)
