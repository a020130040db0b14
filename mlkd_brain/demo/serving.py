"""From a folder of runs to a page that is served, and nothing else is.

Authors
 * The MLKD team 2026
"""

import argparse
import os
import pathlib
from typing import Any

import gradio
from mlkd_brain.demo.page import Page, build
from mlkd_brain.demo.pictures import CSS
from mlkd_brain.demo.sound import LARGEST_FILE_MB, Noises, TestSpeaker
from mlkd_brain.demo.systems import System, choose_runs
from mlkd_brain.errors import InputError
from mlkd_brain.run.description import Built, describe_run
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware

#: The browser fetches nothing from elsewhere, whatever Gradio's page asks for.
POLICY = (
    "default-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "frame-ancestors 'self'"
)


def serve(options: argparse.Namespace, folder: pathlib.Path) -> gradio.Blocks:
    """Load the systems, start the page and return at once.

    Arguments
    ---------
    options : argparse.Namespace
        Of ``mlkd demo``.
    folder : pathlib.Path
        A temporary one: all that is uploaded or made goes there.

    Raises
    ------
    InputError
        If no model is trained, a run or the noise cannot be used, or the port
        is taken.

    Returns
    -------
    gradio.Blocks
        Running; ``local_url`` is its address, ``close`` ends it.
    """
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "gradio")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    blocks = build(load_page(options, folder))
    try:
        blocks.launch(
            server_name=options.host,
            server_port=options.port,
            share=False,
            run_history=False,
            max_file_size=f"{LARGEST_FILE_MB}mb",
            app_kwargs={"middleware": [Middleware(_Offline)]},
            css=CSS,
            footer_links=[],
            show_error=True,
            quiet=True,
            prevent_thread_lock=True,
        )
    except OSError as error:
        raise InputError(
            f"{options.host}:{options.port} cannot be listened on ({error}); "
            "another page may be there. Give another --port."
        ) from None
    return blocks


def load_page(options: argparse.Namespace, folder: pathlib.Path) -> Page:
    """The page of some runs; arguments and errors are those of ``serve``."""
    runs = choose_runs(
        options.results, options.seed, options.fold, options.systems
    )
    hparams = describe_run(runs[0].folder)
    noise = _folder(options.noise_folder or hparams["noise_folder"])
    data = _folder(options.data_folder or hparams["data_folder"])
    return Page(
        [System(run.key[0], run.folder, options.device) for run in runs],
        Noises({**hparams, "noise_folder": noise}, folder),
        TestSpeaker(runs[0].folder, data),
        options.report or options.results / "report",
    )


def _folder(value: Any) -> str:
    """A folder of a run's yaml, or of the command line."""
    # without the option: `!apply:os.getenv [NAME, default]`
    if isinstance(value, Built):
        value = os.getenv(*value.arguments)
    return str(value)


class _Offline:
    """ASGI middleware: adds the policy to every answer."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def send_with_policy(message):
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = POLICY
            await send(message)

        await self.app(scope, receive, send_with_policy)
