"""What docker-compose.yml and Dockerfile promise: safe by default, and every path and command that they name is there.

That both are well-formed is the linters' to say: `make lint-containers`.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from bi.secrets import PASSWORDS, SERVER_SECRETS
from lakehouse.settings import Settings
from music.settings import ListeningSettings
from polling.accounts import AccountSettings
from polling.settings import MetadataSettings, SpotifySettings
from scheduling.scheduler import KILL_SECONDS
from scheduling.settings import SchedulerSettings
from service.settings import ServiceSettings
from service.webhook_settings import WebhookSettings
from upkeep.settings import UpkeepSettings

ROOT = Path(__file__).resolve().parent.parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SERVERS = ("serve", "scheduler", "postgres", "trino", "superset")
STAGES = sorted(path.name for path in (ROOT / "scripts").glob("build_*.py") if "run_stage" in path.read_text())
# Connecting an account needs no client secret.
NOT_PASSED_ON = {"CLIENT_SECRET"}
POLLERS = ("pipeline", "serve", "scheduler")
LANDING = "${LAKEHOUSE_LANDING:-data/landing}"
# Keys of the sources that a person may put into .env; never with a value here.
KEYS = {"LASTFM_API_KEY", "LISTENBRAINZ_TOKEN"}

each_service = pytest.mark.parametrize("name", SERVICES)


def words(service: dict[str, Any]) -> list[str]:
    return [str(word) for key in ("entrypoint", "command") for word in service.get(key) or []]


def instructions(kind: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.removeprefix(f"{kind} ").strip() for line in joined.splitlines() if line.startswith(f"{kind} ")]


def stages() -> dict[str, list[str]]:
    """The instructions of each stage of the Dockerfile."""
    found: dict[str, list[str]] = {}
    for line in DOCKERFILE.replace("\\\n", " ").splitlines():
        if line.startswith("FROM "):
            found[line.split(" AS ")[1]] = []
        elif found and line and not line.startswith("#"):
            list(found.values())[-1].append(line)
    return found


@each_service
def test_a_service_is_no_root_and_can_gain_no_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == "1000:1000"
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service and "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True


@each_service
def test_a_service_has_limits_a_restart_policy_and_a_health_check(name: str) -> None:
    service = SERVICES[name]
    assert {"mem_limit", "pids_limit", "restart", "healthcheck", "logging"} <= set(service)
    # A Docker host refuses a limit of more processors than it has; 0 is none.
    assert service["cpus"] == "${LAKEHOUSE_CPUS:-0}"
    assert service["restart"] == ("unless-stopped" if name in SERVERS else "no")
    assert bool(service["healthcheck"].get("disable")) == (name not in SERVERS)


@each_service
def test_ports_are_open_on_this_machine_only(name: str) -> None:
    assert all(str(port).startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))
    assert "network_mode" not in SERVICES[name]


def test_only_what_people_and_clients_open_has_a_port() -> None:
    assert {name for name, service in SERVICES.items() if service.get("ports")} == {"serve", "trino", "superset"}


def test_each_image_is_built_by_one_service_and_fetched_by_none() -> None:
    builders = Counter(service["image"] for service in SERVICES.values() if "build" in service)
    assert builders == Counter({service["image"] for service in SERVICES.values()})
    assert {service["pull_policy"] for service in SERVICES.values()} == {"never"}
    # What a service waits for brings the image that it needs.
    assert {name for name, one in SERVICES.items() if "build" not in one and not one.get("depends_on")} == {"pipeline"}


def test_the_pages_are_served_under_the_port_that_their_links_name() -> None:
    serve = SERVICES["serve"]
    inside = serve["environment"]["LAKEHOUSE_SERVE_PORT"]
    assert (serve["ports"], inside) == ([f"127.0.0.1:{inside}:{inside}"], "${LAKEHOUSE_SERVE_PORT:-8090}")
    assert "LAKEHOUSE_SERVE_PORT" in str(serve["healthcheck"]["test"])


@each_service
def test_no_secret_is_in_a_declared_environment(name: str) -> None:
    environment = SERVICES[name].get("environment", {})
    secret = {key: value for key, value in environment.items() if re.search("PASSWORD|SECRET|TOKEN|_KEY", key)}
    assert secret == (dict.fromkeys(KEYS) if name in POLLERS else {})
    assert "env_file" not in SERVICES[name]


def secrets_of(name: str) -> set[str]:
    """The secrets that a service asks for: the words of its command from with_secrets.sh to `--`."""
    given = words(SERVICES[name])
    [place] = [place for place, word in enumerate(given) if word.endswith("with_secrets.sh")]
    return set(given[place + 1 : given.index("--")])


def test_services_get_only_secrets_that_are_generated() -> None:
    asking = [name for name, service in SERVICES.items() if any(word.endswith("with_secrets.sh") for word in words(service))]
    assert {"trino", "superset", "superset-init"} <= set(asking)
    assert not set().union(*map(secrets_of, asking)) - {*PASSWORDS, *SERVER_SECRETS, "TRINO_LAKEHOUSE"}


def test_only_what_needs_it_gets_a_secret_of_superset() -> None:
    holders = {name for name, service in SERVICES.items() if "SUPERSET_ADMIN_PASSWORD" in words(service)}
    assert holders == {"superset-init"}


def test_what_services_wait_for_can_become_true() -> None:
    waits = {(name, other): wait for name, service in SERVICES.items() for other, wait in service.get("depends_on", {}).items()}
    ends = {pair: "service_healthy" if pair[1] in SERVERS else "service_completed_successfully" for pair in waits}
    # The pages show how the first build goes.
    ends["serve", "first-run"] = "service_started"
    assert {pair: wait["condition"] for pair, wait in waits.items()} == ends
    assert len(ends) > len(SERVERS)


@each_service
def test_every_path_that_a_service_names_is_in_the_repository(name: str) -> None:
    service = SERVICES[name]
    named = [word for word in words(service) if re.fullmatch(r"[\w/-]+\.(py|sh)", word) and not word.startswith("/")]
    assert not [path for path in named if not (ROOT / path).is_file()]
    if "build" in service:
        assert service["build"]["target"] in stages()


@each_service
def test_no_file_of_the_clone_is_mounted(name: str) -> None:
    # A clone under umask 077 is readable by its owner only, and SELinux lets no container read it.
    mounts = SERVICES[name].get("volumes", [])
    assert not [mount for mount in mounts if isinstance(mount, str) and mount.startswith((".", "/", "~", "$"))]
    assert {m["source"] for m in mounts if not isinstance(m, str) and m["type"] == "bind"} <= {LANDING}


@each_service
def test_volumes_are_declared(name: str) -> None:
    mounts = SERVICES[name].get("volumes", [])
    sources = {m["source"] if isinstance(m, dict) else m.split(":")[0] for m in mounts if not str(m).startswith("./")}
    assert {s for s in sources if not s.startswith(("$", "/"))} <= set(COMPOSE["volumes"])


def test_the_landing_folder_can_only_be_read() -> None:
    mounts = [(name, mount) for name, service in SERVICES.items() for mount in service.get("volumes", [])]
    of_landing = {name: mount["read_only"] for name, mount in mounts if "/landing" in str(mount)}
    assert of_landing
    assert set(of_landing.values()) == {True}


def test_docker_makes_no_landing_folder_and_labels_the_one_that_is_there() -> None:
    binds = [mount["bind"] for one in SERVICES.values() for mount in one.get("volumes", []) if "/landing" in str(mount)]
    # SELinux lets containers read only what is labelled; a folder that Docker made would be root's.
    assert binds and all(bind == {"create_host_path": False, "selinux": "z"} for bind in binds)
    command = ["git", "check-ignore", "--no-index", "data/landing/.gitkeep"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode, "a clone lacks the landing folder"


@pytest.mark.parametrize("name", POLLERS)
@pytest.mark.parametrize("kind", [AccountSettings, MetadataSettings, SpotifySettings, SchedulerSettings, UpkeepSettings])
def test_every_setting_reaches_what_builds_and_polls(name: str, kind: type[Settings]) -> None:
    wanted = {str(f.validation_alias or f"LAKEHOUSE_{field.upper()}") for field, f in kind.model_fields.items()}
    assert wanted - set(SERVICES[name]["environment"]) == NOT_PASSED_ON & wanted


def test_every_setting_of_the_pages_reaches_them() -> None:
    fields = {*ServiceSettings.model_fields, *WebhookSettings.model_fields} - set(ListeningSettings.model_fields)
    assert {f"LAKEHOUSE_{name.upper()}" for name in fields} <= set(SERVICES["serve"]["environment"])


def mounted(name: str) -> dict[str, str]:
    """The volumes of a service, with where it sees them."""
    return dict(mount.split(":")[:2] for mount in SERVICES[name]["volumes"] if isinstance(mount, str))


def test_what_is_polled_and_tokens_are_on_volumes_of_their_own() -> None:
    for name in POLLERS:
        places = {key: SERVICES[name]["environment"][key] for key in ("LAKEHOUSE_INBOX", "LAKEHOUSE_STATE_DIR")}
        assert places == {"LAKEHOUSE_INBOX": mounted(name)["inbox"], "LAKEHOUSE_STATE_DIR": mounted(name)["state"]}
        assert len({*mounted(name)}) == len({*mounted(name).values()})
    # Every run reads the inbox, and only what connects and polls sees the tokens.
    assert {name for name, service in SERVICES.items() if "LAKEHOUSE_DIR" in service.get("environment", {})} == {
        name for name, service in SERVICES.items() if any(str(mount).startswith("inbox:") for mount in service.get("volumes", []))
    }
    holders = {name for name, service in SERVICES.items() if any("state:" in str(mount) for mount in service.get("volumes", []))}
    assert holders == set(POLLERS)


def test_the_user_of_the_image_owns_what_a_new_volume_takes_over() -> None:
    [made] = [line for line in stages()["pipeline"] if line.startswith("RUN install -d -o lakehouse")]
    assert {place for place in mounted("scheduler").values() if place != "/landing"} <= set(
        made.split("&&", maxsplit=1)[0].split()
    )


def test_the_scheduler_has_time_to_end_what_runs() -> None:
    assert int(SERVICES["scheduler"]["stop_grace_period"].removesuffix("s")) > KILL_SECONDS + 5


def test_superset_is_served_as_it_is_without_containers() -> None:
    from bi.superset.server import SERVE

    assert shlex.join(SERVE) in re.sub(r"\s+\\?\s*", " ", (ROOT / "docker" / "superset.sh").read_text())


@pytest.mark.parametrize("target", ["pipeline", "superset"])
def test_an_image_is_no_root_and_tells_how_it_is(target: str) -> None:
    lines = stages()[target]
    assert "USER 1000:1000" in lines
    assert any(line.startswith("HEALTHCHECK ") for line in lines)
    assert not [line for line in lines if re.search("PASSWORD|SECRET|TOKEN", line)]


def test_what_the_dockerfile_copies_and_runs_is_in_the_repository() -> None:
    parts = [line.split()[:-1] for line in instructions("COPY") if "--from" not in line]
    copied = [part for words_of_line in parts for part in words_of_line if not part.startswith("--")]
    assert not [path for path in copied if not (ROOT / path).exists()]
    run = [json for kind in ("CMD", "ENTRYPOINT") for json in instructions(kind) if json.startswith("[")]
    named = [word for line in run for word in re.findall(r'"([\w/-]+\.(?:py|sh))"', line)]
    assert named and not [path for path in named if not (ROOT / path).is_file()]


def test_the_image_has_the_installed_command() -> None:
    [installed] = [line for line in stages()["pipeline"] if "--editable ." in line]
    assert "--no-deps --no-build-isolation" in installed
    let_in = (ROOT / ".dockerignore").read_text().splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    # What the package's metadata is made of.
    read = {"pyproject.toml", project["readme"], *project["license-files"]}
    assert {Path(name).parts[0] for name in read} <= {line.removeprefix("!") for line in let_in if line.startswith("!")}
    assert re.search(r"^flit-core==", (ROOT / "requirements-run.lock").read_text(), re.MULTILINE)


def test_the_build_sees_what_the_image_needs_and_no_secret() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "**"
    let_in = [line.removeprefix("!") for line in rules if line.startswith("!")]
    assert not [path for path in let_in if not (ROOT / path).exists()]
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert packages | {"scripts", "docker", "trino", "superset"} <= set(let_in)
    assert {"**/.env*", "**/*.env", "**/*.pem"} <= set(rules)


def test_the_image_has_the_tested_versions_and_no_tool_of_development() -> None:
    def pinned(name: str) -> dict[str, str]:
        text = (ROOT / name).read_text().replace("\\\n", " ")
        found = [line.split("#")[0] for line in text.splitlines() if line and not line.startswith(("#", " "))]
        return {re.sub(r"\s+", " ", line).strip(): line.split("==")[0] for line in found}

    run, everything = pinned("requirements-run.lock"), pinned("requirements.lock")
    assert set(run) <= set(everything), "make requirements-run.lock anew; its first lines say how"
    assert not {"pytest", "ruff", "mypy", "playwright", "hypothesis"} & set(run.values())


def test_stage_scripts_are_in_the_image() -> None:
    assert len(STAGES) == 6 and "!scripts" in (ROOT / ".dockerignore").read_text().splitlines()
