"""What the Dockerfile promises, read from the file: there is no container engine everywhere."""

import re

import pytest

from tests.deploy.composefile import DOCKERFILE, ROOT, services

OURS = {service["build"]["target"]: service for service in services().values() if "build" in service}


def stage(name: str) -> str:
    """The lines of a stage."""
    return re.split(r"^FROM ", DOCKERFILE.split(f" AS {name}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def test_the_one_base_image_is_pinned_to_an_exact_version() -> None:
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)
    names = {name for _, name in stages}
    (outer,) = {base for base, _ in stages if base not in names}
    assert re.fullmatch(r"python:3\.12\.\d+-slim-bookworm", outer)


@pytest.mark.parametrize("target", OURS)
def test_each_image_runs_as_the_user_that_compose_names(target: str) -> None:
    assert re.findall(r"^USER (\S+)$", stage(target), re.MULTILINE) == [OURS[target]["user"]]


@pytest.mark.parametrize("target", OURS)
def test_each_image_takes_only_its_own_packages(target: str) -> None:
    copied = re.findall(r"^COPY --from=(\S+) /opt/venv /opt/venv$", stage(target), re.MULTILINE)
    assert copied == [f"{target}-build"]
    assert f"FROM runtime AS {target}\n" in DOCKERFILE


def test_all_that_comes_from_an_index_is_hashed_and_a_wheel() -> None:
    installs = re.findall(r"pip (?:--python \S+ )?(?:install|wheel) .*", DOCKERFILE)
    assert installs
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)
    assert "PIP_ONLY_BINARY=:all:" in stage("build")


def test_no_address_of_a_package_index_is_in_the_file() -> None:
    assert not re.search(r"https?://|index-url|find-links|trusted-host", DOCKERFILE)


def test_no_build_tools_are_left() -> None:
    assert "pip uninstall --yes pip" in stage("runtime")
    assert "venv --without-pip" in stage("build")


def test_the_receivers_requirements_hold_no_mlflow() -> None:
    packages = re.findall(r"^([a-z0-9_.-]+)==", (ROOT / "requirements/receiver.txt").read_text(), re.MULTILINE)
    assert "flask" in packages
    assert not [package for package in packages if package.startswith("mlflow")]


def test_the_workers_requirements_hold_only_mlflows_client() -> None:
    packages = re.findall(r"^([a-z0-9_.-]+)==", (ROOT / "requirements/worker.txt").read_text(), re.MULTILINE)
    assert [package for package in packages if package.startswith("mlflow")] == ["mlflow-skinny"]


def test_nothing_gets_into_the_build_that_is_not_named() -> None:
    first, *others = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in ("#", "")]
    assert first == "*"
    assert not [line for line in others if "secret" in line]
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    assert {source for source in sources if not re.fullmatch(allowed(others), source)} == set()


def allowed(lines: list[str]) -> str:
    names = [re.escape(line[1:].rstrip("/")).replace(r"\*", "[^/]*") for line in lines if line.startswith("!")]
    return "|".join(names)
