"""Source weights: a folder of models/ in Caffe's zoo form, or any .caffemodel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from layerwise.errors import ModelError
from layerwise.files import file_digest
from layerwise.nearest import lookup
from layerwise.nets import NetRecord

MODELS_DIR = Path(__file__).parents[1] / "models"
NO_WEIGHTS = "none"
REQUIRED_KEYS = ("name", "caffemodel", "license", "sha1", "net")


@dataclass(frozen=True)
class ZooModel:
    """A folder of models/: what its readme's front matter says.

    path: where the caffemodel is or belongs. url: None if the file is part of the repository.
    net: the net record (layerwise/nets.py) whose layers the weights fit.
    """

    folder: str
    title: str
    path: Path
    url: str | None
    license: str
    sha1: str
    net: str


@dataclass(frozen=True)
class WeightsRecord:
    """The source weights of a run, as run.json and the report state them. path: of the caffemodel."""

    name: str
    path: str
    sha256: str
    description: str


def read_front_matter(readme: Path) -> dict[str, str]:
    """The `key: value` lines between the two `---` lines that a zoo readme starts with.

    Raises ModelError with file and line if there is no such block or a line has no key.
    """
    lines = readme.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0].strip() != "---" or "---" not in lines[1:]:
        raise ModelError(f"{readme}:1: expected front matter: `key: value` lines between two lines of ---")
    fields = {}
    for number, line in enumerate(lines[1 : lines.index("---", 1)], start=2):
        key, colon, value = line.partition(":")
        if not colon or not key.strip():
            raise ModelError(f"{readme}:{number}: expected `key: value`, found {line!r}")
        fields[key.strip()] = value.strip()
    return fields


def find_zoo_model(name: str, models_dir: Path = MODELS_DIR) -> ZooModel:
    """The model in `models_dir`/<name>/.

    Raises UsageError with the nearest name if there is none, ModelError if its readme's front matter is not whole.
    """
    readmes = {readme.parent.name: readme for readme in sorted(models_dir.glob("*/readme.md"))}
    readme = lookup("weights", name, readmes)
    fields = read_front_matter(readme)
    missing = [key for key in REQUIRED_KEYS if not fields.get(key)]
    if missing:
        raise ModelError(f"{readme}: front matter lacks {', '.join(missing)}; it needs {', '.join(REQUIRED_KEYS)}")
    return ZooModel(
        folder=name,
        title=fields["name"],
        path=readme.parent / fields["caffemodel"],
        url=fields.get("caffemodel_url") or None,
        license=fields["license"],
        sha1=fields["sha1"],
        net=fields["net"],
    )


def how_to_get(model: ZooModel) -> str:
    """The command that brings the file of `model`."""
    return f"`python -m tools.fetch_model {model.folder}`" if model.url else f"`git checkout -- {model.path}`"


def check_sha1(model: ZooModel) -> None:
    """ModelError with both sums if the file of `model` is not the one its readme describes."""
    found = file_digest(model.path, "sha1")
    if found != model.sha1:
        raise ModelError(
            f"{model.path} is not {model.title}: sha1 {found}, expected {model.sha1}. "
            f"It may be truncated; remove it and run {how_to_get(model)}"
        )


def resolve_weights(weights: str, net: NetRecord, models_dir: Path = MODELS_DIR) -> WeightsRecord | None:
    """What WEIGHTS= names: `none` (None is returned), a folder of models/, or the path of a caffemodel.

    A name without `/` and without the ending `.caffemodel` is a folder's. Its file must be there, have the sha1 that
    its readme states, and fit `net`; whether a user's own file fits is for the plan to find (layerwise/plan.py).
    Raises UsageError for an unknown name, ModelError for the rest.
    """
    if weights == NO_WEIGHTS:
        return None
    if "/" in weights or weights.endswith(".caffemodel"):
        path = Path(weights)
        if not path.is_file():
            raise ModelError(f"WEIGHTS={weights}: there is no such file")
        return WeightsRecord(path.stem, str(path), file_digest(path), "a file of the user's")
    model = find_zoo_model(weights, models_dir)
    if model.net != net.name:
        raise ModelError(f"WEIGHTS={weights} fits NET={model.net}, not NET={net.name}: set NET={model.net}")
    if not model.path.is_file():
        raise ModelError(f"WEIGHTS={weights}: {model.path} is not there; run {how_to_get(model)}")
    check_sha1(model)
    return WeightsRecord(model.folder, str(model.path), file_digest(model.path), f"{model.title}, {model.license}")
