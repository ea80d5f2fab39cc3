"""A container engine for `make test-compose`: the one that runs here, or one started for the tests and removed at the end.

Without a running engine it needs root on Linux and Debian's packages docker.io, iptables and debootstrap, which it installs. The
Compose command is the one that is here, or is built from its Go module, once, into `.bi`. Official images that no registry gives
are stood in for: Debian by debootstrap, Trino by the server that `make bi` installs, Postgres by Debian's package.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".bi"
FOLDER = TOOLS / "engine"
STANDINS = ROOT / "tests" / "compose" / "standins"
COMPOSE_MODULE, COMPOSE_VERSION = "github.com/docker/compose/v2", "v2.40.3"
OFFICIAL = {"BASE": "debian:bookworm-slim", "TRINO": "trinodb/trino:476", "POSTGRES": "postgres:15-bookworm"}
PROGRAMS = {"dockerd": "docker.io", "iptables": "iptables", "debootstrap": "debootstrap"}
START_SECONDS, STOP_SECONDS, ANSWER_SECONDS = 60, 60, 20
BUILD_SECONDS, PULL_SECONDS = 2400, 900
# What the servers of a household's machine may use together.
MEMORY = Path("/sys/fs/cgroup/memory")
GROUP = "listening-test"


class EngineError(Exception):
    """An engine, or what is tried on it, cannot be had; the message says why."""


def say(text: str) -> None:
    """Tell the person at the terminal what goes on."""
    sys.stderr.write(f"engine: {text}\n")
    sys.stderr.flush()


def call(
    command: Sequence[str | Path], seconds: float, environment: Mapping[str, str] = os.environ, folder: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run a command, with its output and errors together. Raises EngineError when it takes too long."""
    try:
        return subprocess.run(  # noqa: S603
            [str(part) for part in command],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"{command[0]} {command[1]} was not ready after {seconds:.0f} s") from error


def checked(command: Sequence[str | Path], seconds: float, **options: object) -> str:
    """The output of a command. Raises EngineError with its end where it fails."""
    done = call(command, seconds, **options)  # type: ignore[arg-type]
    if done.returncode:
        raise EngineError(f"{' '.join(map(str, command[:4]))} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout


@dataclass
class Engine:
    """An engine that answers. `arguments` are the build arguments that name its base images."""

    environment: dict[str, str]
    docker: str
    compose: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    arguments: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: str, seconds: float = ANSWER_SECONDS) -> str:
        """Run `docker` with these words; its output. Raises EngineError."""
        return checked([self.docker, *words], seconds, environment=self.environment)

    def stop(self) -> None:
        """Stop an engine that was started for the tests, and remove all that it stored."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(STOP_SECONDS)
        call(["ip", "link", "delete", "docker0"], ANSWER_SECONDS)
        if (MEMORY / GROUP).is_dir():
            peak = int((MEMORY / GROUP / "memory.max_usage_in_bytes").read_text())
            say(f"all containers together used at most {peak / 1e9:.1f} GB, with what the kernel keeps of files")
            (MEMORY / GROUP).rmdir()
        # The namespace of containers on the host's network, which the engine leaves mounted.
        call(["umount", FOLDER / "exec" / "netns" / "default"], ANSWER_SECONDS)
        mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines() if f" {FOLDER}/" in line]
        if mounted:
            raise EngineError(f"{FOLDER} was not removed, because something is mounted in it: {mounted[0]}")
        shutil.rmtree(FOLDER)


def problems() -> list[str]:
    """What keeps an engine from being had here, each with its remedy; installs Debian's packages where it can."""
    found = []
    if compose_command() is None and shutil.which("go") is None:
        found.append("neither Docker Compose nor Go, which can build it, is installed (Debian, Ubuntu: sudo apt install golang)")
    if _running() is not None:
        return found
    if sys.platform != "linux" or os.geteuid() != 0:
        return [*found, "no container engine is running, and starting one needs root on Linux: sudo make test-compose"]
    _install_packages()
    if missing := [package for program, package in PROGRAMS.items() if shutil.which(program) is None]:
        found.append(f"{', '.join(missing)} cannot be installed here; start a container engine, then call this again")
    return found


def start(*, memory_bytes: int | None = None) -> Engine:
    """The engine that runs here, or a new one whose containers together may use `memory_bytes`. Raises EngineError."""
    compose = compose_command() or (str(build_compose()),)
    running = _running()
    if running is not None:
        return Engine(dict(os.environ), running, compose)
    FOLDER.mkdir(parents=True, exist_ok=True)
    socket = FOLDER / "docker.sock"
    words = ["dockerd", f"--data-root={FOLDER / 'data'}", f"--exec-root={FOLDER / 'exec'}", f"--host=unix://{socket}"]
    words += [f"--pidfile={FOLDER / 'pid'}", "--storage-driver=overlay2"]
    if memory_bytes is not None:
        words += _limited(memory_bytes)
    with (FOLDER / "log").open("wb") as log:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)  # noqa: S603
    # The first on the PATH may be a newer client, without the plugin that it builds with.
    docker = shutil.which("docker", path="/usr/bin") or "docker"
    engine = Engine({**os.environ, "DOCKER_HOST": f"unix://{socket}"}, docker, compose, process)
    until = time.monotonic() + START_SECONDS
    while call([docker, "info"], ANSWER_SECONDS, engine.environment).returncode:
        if process.poll() is not None or time.monotonic() > until:
            raise EngineError(f"the container engine did not start; the end of its log:\n{(FOLDER / 'log').read_text()[-2000:]}")
        time.sleep(0.5)
    return engine


