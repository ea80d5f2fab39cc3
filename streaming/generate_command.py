"""The command `generate`, as synthetic/command.py describes it; with --to-kafka, the plays are sent to a topic instead.

Example: lakehouse generate --listeners 50 --plays 1000 --catalogue dataset.csv --to-kafka --servers 127.0.0.1:9092
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lakehouse.cli.errors import FAILED, USAGE, print_error
from lakehouse.cli.product import Product
from streaming.errors import MissingExtraError, StreamError
from synthetic import command


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `generate`."""
    from streaming.command import add_kafka_options

    command.add_options(parser, needs_folder=False)
    parser.add_argument(
        "--to-kafka", action="store_true", help="send the plays to a Kafka topic, instead of writing files to --out"
    )
    add_kafka_options(parser)


def call(product: Product, options: argparse.Namespace) -> int:
    """Exit code 0; 1 when files could not be written or listens not sent; 2 for arguments that cannot be used."""
    if (options.out is None) != options.to_kafka:
        print_error("name a folder with --out, or send the plays to a topic with --to-kafka: one of the two")
        return USAGE
    if not options.to_kafka:
        if options.servers or options.topic:
            print_error("--servers and --topic need --to-kafka")
            return USAGE
        return command.call(product, options)
    try:
        return _to_kafka(options)
    except StreamError as error:
        print_error(str(error))
        return USAGE if isinstance(error, MissingExtraError) else FAILED


def _to_kafka(options: argparse.Namespace) -> int:
    from streaming import client
    from streaming.command import send_all, stream_settings

    settings = stream_settings(options)
    # Before minutes of generating.
    client.common(settings, {})
    client.kafka()
    with tempfile.TemporaryDirectory(prefix="lakehouse-generate-") as scratch:
        options.out = Path(scratch, "listeners")

        def send(*_: Any) -> None:
            number = send_all(settings, _listens(options.out, settings.max_file_mb * 2**20))
            sys.stdout.write(
                f"{number:,} plays of {options.listeners:,} listeners sent to {settings.kafka_topic}; "
                "`lakehouse stream` takes them with LAKEHOUSE_KAFKA_LISTENERS='[\"synthetic:*\"]'\n"
            )

        return command.run(options, send)


def _listens(folder: Path, max_bytes: int) -> Iterator[dict[str, Any]]:
    from streaming.replay import listens_in

    for file in sorted(folder.iterdir()):
        if not file.name.startswith("_"):
            yield from listens_in(file, None, max_bytes)
