"""What every step's command line shares: a typed ``--spec`` and errors that a person can act on."""

import argparse
import logging
import sys
from collections.abc import Callable
from typing import NoReturn

from pydantic import TypeAdapter, ValidationError

from scripts.lib.errors import InputError
from scripts.lib.parent import end_with_snakemake


def parser_of(step: str, documentation: str | None) -> argparse.ArgumentParser:
    """The parser of ``python -m <step>``; its help opens with the module's docstring."""
    return argparse.ArgumentParser(
        prog=f"python -m {step}", description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def spec_of(kind: type) -> Callable[[str], object]:
    """An argparse type: JSON text to one of the config's types (``scripts/lib/config``)."""
    adapter = TypeAdapter(kind)

    def parse(text: str) -> object:
        try:
            return adapter.validate_json(text)
        except ValidationError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parse


def run(main: Callable[[], None]) -> NoReturn:
    """Run a step: log to stderr, end an InputError as its message with exit status 1, and end with Snakemake."""
    end_with_snakemake()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    sys.exit(0)
