"""The examples for three nodes: their configuration is one that we take, and fits what is around it."""

import re
from pathlib import Path
from typing import Any

import yaml

from postroad.runtime.config import Config, load_config
from postroad.runtime.config.content import ContentPlace

EXAMPLES = Path(__file__).resolve().parents[3] / "docs/howto/three-machines"
SERVICES = ("mx", "submission", "submissions", "pop3s")


def loaded(tmp_path: Path, environment: dict[str, str]) -> Config:
    """The example's configuration with the environment of a node; secrets are in files here."""
    given = {}
    for name, value in environment.items():
        if name.endswith("_FILE"):
            file = tmp_path / name
            file.write_text("postgresql://postroad:secret@database/postroad\n")
            given[name] = str(file)
        else:
            given[name] = value
    return load_config(EXAMPLES / "postroad.toml", given)


def ports(config: Config) -> dict[str, int]:
    """Which port each service listens on, by what the file says."""
    text = (EXAMPLES / "postroad.toml").read_text()
    found = {
        name: int(port) for name, port in re.findall(r'^(\w+) = \["0\.0\.0\.0:(\d+)"\]', text, re.M)
    }
    assert tuple(found) == SERVICES
    assert all(len(getattr(config.listen, name)) == 1 for name in found)
    return found


def check(config: Config) -> None:
    assert config.storage.url == "postgresql://postroad:secret@database/postroad"
    assert config.content.place is ContentPlace.S3
    assert config.content.secret_access_key
    assert config.server.data_dir == Path("/var/lib/postroad")


def test_compose(tmp_path: Path) -> None:
    compose: dict[str, Any] = yaml.safe_load((EXAMPLES / "compose.yaml").read_text())
    nodes = {name: each for name, each in compose["services"].items() if name.startswith("node")}
    assert len(nodes) == 3
    published: list[str] = []
    volumes: list[str] = []
    for node in nodes.values():
        config = loaded(tmp_path, node["environment"])
        check(config)
        inside = {int(each.split(":")[1]) for each in node["ports"]}
        assert inside == set(ports(config).values())
        published += [each.split(":")[0] for each in node["ports"]]
        mounts = dict(reversed(each.split(":")[:2]) for each in node["volumes"])
        assert mounts["/etc/postroad/postroad.toml"] == "./postroad.toml"
        assert config.certificate_files is not None
        assert {each.parent for each in config.certificate_files} == {Path("/etc/postroad/tls")}
        assert mounts["/etc/postroad/tls"]
        volumes.append(mounts[str(config.server.data_dir)])
        files = {v for k, v in node["environment"].items() if k.endswith("_FILE")}
        assert files == {f"/run/secrets/{each}" for each in node["secrets"]}
        assert set(node["secrets"]) <= compose["secrets"].keys()
        assert set(node["depends_on"]) <= compose["services"].keys()
    assert len(set(published)) == len(published), "on one machine"
    assert len(set(volumes)) == 3, "each has a data directory of its own"
    assert set(volumes) <= compose["volumes"].keys()


def test_kubernetes(tmp_path: Path) -> None:
    nodes, service = yaml.safe_load_all((EXAMPLES / "kubernetes.yaml").read_text())
    spec = nodes["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    config = loaded(tmp_path, {each["name"]: each["value"] for each in container["env"]})
    check(config)
    assert {each["name"]: each["containerPort"] for each in container["ports"]} == ports(config)
    assert {each["targetPort"]: each["port"] for each in service["spec"]["ports"]} == ports(config)
    assert service["spec"]["selector"] == nodes["spec"]["template"]["metadata"]["labels"]
    assert nodes["spec"]["selector"]["matchLabels"] == service["spec"]["selector"]
    assert container["readinessProbe"]["tcpSocket"]["port"] in SERVICES
    there = {each["name"] for each in spec["volumes"]}
    there |= {each["metadata"]["name"] for each in nodes["spec"]["volumeClaimTemplates"]}
    mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    assert set(mounts.values()) == there
    assert mounts[str(config.server.data_dir)] == "data"
    for each in container["env"]:
        if each["name"].endswith("_FILE"):
            assert str(Path(each["value"]).parent) in mounts
    assert nodes["spec"]["replicas"] == 3


def test_the_image_runs_what_the_examples_configure() -> None:
    text = (EXAMPLES / "Dockerfile").read_text()
    assert '"serve", "--config", "/etc/postroad/postroad.toml"' in text
    assert "postroad[postgres,s3]" in text
    page = (EXAMPLES.parent / "from-one-machine-to-three.md").read_text()
    for name in re.findall(r"\]\((three-machines/[\w.]+|[\w-]+\.md)\)", page):
        assert (EXAMPLES.parent / name).exists(), name
