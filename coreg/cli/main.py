"""The ``coreg`` command line and its exit statuses."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from coreg import __version__
from coreg.cli.cohort import cohort
from coreg.cli.demo import demo
from coreg.cli.info import info
from coreg.cli.init import init
from coreg.cli.phantom import phantom
from coreg.cli.register import register
from coreg.cli.segment import segment
from coreg.cli.validate import validate
from coreg.cli.view import view
from coreg.errors import InputError, RegistrationError

BUG, BAD_INPUT, NOT_REGISTERED, INTERRUPTED = 1, 3, 4, 130
# Plus the signal's number, as shells have it: 143 where a scheduler ended the run.
SIGNALLED = 128


class Commands(TyperGroup):
    """The commands in the order in which a newcomer meets them."""

    def invoke(self, ctx: Any) -> object:
        """Run the command; an interruption has an exit status of its own."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("coreg: interrupted; nothing was left half-written", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    name="coreg",
    cls=Commands,
    help="Place intravascular pullbacks (OCT, IVUS) in coronary CT angiography. For research use only.\n\n"
    "Start with: coreg demo",
    no_args_is_help=True,
    add_completion=False,
    # Rich help and tracebacks would cost a tenth of a second on every start.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
EXAMPLES: dict[Callable[..., None], str] = {
    demo: "coreg demo --out demo-result",
    init: "coreg init ccta_lumen.nii.gz centerline.vtp contours.csv --out case.toml",
    register: "coreg register case.toml --out result",
    validate: "coreg validate result --landmarks landmarks.csv",
    view: "coreg view result",
    info: "coreg info case.toml",
}
for command, example in EXAMPLES.items():
    app.command(epilog=f"Example: {example}")(command)
app.command()(phantom)
app.add_typer(segment, name="segment")
app.add_typer(cohort, name="cohort")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"coreg {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line and leave with the contract's exit status."""
    with _stoppable():
        sys.exit(status_of(app))


@contextmanager
def _stoppable() -> Iterator[None]:
    """Leave by an exception where a run is ended, which removes what is half-written."""
    ends = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) != signal.SIG_IGN]
    before = {each: signal.signal(each, _leave) for each in ends}
    report = sys.unraisablehook

    def once_more(lost: sys.UnraisableHookArgs) -> None:
        # Python drops what is raised while it removes an object, as the exception of a signal may be.
        if not isinstance(lost.exc_value, (KeyboardInterrupt, SystemExit)):
            report(lost)
            return
        number = signal.SIGINT if isinstance(lost.exc_value, KeyboardInterrupt) else signal.SIGTERM
        threading.Timer(0.01, os.kill, (os.getpid(), number)).start()

    sys.unraisablehook = once_more
    try:
        yield
    finally:
        sys.unraisablehook = report
        for each, handler in before.items():
            signal.signal(each, handler)


def _leave(number: int, _frame: object) -> None:
    sys.exit(SIGNALLED + number)


def status_of(run: Callable[[], object]) -> int:
    """Run and return the exit status; failures become one line on standard error."""
    try:
        run()
    except InputError as error:
        return _failure(BAD_INPUT, str(error))
    except RegistrationError as error:
        return _failure(NOT_REGISTERED, str(error))
    except Exception as error:  # the contract's status 1: no user sees a traceback unasked
        if {"-v", "--verbose"} & set(sys.argv):
            traceback.print_exc()
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        return _failure(BUG, f"this is a bug: {what} (run again with -v to see where)")
    return 0


def _failure(status: int, text: str) -> int:
    print(f"coreg: {text}", file=sys.stderr)
    return status
