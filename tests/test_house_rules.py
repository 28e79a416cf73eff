"""How the house is built: who may import whom, what files may be called, and what no file may contain."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("layerwise", "prototxt", "tools", "data_prep", "handcrafted", "eval")
LONGEST_FILE = 300

# Arrows point one way. What a package may import of ours beside itself; a name stands for all below it.
ARROWS = {
    "recaffe": (),
    "layerwise": ("recaffe.proto",),
    "prototxt": ("layerwise", "recaffe.proto", "recaffe.net_spec", "recaffe.net_graph"),
    "data_prep": ("layerwise", "recaffe.proto"),
    "handcrafted": ("data_prep", "layerwise", "recaffe.proto"),
    "eval": ("layerwise", "recaffe.proto"),
    "tools": ("data_prep", "handcrafted", "prototxt", "eval", "layerwise", "recaffe.proto", "recaffe.net_spec"),
}
# The engine boundary: the one place where the toolkit meets an engine.
MAY_ALSO_IMPORT = {"layerwise.engine": ("recaffe", "torch")}
TORCH_FREE = ("data_prep", "handcrafted", "eval", "prototxt")
ENGINES = ("torch", "caffe", "recaffe.net", "recaffe.solver", "layerwise.engine")

# Registries and mirrors, in pieces: this file keeps the rule too.
REGISTRIES = [
    r"\.".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("download", "pytorch", "org"),
        ("npmjs", "(?:org|com)"),
        ("debian", "org"),
        ("ubuntu", "com"),
        ("docker", "(?:io|com)"),
        ("anaconda", "(?:org|com)"),
        ("ghcr", "io"),
        ("quay", "io"),
    )
]
MACHINE_PATH = re.compile(r"(?<![\w.$})])/(?:root|work|home/\w+|Users/\w+)/")


def module_name(path: Path, root: Path = ROOT) -> str:
    """The dotted name under which `path` is imported; recaffe lies one folder deeper than its name says."""
    parts = list(path.relative_to(root).with_suffix("").parts)
    if parts[:2] == ["recaffe", "recaffe"]:
        parts = parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> dict[str, Path]:
    """Every module of ours by its dotted name, tests left out."""
    roots = [ROOT / package for package in PACKAGES] + [ROOT / "recaffe" / "recaffe"]
    return {module_name(path): path for root in roots for path in sorted(root.rglob("*.py"))}


def imports(source: str, module: str, is_package: bool = False, only_at_import: bool = False) -> set[str]:
    """The dotted names that `source` imports; `from a import b` gives a.b, relative ones are made absolute.

    only_at_import: leave out what stands inside functions and under `if TYPE_CHECKING`.
    """
    found = set()
    for node in _statements(ast.parse(source), only_at_import):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.split(".") if is_package else module.split(".")[:-1]
                above = package[: len(package) - node.level + 1]
                base = ".".join([*above, base]) if base else ".".join(above)
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def _statements(node: ast.AST, only_at_import: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if only_at_import:
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                continue
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
        yield child
        yield from _statements(child, only_at_import)


def is_under(name: str, names: Iterable[str]) -> bool:
    return any(name == other or name.startswith(other + ".") for other in names)


def wrong_arrows(module: str, imported: set[str]) -> list[str]:
    """Those of `imported` that are ours and that `module` may not import."""
    package = module.split(".")[0]
    allowed = (package, *ARROWS[package], *MAY_ALSO_IMPORT.get(module, ()))
    return sorted(name for name in imported if is_under(name, ARROWS) and not is_under(name, allowed))


def module_imports(module: str, path: Path, only_at_import: bool = False) -> set[str]:
    return imports(path.read_text(encoding="utf-8"), module, path.name == "__init__.py", only_at_import)


def reached_from(module: str, known: dict[str, Path]) -> dict[str, str]:
    """Everything that importing `module` imports, each with the module of ours that asked for it."""
    reached: dict[str, str] = {}
    waiting = [module]
    while waiting:
        current = waiting.pop()
        for imported in module_imports(current, known[current], only_at_import=True):
            steps = imported.split(".")
            for name in (".".join(steps[: n + 1]) for n in range(len(steps))):  # importing a.b runs a first
                if name not in reached:
                    reached[name] = current
                    waiting += [name] if name in known else []
    return reached


def tracked_files() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for path in (ROOT / name for name in listed.split("\0") if name) if path.is_file()]


def tracked_text() -> Iterator[tuple[Path, int, str]]:
    """Every line of every tracked text file, with its file and number."""
    for path in tracked_files():
        data = path.read_bytes()
        if b"\0" in data[:8192]:
            continue
        for number, line in enumerate(data.decode("utf-8").splitlines(), start=1):
            yield path.relative_to(ROOT), number, line


def test_arrows_point_one_way() -> None:
    wrong = {module: wrong_arrows(module, module_imports(module, path)) for module, path in modules().items()}
    assert {module: names for module, names in wrong.items() if names} == {}


def test_a_wrong_arrow_would_be_seen() -> None:
    late = "def f():\n    from tools import train"
    assert wrong_arrows("eval.roc", imports(late, "eval.roc")) == ["tools.train"]
    assert wrong_arrows("recaffe.net", imports("import layerwise.nets", "recaffe.net")) == ["layerwise.nets"]
    assert wrong_arrows("data_prep.polyp", imports("from recaffe import net", "data_prep.polyp")) == ["recaffe.net"]
    assert imports("from ..x import y", "recaffe.layers.pooling") == {"recaffe.x.y"}


@pytest.mark.parametrize("package", TORCH_FREE)
def test_importing_a_torch_free_package_reaches_no_engine(package: str) -> None:
    known = modules()
    for module in [name for name in known if is_under(name, [package])]:
        reached = reached_from(module, known)
        assert {name: by for name, by in reached.items() if is_under(name, ENGINES)} == {}, module


@pytest.mark.parametrize("package", TORCH_FREE)
def test_a_torch_free_package_imports_no_engine_even_later(package: str) -> None:
    for module, path in modules().items():
        if is_under(module, [package]):
            assert [name for name in module_imports(module, path) if is_under(name, ENGINES)] == [], module


def test_torch_is_recaffes_affair() -> None:
    users = {module for module, path in modules().items() if "torch" in _tops(module_imports(module, path))}
    assert {module for module in users if not is_under(module, ["recaffe"])} <= {"layerwise.engine"}


def test_the_worker_imports_only_the_standard_library_numpy_and_caffe() -> None:
    path = ROOT / "layerwise" / "pycaffe_worker.py"
    foreign = _tops(module_imports("layerwise.pycaffe_worker", path)) - sys.stdlib_module_names
    assert foreign <= {"numpy", "caffe"}


def test_only_the_worker_imports_caffe() -> None:
    users = {module for module, path in modules().items() if "caffe" in _tops(module_imports(module, path))}
    assert users <= {"layerwise.pycaffe_worker"}


def test_no_file_is_named_like_a_module_that_it_needs() -> None:
    known = modules()
    packages_needed = {"caffe"}
    for module, path in known.items():
        needed = _tops(module_imports(module, path))
        packages_needed |= needed - sys.stdlib_module_names - set(ARROWS)
        assert path.stem not in needed - set(ARROWS), f"{path} shadows what it imports"
    assert {str(path) for path in known.values() if path.stem in packages_needed} == set()


def test_no_python_file_is_longer_than_can_be_read() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in tracked_files()
        if path.suffix == ".py"
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_no_file_names_a_registry() -> None:
    registry = re.compile("|".join(REGISTRIES))
    assert [f"{path}:{number}: {line}" for path, number, line in tracked_text() if registry.search(line)] == []


def test_no_file_names_a_path_of_someones_machine() -> None:
    assert [f"{path}:{number}: {line}" for path, number, line in tracked_text() if MACHINE_PATH.search(line)] == []


def test_what_is_made_is_not_tracked() -> None:
    made = ("runs/", "data/", ".venv/", ".caffe/")
    assert [path for path in tracked_files() if str(path.relative_to(ROOT)).startswith(made)] == []


def _tops(names: Iterable[str]) -> set[str]:
    return {name.split(".")[0] for name in names}
