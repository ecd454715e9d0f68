"""The compose file and the Dockerfile: all processes, their order, and no secret in either."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer
import yaml

from tests.architecture.tree import ROOT
from workers.cli import app

TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (ROOT / "infra" / "deploy" / "Dockerfile").read_text(encoding="utf-8")
SERVERS = ("postgres", "redis", "storage", "api")
ONE_SHOTS = ("bucket", "migrate")
WORKING = ("api", "relay", "worker-interactive", "worker", "worker-train", "worker-collect", "beat")
SECRETS = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY", "SECRET_KEY")


def test_the_services_are_those_of_the_house() -> None:
    assert set(SERVICES) == {*SERVERS, *ONE_SHOTS, *WORKING}


@pytest.mark.parametrize("name", SERVERS)
def test_servers_have_a_health_check(name: str) -> None:
    assert {"test", "interval", "timeout", "retries"} <= SERVICES[name]["healthcheck"].keys()


@pytest.mark.parametrize("name", WORKING)
def test_processes_wait_for_what_they_need_and_come_back(name: str) -> None:
    service = SERVICES[name]
    conditions = {needed: entry["condition"] for needed, entry in service["depends_on"].items()}
    healthy = dict.fromkeys(("postgres", "redis", "storage"), "service_healthy")
    assert conditions == healthy | dict.fromkeys(ONE_SHOTS, "service_completed_successfully")
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", [*ONE_SHOTS, *WORKING])
def test_our_processes_can_write_to_memory_and_one_to_a_volume_of_its_own(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    # The image gives the folder to its user, and with it a volume that is new.
    assert service.get("volumes", []) == (["collecting:/var/lib/rayon"] if name == "worker-collect" else [])
    assert "user" not in service
    assert re.findall(r"^USER (\w+)$", DOCKERFILE, re.M)[-1:] == ["rayon"]


def test_the_storage_may_write_to_its_volume_and_nowhere_else() -> None:
    """Its image runs as root; without capabilities, permissions hold for root as well."""
    storage = SERVICES["storage"]
    assert storage["read_only"]
    assert storage["cap_drop"] == ["ALL"]
    assert storage["volumes"] == ["objects:/data"]
    assert storage["command"][-1] == "/data"


@pytest.mark.parametrize("name", [n for n, s in SERVICES.items() if (s.get("command") or [""])[0] == "rayon"])
def test_commands_exist(name: str) -> None:
    _, command, *options = SERVICES[name]["command"]
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    known[command].make_context(command, list(options))


def test_redis_keeps_its_queue_and_evicts_nothing() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert any(volume.endswith(":/data") for volume in SERVICES["redis"]["volumes"])


def test_postgres_18_keeps_its_data_in_the_volume() -> None:
    """Images from 18 on refuse a volume at /var/lib/postgresql/data."""
    assert "pg18" in SERVICES["postgres"]["image"]
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_asked_for_and_never_written_down(name: str) -> None:
    uses = re.findall(r"\$\{?" + name + r"\b[^}]*\}?", TEXT)
    assert uses
    assert all(re.fullmatch(r"\$\{" + name + r":\?[^}]+\}", use) for use in uses)
    assert name not in DOCKERFILE


def test_every_secret_looking_variable_is_one_of_them() -> None:
    literal = []
    for service, entry in SERVICES.items():
        for variable, setting in entry.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|KEY|AUTH", variable) and not re.search(r"\$\{\w+:\?", str(setting)):
                literal.append(f"{service}: {variable}")
    assert literal == []


def test_ports_are_published_to_this_machine_only() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_image_is_built_from_the_lock_with_hashes() -> None:
    assert "--require-hashes -r requirements.lock" in DOCKERFILE
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)) == {"python:3.11-slim-bookworm"}


def test_only_named_files_reach_the_engine() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    copied = set(re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M))
    assert {name for entry in copied for name in entry.split()} == {rule[1:] for rule in rules if rule.startswith("!")}
