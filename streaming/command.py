"""The command `stream`: listens of a Kafka topic into the inbox, until it is stopped.

Exit codes: 0 stopped, 1 something keeps it from going on, 2 wrong options or settings.
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
from pathlib import Path
from typing import Any

from lakehouse.cli.errors import FAILED, OK, USAGE, print_error
from lakehouse.cli.sanitize import CONTROL
from streaming.errors import MissingExtraError, StreamError
from streaming.settings import StreamSettings

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LONGEST_SHOWN = 200


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `stream`."""
    add_kafka_options(parser)
    parser.add_argument("--group", metavar="NAME", help="consumer group (default LAKEHOUSE_KAFKA_GROUP, listening-lakehouse)")
    parser.add_argument("--landing", metavar="DIR", help="landing folder, for the inbox in it (default: data/landing)")
    parser.add_argument("--lakehouse", metavar="DIR", help="lakehouse that tells who is known (default: data/lakehouse)")
    parser.add_argument("--once", action="store_true", help="end once every partition is read to its end")
    parser.add_argument(
        "--resume-anyway",
        action="store_true",
        help="go on with what the topic holds now, if it was truncated, created again, or lost messages before they were read",
    )
    parser.add_argument("--refused", action="store_true", help="list the messages that were refused, and why; reads no topic")
    parser.add_argument("--json", action="store_true", help="with --refused: one JSON object a line, with the whole message")
    parser.add_argument(
        "--replay", type=Path, metavar="FILE", help="send the plays of an export to the topic instead of reading it"
    )
    parser.add_argument("--user", metavar="NAME", help="with --replay: the listener whose plays they are")


def add_kafka_options(parser: argparse.ArgumentParser) -> None:
    """The options that say where the topic is."""
    parser.add_argument("--servers", metavar="HOST:PORT", help="brokers to ask first (default LAKEHOUSE_KAFKA_SERVERS)")
    parser.add_argument("--topic", metavar="NAME", help="topic (default LAKEHOUSE_KAFKA_TOPIC, listens)")


def stream_settings(options: argparse.Namespace) -> StreamSettings:
    """The settings with what options say instead. Raises pydantic.ValidationError and SettingsError."""
    names = {
        "kafka_servers": "servers",
        "kafka_topic": "topic",
        "kafka_group": "group",
        "landing": "landing",
        "dir": "lakehouse",
    }
    given = {setting: getattr(options, option, None) for setting, option in names.items()}
    return StreamSettings(**{setting: value for setting, value in given.items() if value is not None})


def call(_: Any, options: argparse.Namespace) -> int:
    """Read the topic, list refused messages, or send an export. Raises pydantic.ValidationError and SettingsError."""
    settings = stream_settings(options)
    if problem := _misused(options, settings):
        print_error(problem)
        return USAGE
    try:
        if options.refused:
            return _list_refused(settings, as_json=options.json)
        if options.replay is not None:
            return _replay(settings, options.replay, options.user)
        return _stream(settings, options)
    except StreamError as error:
        _say_error(error)
        return USAGE if isinstance(error, MissingExtraError) else FAILED


def _misused(options: argparse.Namespace, settings: StreamSettings) -> str | None:
    if (options.replay is None) != (options.user is None):
        return "--replay and --user belong together: an export does not say whose plays it holds"
    if options.json and not options.refused:
        return "--json needs --refused: the log of a stream is JSON where standard error is no terminal"
    if settings.inbox is None and "landing" in settings.model_fields_set and not settings.landing.is_dir():
        return f"the landing folder {settings.landing} does not exist"
    return None


def _stream(settings: StreamSettings, options: argparse.Namespace) -> int:
    from polling.files import make_folder
    from streaming import client
    from streaming.listeners import KnownListeners, find_listeners
    from streaming.log import say, start_log
    from streaming.properties import read_properties, redaction
    from streaming.stream import Stream

    client.kafka()
    properties = read_properties(settings.kafka_config)
    logger = start_log(redaction(properties))
    listeners = KnownListeners(lambda: find_listeners(settings), settings.kafka_listeners)
    stream = Stream(
        settings,
        settings.inbox_folder,
        listeners.knows,
        lambda: client.topic_id(settings, properties, logger),
        resume_anyway=options.resume_anyway,
        once=options.once,
    )
    make_folder(settings.inbox_folder)
    consumer = client.consumer(settings, properties, logger, stream.on_error)
    _hear(stream)
    say(
        "started",
        f"reading {settings.kafka_topic} into {settings.inbox_folder}",
        topic=settings.kafka_topic,
        group=settings.kafka_group,
    )
    stream.run(consumer)
    say("stopped", f"stopped; {stream.messages} messages were landed", messages=stream.messages)
    return OK


def _hear(stream: Any) -> None:
    for number in SIGNALS:
        # `nohup` has SIGHUP ignored.
        if signal.getsignal(number) is not signal.SIG_IGN or number != signal.SIGHUP:
            signal.signal(number, lambda *_: stream.stop())


def _say_error(error: StreamError) -> None:
    """In the log where there is one, so that a program that reads it sees one form only."""
    log = logging.getLogger("stream")
    if log.handlers:
        log.error("%s", error, extra={"event": "failed"})
    else:
        print_error(str(error))


def _list_refused(settings: StreamSettings, *, as_json: bool) -> int:
    from streaming.refused import refused_messages

    number = 0
    for number, one in enumerate(refused_messages(settings.inbox_folder), start=1):  # noqa: B007 - the last one counts
        if as_json:
            sys.stdout.write(f"{json.dumps(one)}\n")
        else:
            content = CONTROL.sub(" ", one["content"])[:LONGEST_SHOWN]
            sys.stdout.write(f"{one['topic']} {one['partition']} {one['offset']}: {one['reason']}: {content}\n")
    if not as_json:
        sys.stdout.write(f"{number} refused messages\n")
    return OK


def _replay(settings: StreamSettings, file: Path, user: str) -> int:
    from streaming.replay import listens_in

    # The same rule as for a folder in landing/listeners.
    StreamSettings(user=user)
    number = send_all(settings, listens_in(file, user, settings.max_file_mb * 2**20))
    sys.stdout.write(f"{number:,} listens of {user} sent to {settings.kafka_topic}\n")
    return OK


def send_all(settings: StreamSettings, listens: Any) -> int:
    """Send listens, and tell how far it is. Raises StreamError."""
    from streaming.log import say, start_log
    from streaming.producer import send
    from streaming.properties import read_properties, redaction

    properties = read_properties(settings.kafka_config)
    logger = start_log(redaction(properties))
    return send(settings, properties, listens, logger, lambda number: say("sent", f"{number:,} listens sent", listens=number))
