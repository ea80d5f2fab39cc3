"""Set-up: the virtual environment from the lock file, and the two Delta jars where Java is there. A second call does nothing.

Runs on any Python 3, so that one that is too old is told so instead of failing on syntax.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
JARS = ROOT / ".jars"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "lock.sha256"
OLDEST, NEWEST = (3, 10), (3, 13)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DELTA = "4.4.0"
WANTED = ("delta-spark_4.2_2.13-{}.jar".format(DELTA), "delta-storage-{}.jar".format(DELTA))
# Delta needs only these two beside Spark's own jars; the rest of its dependencies would start every session slower.
NOT_WANTED = "org.*:*,com.*:*,io.unitycatalog:*,io.netty:*,jakarta.*:*,javax.*:*,net.*:*,commons-*:*,software.*:*,ch.*:*"
FETCH = """
from pyspark.sql import SparkSession
builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
builder = builder.config("spark.jars.packages", "io.delta:delta-spark_4.2_2.13:{version},io.delta:delta-storage:{version}")
builder = builder.config("spark.jars.excludes", "{excludes}").config("spark.jars.ivy", {ivy!r})
builder.getOrCreate().stop()
"""


def say(text):
    """Tell the person at the terminal what goes on."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def stop(text):
    """End with a remedy."""
    sys.stderr.write("error: {}\n".format(text))
    sys.exit(2)


def check_python():
    """Stop unless this Python is one that every pinned package supports."""
    here = sys.version_info[:2]
    if not OLDEST <= here <= NEWEST:
        stop(
            "this is Python {}.{}; the lakehouse needs 3.10 to 3.13. Install one and run `make PYTHON=python3.12 run`.".format(
                *here
            )
        )


def install():
    """Create the virtual environment and install exactly what the lock file pins, verified by hash; whether it had to."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if STAMP.is_file() and STAMP.read_text() == digest:
        return False
    say("set-up: installing packages into .venv (once, about a minute)")
    python = VENV / "bin" / "python"
    if not python.is_file():
        created = subprocess.run([sys.executable, "-m", "venv", str(VENV)])
        if created.returncode:
            stop("the virtual environment could not be created; on Debian and Ubuntu: apt install python3-venv")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", str(LOCK)]
    if subprocess.run(pip).returncode:
        stop("packages could not be installed; is the network there? `make setup` tries again.")
    STAMP.write_text(digest)
    return True


def java_is_there():
    """Whether a Java is on the PATH or named by JAVA_HOME; which version it is, the pipeline judges."""
    home = os.environ.get("JAVA_HOME")
    return bool(shutil.which("java") or (home and pathlib.Path(home, "bin", "java").is_file()))


def fetch_jars(is_first):
    """Fetch the Delta jars through Spark's own resolver, which only --engine spark needs; says what is missing the first time."""
    if all((JARS / name).is_file() for name in WANTED):
        return
    if not java_is_there():
        if is_first:
            say("set-up: no Java found. Only `--engine spark` needs it: for that install Java 17+, then `make setup`.")
        return
    say("set-up: fetching the two Delta jars (once)")
    cache = JARS / "cache"
    code = FETCH.format(version=DELTA, excludes=NOT_WANTED, ivy=str(cache))
    fetched = subprocess.run([str(VENV / "bin" / "python"), "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    found = {name: cache / "jars" / "io.delta_{}".format(name) for name in WANTED}
    if not all(path.is_file() for path in found.values()):
        lines = fetched.stdout.decode("utf-8", "replace").strip().splitlines()
        say("\n".join(lines[-5:]))
        say("set-up: the Delta jars could not be fetched; --engine spark waits for the next `make setup`.")
        return
    for name, path in found.items():
        shutil.copyfile(str(path), str(JARS / name))
    shutil.rmtree(str(cache))


def browser():
    """The path of a Chromium or Chrome on the PATH, or None."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


def install_browser():
    """Install Debian's Chromium where that is possible; else say what to do, and let the tests be skipped."""
    if browser():
        return
    apt = shutil.which("apt-get")
    if apt and os.geteuid() == 0:
        say("set-up: installing Chromium (once)")
        quiet = {"stdout": subprocess.DEVNULL, "env": dict(os.environ, DEBIAN_FRONTEND="noninteractive")}
        subprocess.run([apt, "update", "-qq"], **quiet)
        subprocess.run([apt, "install", "-y", "-qq", "--no-install-recommends", "chromium"], **quiet)
    if not browser():
        say("set-up: no Chromium or Chrome found; install one (Debian, Ubuntu: sudo apt install chromium) to test the report.")


if __name__ == "__main__":
    check_python()
    installed = install()
    if "--browser" in sys.argv[1:]:
        install_browser()
    else:
        fetch_jars(is_first=installed)
