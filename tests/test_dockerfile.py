"""The Dockerfile's promises that can be read from its text: targets, pins, an ordinary user, two interpreters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.real_caffe import PACKAGES

ROOT = Path(__file__).resolve().parents[1]
TARGETS = ("caffe-cpu", "caffe-gpu", "recaffe")


@dataclass(frozen=True)
class Stage:
    """One FROM and its instructions, continued lines joined."""

    base: str
    instructions: tuple[str, ...]

    def of(self, keyword: str) -> list[str]:
        return [line.removeprefix(keyword + " ") for line in self.instructions if line.startswith(keyword + " ")]


def read_stages() -> dict[str, Stage]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [" ".join(line.split()) for line in re.sub(r"\\\n", " ", text).splitlines() if line.strip()]
    stages: dict[str, Stage] = {}
    name = ""
    for line in lines:
        if line.startswith("FROM "):
            _, base, _, name = line.split()  # FROM base AS name
            stages[name] = Stage(base, ())
        else:
            stages[name] = Stage(stages[name].base, (*stages[name].instructions, line))
    return stages


STAGES = read_stages()


def lineage(name: str) -> list[Stage]:
    """The stage and those that it is built on, up to a foreign image."""
    stage = STAGES[name]
    return [stage] + (lineage(stage.base) if stage.base in STAGES else [])


def copied_from(name: str) -> set[str]:
    return {
        source for stage in lineage(name) for line in stage.of("COPY") for source in re.findall(r"--from=(\S+)", line)
    }


def test_every_target_of_make_is_there() -> None:
    images = re.search(r"^IMAGES := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert images
    assert set(images[1].split()) == set(TARGETS)
    assert set(TARGETS) <= set(STAGES)


def test_base_images_are_pinned() -> None:
    foreign = {stage.base for stage in STAGES.values()} - set(STAGES)
    assert foreign
    assert [base for base in foreign if not re.fullmatch(r"[a-z]+:\d+\.\d+(-slim)?", base)] == []


def test_installed_packages_are_pinned() -> None:
    unpinned = []
    for stage in STAGES.values():
        for line in stage.of("RUN"):
            for names in re.findall(r"apt-get install --yes --no-install-recommends (.*?)(?: &&|$)", line):
                unpinned += [name for name in names.split() if "=" not in name]
            assert line.count("apt-get install") == line.count("rm -rf /var/lib/apt/lists/*")
    assert unpinned == []


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_runs_as_an_ordinary_user_in_the_workspace(target: str) -> None:
    assert STAGES[target].instructions[-1] == "USER 1000"
    assert "WORKDIR /workspace" in [line for stage in lineage(target) for line in stage.instructions]


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_has_its_environment_made_with_a_stamp_newer_than_the_locks(target: str) -> None:
    assert any(line.startswith("touch /opt/venv/.setup-stamp") for line in STAGES[target].of("RUN"))
    assert any("VENV=/opt/venv" in line for stage in lineage(target) for line in stage.of("ENV"))


@pytest.mark.parametrize("target", ["caffe-cpu", "caffe-gpu"])
def test_a_caffe_image_names_caffes_own_python_and_trains_a_step_when_built(target: str) -> None:
    stage = STAGES[target]
    assert any("CAFFE_PYTHON=/opt/caffe/caffe-python" in line for line in stage.of("ENV"))
    assert any("tools.real_caffe --wrap --into /opt/caffe" in line for line in stage.of("RUN"))


def test_only_the_recaffe_image_carries_torch() -> None:
    assert "packages-and-torch" in copied_from("recaffe")
    assert "packages-and-torch" not in copied_from("caffe-cpu") | copied_from("caffe-gpu")
    assert any("grep -v '^torch=='" in line for line in STAGES["packages"].of("RUN"))


def test_the_cpu_image_and_make_caffe_take_the_same_packages() -> None:
    installed = re.findall(r"(\S+)=\S+", STAGES["debian-caffe"].of("RUN")[0])
    assert set(installed) == set(PACKAGES)


def test_what_a_checkout_holds_besides_the_sources_stays_out_of_the_images() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {".git", ".venv", ".caffe*", "runs", "data"} <= set(ignored)
