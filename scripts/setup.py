"""Set-up: the virtual environment from the lock file, and the two Delta jars where Java is there. A second call does nothing.

The project itself is installed with them, editable, for the command `lakehouse`. `--bi` installs the BI stack's servers instead
of the jars, `--browser` a browser for tests. `--image` is for the container image: only the packages, from
`requirements-run.lock`, and it fails without the jars.

Runs on any Python 3, so that an old one can name what is needed instead of failing on syntax.
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
RUN_LOCK = ROOT / "requirements-run.lock"
STAMP = VENV / "lock.sha256"
PROJECT_STAMP = VENV / "project.sha256"
# The best first: the one that most tests run on.
PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))
# Wheels only, so that a platform without one is named instead of failing in a compiler; PySpark has none anywhere.
WHEELS = ["--only-binary", ":all:", "--no-binary", "pyspark"]
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
    """Print a line of progress."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def stop(text):
    """End with a remedy."""
    sys.stderr.write("error: {}\n".format(text))
    sys.exit(2)


def use_supported_python():
    """Go on with this Python if the pinned packages support it, else with another of this machine; stop where there is none."""
    here = sys.version_info[:2]
    if here in PYTHONS:
        return
    sys.path.insert(0, str(ROOT))
    import bi.pythons

    other = bi.pythons.find(PYTHONS)
    if other is None:
        stop(
            "this is Python {}.{}; the lakehouse needs 3.11, 3.12, 3.13 or 3.14 with venv, and none was found. Install one"
            " (Debian, Ubuntu: sudo apt install python3 python3-venv; elsewhere: uv python install 3.12, or pyenv), or name one:"
            " make PYTHON=/path/to/python3.12 setup".format(*here)
        )
    say("set-up: using {}, because this is Python {}.{}".format(other, *here))
    os.execv(other, [other, *sys.argv])


def remove_old_environment():
    """Remove a virtual environment that was made with a Python that is no longer supported, or that is gone."""
    python = VENV / "bin" / "python"
    if not python.is_file() and not python.is_symlink():
        return
    code = "import sys; sys.exit(tuple(sys.version_info[:2]) not in {!r})".format(PYTHONS)
    try:
        is_usable = subprocess.run([str(python), "-c", code]).returncode == 0
    except OSError:
        is_usable = False
    if not is_usable:
        say("set-up: recreating .venv, because its Python is missing or not 3.11 to 3.14")
        shutil.rmtree(str(VENV))


def install(lock):
    """Create the virtual environment and install exactly what the lock file pins, verified by hash; whether it had to."""
    remove_old_environment()
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if STAMP.is_file() and STAMP.read_text() == digest:
        return False
    say("set-up: installing packages into .venv (once, about a minute)")
    python = VENV / "bin" / "python"
    if not python.is_file():
        created = subprocess.run([sys.executable, "-m", "venv", str(VENV)])
        if created.returncode:
            stop(
                "the virtual environment could not be created; on Debian and Ubuntu: sudo apt install python{}.{}-venv".format(
                    *sys.version_info[:2]
                )
            )
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *WHEELS]
    if subprocess.run([*pip, "--require-hashes", "-r", str(lock)]).returncode:
        stop(
            "packages could not be installed; pip says why above. If the network is down, run `make setup` again later. A package"
            " that has no wheel for this machine cannot be installed on it."
        )
    # As pip does for packages: where Python may not keep what it compiles, every command would begin with that.
    for package in ROOT.glob("*/__init__.py"):
        subprocess.run([str(python), "-m", "compileall", "-q", str(package.parent)])
    STAMP.write_text(digest)
    return True


def install_project():
    """Install the project itself, editable: the command `lakehouse`, and this folder on the path of the environment."""
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if PROJECT_STAMP.is_file() and PROJECT_STAMP.read_text() == digest:
        return
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # Its dependencies and its build backend are in the lock file.
    if subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)]).returncode:
        stop("the project itself could not be installed; pip says why above")
    PROJECT_STAMP.write_text(digest)


def java_is_there():
    """Whether a Java is on the PATH or named by JAVA_HOME; the pipeline checks its version."""
    home = os.environ.get("JAVA_HOME")
    return bool(shutil.which("java") or (home and pathlib.Path(home, "bin", "java").is_file()))


def jars_are_there():
    """Whether both Delta jars are there."""
    return all((JARS / name).is_file() for name in WANTED)


def fetch_jars(is_first):
    """Fetch the Delta jars through Spark's own resolver, which only --engine spark needs; says what is missing the first time."""
    if jars_are_there():
        return
    if not java_is_there():
        if is_first:
            say("set-up: no Java found. The MLlib models and `--engine spark` need Java 17+: install it, then `make setup`.")
        return
    say("set-up: fetching the two Delta jars (once)")
    cache = JARS / "cache"
    code = FETCH.format(version=DELTA, excludes=NOT_WANTED, ivy=str(cache))
    # Spark asks for this machine's address, and ends where the machine's own name has none.
    local = dict(os.environ, SPARK_LOCAL_IP="127.0.0.1")
    fetching = [str(VENV / "bin" / "python"), "-c", code]
    fetched = subprocess.run(fetching, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=local)
    found = {name: cache / "jars" / "io.delta_{}".format(name) for name in WANTED}
    if not all(path.is_file() for path in found.values()):
        lines = fetched.stdout.decode("utf-8", "replace").strip().splitlines()
        say("\n".join(lines[-5:]))
        say("set-up: the Delta jars could not be fetched; until `make setup` succeeds, nothing runs on Spark.")
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


def install_bi():
    """Install the servers of the BI stack; stops with the remedy for the first that cannot be."""
    sys.path.insert(0, str(ROOT))
    import bi.install

    missing = bi.install.problems()
    if missing:
        stop("these things are missing:\n" + "\n".join("  - " + problem for problem in missing))
    try:
        bi.install.install_trino(say)
        bi.install.install_superset(say)
    except bi.install.SetupError as error:
        stop(str(error))


def make_data_folder():
    """Create the folder of lakehouse and landing, which is the owner's only; root's Postgres user may pass through to its own."""
    data = ROOT / "data"
    if not data.is_dir():
        data.mkdir()
        data.chmod(0o711 if os.geteuid() == 0 else 0o700)


if __name__ == "__main__":
    use_supported_python()
    for_image = "--image" in sys.argv[1:]
    installed = install(RUN_LOCK if for_image else LOCK)
    if not for_image:
        make_data_folder()
        install_project()
    if "--browser" in sys.argv[1:]:
        install_browser()
    elif "--bi" in sys.argv[1:]:
        install_bi()
    else:
        fetch_jars(is_first=installed)
    if for_image and not jars_are_there():
        stop("the image needs the Delta jars, and they could not be fetched. Is the network available?")
