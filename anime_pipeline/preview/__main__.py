"""``python -m anime_pipeline.preview``: the preview server as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from anime_pipeline.preview.misbehaviour import KINDS, Misbehaviour
from anime_pipeline.preview.server import PreviewServer
from anime_pipeline.preview.users_watch import UsersWatch, remove_address, write_address
from anime_pipeline.settings import get_settings


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM, SIGINT or, with ``--shared``, until nobody uses the server any more."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(_serve(options))
    except OSError as error:
        sys.exit(f"the preview server can't serve: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m anime_pipeline.preview",
        description="A render server that speaks ComfyUI's protocol and draws animatics.",
    )
    parser.add_argument("--home", type=Path, help="folder of this installation (default: ANIME_HOME)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8188, help="0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--any-prompt-id", action="store_true", help="take any text as prompt_id, as old servers do"
    )
    parser.add_argument(
        "--allow-misbehaviour", action="store_true", help="open POST /preview/misbehave, for tests"
    )
    parser.add_argument(
        "--misbehave",
        action="append",
        default=[],
        type=_misbehaviour,
        metavar="KIND[:TIMES[:MATCH]]",
        help=f"go wrong on purpose; TIMES is a number or 'always'; kinds: {', '.join(KINDS)}",
    )
    parser.add_argument("--shared", action="store_true", help="be the home's server; end with its last user")
    parser.add_argument("--ready-fd", type=int, help="file descriptor to write the URL to once serving")
    return parser


def _misbehaviour(text: str) -> Misbehaviour:
    try:
        return Misbehaviour.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


async def _serve(options: argparse.Namespace) -> None:
    home = (options.home or get_settings().home).expanduser().absolute()
    server = PreviewServer(
        home,
        host=options.host,
        port=options.port,
        strict_prompt_ids=not options.any_prompt_id,
        misbehaviours=options.misbehave,
        allow_misbehaviour=options.allow_misbehaviour,
    )
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    url = await server.start()
    watch = UsersWatch(home, server.instance, lambda: loop.call_soon_threadsafe(ended.set))
    if options.shared:
        write_address(home, url, server.instance)
        watch.start()
    _announce(url, options.ready_fd)
    await ended.wait()
    watch.stop()
    if options.shared:
        remove_address(home, server.instance)
    await server.stop()


def _announce(url: str, descriptor: int | None) -> None:
    if descriptor is None:
        print(url, flush=True)
        return
    with os.fdopen(descriptor, "w") as pipe:
        pipe.write(url)


if __name__ == "__main__":
    main()
