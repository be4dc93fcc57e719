"""The command line of every step: typed ``--spec`` arguments, logging, and errors as one readable message."""

import argparse
import logging
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from pydantic import TypeAdapter, ValidationError

from scripts.lib.errors import InputError
from scripts.lib.keys import without_secrets
from scripts.lib.parent import end_with_snakemake


def parser_of(step: str, documentation: str | None) -> argparse.ArgumentParser:
    """The parser of ``python -m <step>``; its help opens with the module's docstring."""
    return argparse.ArgumentParser(
        prog=f"python -m {step}", description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def spec_of(kind: type) -> Callable[[str], object]:
    """An argparse type: parses JSON text as one of the config's types (``scripts/lib/config``)."""
    adapter = TypeAdapter(kind)

    def parse(text: str) -> object:
        try:
            return adapter.validate_json(text)
        except ValidationError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parse


class _Discreet(logging.Formatter):
    """Removes keys held in the environment from log lines."""

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


def run(main: Callable[[], None]) -> NoReturn:
    """Run a step: log to stderr without keys, print an InputError and exit with 1, end when Snakemake ends."""
    end_with_snakemake()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Discreet("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        main()
    except InputError as error:
        print(f"error: {without_secrets(str(error))}", file=sys.stderr)
        sys.exit(1)
    except Exception:
        print(without_secrets(traceback.format_exc()), end="", file=sys.stderr)
        sys.exit(1)
    sys.exit(0)