def compose_command() -> tuple[str, ...] | None:
    """The Compose command of this machine; None where there is none."""
    if (docker := shutil.which("docker")) and not call([docker, "compose", "version"], ANSWER_SECONDS).returncode:
        return (docker, "compose")
    built = TOOLS / "compose" / f"docker-compose-{COMPOSE_VERSION}"
    return (str(built),) if built.is_file() else None


def build_compose() -> Path:
    """The Compose command, built from its Go module once. Raises EngineError."""
    place = TOOLS / "compose" / f"docker-compose-{COMPOSE_VERSION}"
    go = shutil.which("go") or "go"
    say("building Docker Compose (once, some minutes)")
    module = json.loads(checked([go, "mod", "download", "-json", f"{COMPOSE_MODULE}@{COMPOSE_VERSION}"], BUILD_SECONDS))
    source = TOOLS / "compose" / "source"
    shutil.rmtree(source, ignore_errors=True)
    # The module's cache is read-only, and its go.mod excludes versions, so that `go install` refuses it.
    shutil.copytree(module["Dir"], source)
    checked(["chmod", "-R", "u+w", source], ANSWER_SECONDS)
    checked([go, "build", "-o", f"{place}.part", "./cmd"], BUILD_SECONDS, folder=source)
    shutil.rmtree(source)
    Path(f"{place}.part").rename(place)
    return place


def provide_images(engine: Engine) -> dict[str, str]:
    """Pull the official images, or build stand-ins; the build arguments that name them. Raises EngineError."""
    for name, image in OFFICIAL.items():
        engine.arguments[name] = image if _has(engine, image) or _is_pulled(engine, image) else _stand_in(engine, name)
    return engine.arguments


def _has(engine: Engine, image: str) -> bool:
    return not call([engine.docker, "image", "inspect", image], ANSWER_SECONDS, engine.environment).returncode


def _is_pulled(engine: Engine, image: str) -> bool:
    return not call([engine.docker, "pull", "--quiet", image], PULL_SECONDS, engine.environment).returncode


def _stand_in(engine: Engine, name: str) -> str:
    image = f"listening-test/{name.lower()}"
    if _has(engine, image):
        return image
    say(f"no registry gives {OFFICIAL[name]}; making a stand-in")
    if name == "BASE":
        _import_base(engine, image)
        return image
    context = FOLDER / "context"
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(STANDINS, context)
    if name == "TRINO":
        _copy_trino(context)
    words = ["build", "--network=host", f"--build-arg=BASE={engine.arguments['BASE']}"]
    # Without the newer builder, whose client is a plugin of its own.
    checked(
        [engine.docker, *words, f"--tag={image}", f"--file={context / f'{name.lower()}.dockerfile'}", context],
        BUILD_SECONDS,
        environment=engine.environment | {"DOCKER_BUILDKIT": "0"},
    )
    shutil.rmtree(context)
    return image


def _import_base(engine: Engine, image: str) -> None:
    from scripts.check_image import CheckError, base_files

    try:
        files = base_files()
    except CheckError as error:
        raise EngineError(str(error)) from error
    with subprocess.Popen(["tar", "-C", str(files), "-c", "."], stdout=subprocess.PIPE) as packed:  # noqa: S603, S607
        imported = subprocess.run(  # noqa: S603
            [engine.docker, "import", "--change", 'CMD ["bash"]', "-", image],
            stdin=packed.stdout,
            capture_output=True,
            text=True,
            env=engine.environment,
            check=False,
        )
    if imported.returncode or packed.returncode:
        raise EngineError(f"the base image could not be made: {imported.stderr}")


def _copy_trino(context: Path) -> None:
    from bi.install import TRINO_HOME, SetupError, install_trino
    from bi.process import StackError
    from bi.trino.java import java_home

    try:
        install_trino(say)
        java = java_home()
    except (SetupError, StackError) as error:
        raise EngineError(str(error)) from error
    shutil.copytree(TRINO_HOME, context / "server", symlinks=True)
    # Links of a packaged JDK lead out of its folder.
    shutil.copytree(java, context / "jdk")


def _running() -> str | None:
    """The client of an engine that answers; None where there is none."""
    docker = shutil.which("docker")
    return docker if docker and not call([docker, "info"], ANSWER_SECONDS).returncode else None


def _limited(memory_bytes: int) -> list[str]:
    """Options by which all containers together have that much memory, where this machine counts it in a hierarchy of its own."""
    if not (MEMORY / "memory.limit_in_bytes").is_file():
        return []
    (MEMORY / GROUP).mkdir(exist_ok=True)
    (MEMORY / GROUP / "memory.limit_in_bytes").write_text(str(memory_bytes))
    return [f"--cgroup-parent=/{GROUP}"]


def _install_packages() -> None:
    apt = shutil.which("apt-get")
    if apt is None or all(map(shutil.which, PROGRAMS)):
        return
    say(f"installing {', '.join(PROGRAMS.values())} (once)")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    call([apt, "update", "-qq"], BUILD_SECONDS, quiet)
    # An engine of its own is started: the package's service is not needed.
    call([apt, "install", "-y", "-qq", "--no-install-recommends", *PROGRAMS.values()], BUILD_SECONDS, quiet)
