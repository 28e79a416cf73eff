"""Real Caffe 1.0 without root, container or compiler: `python -m tools.real_caffe` (or `make caffe`).

Debian 11 (bullseye) is the last Debian that packages Caffe. A private apt fetches that package and everything it
needs, down to the C library, into `.caffe/root`; small wrappers start its programs under its own loader, so the host's
libraries play no part and nothing is installed into the host. About 165 MB come down and 0.5 GB stay.

    .caffe/caffe-python   the Python that has real pycaffe: what $CAFFE_PYTHON names
    .caffe/caffe          the caffe command
    .caffe/run TOOL ...   any other program of that Debian: convert_imageset, compute_image_mean, caffe-gtest ...
    .caffe/setup.json     what was unpacked, with versions

The number of BLAS threads is the caller's: OPENBLAS_NUM_THREADS, or OMP_NUM_THREADS.
The folders in CAFFE_DRIVER_LIBRARIES, where a GPU driver of the host lies, are searched last.
Standard library only: this runs before any environment exists.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import platform
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from layerwise.errors import EngineError, UsageError, exit_code_main

SUITE = "bullseye"
PACKAGES = ("python3-caffe", "caffe", "libopenblas0-pthread", "python3-lmdb")
KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp")
FREE_BYTES_NEEDED = 1_000_000_000  # 165 MB of packages and 0.6 GB unpacked stand side by side for a moment
UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale")

RUN_WRAPPER = """\
#!/bin/sh
# Starts a program of ./root under that root's own loader and libraries: run TOOL [arguments].
here=$(dirname "$(readlink -f "$0")")
root=$here/root
libraries=$root/lib/x86_64-linux-gnu:$root/usr/lib:$root/usr/lib/x86_64-linux-gnu
for extra in openblas-pthread openblas blas lapack hdf5/serial; do
    libraries=$libraries:$root/usr/lib/x86_64-linux-gnu/$extra
done
libraries=$libraries${CAFFE_DRIVER_LIBRARIES:+:$CAFFE_DRIVER_LIBRARIES}
tool=$root/usr/bin/${1-}
[ $# -gt 0 ] && [ -x "$tool" ] || { echo "usage: run TOOL [arguments], TOOL one of $root/usr/bin" >&2; exit 2; }
shift
unset LD_PRELOAD
export PYTHONHOME="$root/usr" PYTHONPATH="$root/usr/lib/python3/dist-packages" PYTHONNOUSERSITE=1
exec "$root/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$libraries" "$tool" "$@"
"""
NAMED_WRAPPER = """\
#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/run" {tool} "$@"
"""

# Runs under Caffe's Python: one SGD step on a net without files must move the weights and give a finite loss.
CHECK_PROGRAM = """\
import json, os, sys
import numpy, lmdb, caffe
folder = sys.argv[1]
net, solver = os.path.join(folder, "net.prototxt"), os.path.join(folder, "solver.prototxt")
shapes = "shape { dim: 4 dim: 3 } shape { dim: 4 dim: 1 }"
with open(net, "w") as out:
    out.write('''
layer { name: "data" type: "DummyData" top: "x" top: "y"
        dummy_data_param { %s data_filler { type: "constant" value: 1 } data_filler { type: "constant" value: 2 } } }
layer { name: "fc" type: "InnerProduct" bottom: "x" top: "fc"
        inner_product_param { num_output: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "fc" bottom: "y" top: "loss" }
''' % shapes)
with open(solver, "w") as out:
    out.write('net: "%s" base_lr: 0.01 lr_policy: "fixed" max_iter: 1 random_seed: 1 solver_mode: CPU' % net)
sgd = caffe.SGDSolver(solver)
before = sgd.net.params["fc"][0].data.copy()
sgd.step(1)
print(json.dumps({"caffe": caffe.__version__, "python": sys.version.split()[0], "numpy": numpy.__version__,
                  "loss": float(sgd.net.blobs["loss"].data),
                  "moved": float(abs(sgd.net.params["fc"][0].data - before).max())}))
"""


def write_wrappers(folder: Path) -> None:
    """Write run, caffe-python and caffe into `folder`, around `folder`/root. They find the root beside themselves."""
    named = {"caffe-python": "python3", "caffe": "caffe"}
    wrappers = {"run": RUN_WRAPPER} | {name: NAMED_WRAPPER.format(tool=tool) for name, tool in named.items()}
    for name, text in wrappers.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


def check(folder: Path) -> dict[str, Any]:
    """Train one step of a three-layer net under `folder`/caffe-python; returns versions, loss and weight change.

    Raises EngineError with the tail of what Caffe said if it cannot.
    """
    with tempfile.TemporaryDirectory() as scratch:
        ended = subprocess.run(
            [str(folder / "caffe-python"), "-c", CHECK_PROGRAM, scratch],
            capture_output=True,
            text=True,
            env=os.environ | {"GLOG_minloglevel": "2"},
        )
    try:
        found = json.loads(ended.stdout.splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise EngineError(
            f"{folder}/caffe-python cannot train a step (to make it anew, remove {folder}):\n{_tail(ended.stderr)}"
        ) from error
    if not (found["moved"] > 0 and abs(found["loss"]) < float("inf")):
        raise EngineError(f"{folder}/caffe-python trains wrongly: {found}")
    return found


def host_mirror() -> str:
    """The Debian mirror that the host's own apt sources name, whichever style they are written in."""
    listed = _apt(["--print-uris", "update"]).stdout
    for base in re.findall(r"^'([^']+?)/dists/[^/']+/InRelease'", listed, re.MULTILINE):
        if base.endswith("/debian") or base.startswith("mirror+"):
            return base
    raise EngineError(
        "this host's apt sources name no Debian mirror (is it not a Debian?): give one with --mirror URL or "
        "CAFFE_APT_MIRROR=URL, the address of a folder that holds dists/ and pool/"
    )


def host_keyring() -> Path:
    """Debian's own keys, with which the packages are verified."""
    for keyring in map(Path, KEYRINGS):
        if keyring.is_file():
            return keyring
    raise EngineError(
        f"Debian's signing keys are not there ({KEYRINGS[0]}): install the package debian-archive-keyring, "
        "or name the file with --keyring"
    )


def install(folder: Path, mirror: str, keyring: Path) -> None:
    """Make `folder` from `mirror`, whole or not at all: it is made and checked beside, and renamed last."""
    free = shutil.disk_usage(folder.parent).free
    if free < FREE_BYTES_NEEDED:
        raise EngineError(f"{folder.parent} has {free / 1e6:.0f} MB free, {FREE_BYTES_NEEDED / 1e6:.0f} MB are needed")
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    root = partial / "root"
    root.mkdir(parents=True)
    try:
        (partial / ".gitignore").write_text("*\n")
        packages = _download(partial / "apt", mirror, keyring)
        for done, package in enumerate(packages, start=1):
            ended = subprocess.run(["dpkg-deb", "--extract", package, root], capture_output=True, text=True)
            if ended.returncode != 0:
                raise EngineError(f"unpacking {package.name} failed (is the disk full?):\n{_tail(ended.stderr)}")
            if done % 50 == 0 or done == len(packages):
                print(f"  unpacked {done} of {len(packages)} packages", flush=True)
        make_harmless_and_small(root)
        write_wrappers(partial)
        versions = dict(package.name.split("_")[:2] for package in packages)
        shutil.rmtree(partial / "apt")
        (partial / "setup.json").write_text(json.dumps({"suite": SUITE, "packages": versions}, indent=2) + "\n")
        check(partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _download(state: Path, mirror: str, keyring: Path) -> list[Path]:
    """Fetch PACKAGES and their whole closure with a private apt that believes that nothing is installed."""
    mirrors = [mirror, re.sub(r"/debian/?$", "/debian-archive/debian", mirror)]
    for base in mirrors:
        print(f"  asking {base} for {SUITE}", flush=True)
        config = _write_apt_config(state, base, keyring)
        asked = _apt(["update"], config)
        if asked.returncode == 0:
            break
        said = asked.stdout + asked.stderr
        if not re.search(r"404|410|does not have a Release file", said):
            raise EngineError(f"{base} cannot be reached or is not to be trusted:\n{_tail(said)}")
    else:
        raise EngineError(f"{mirror} no longer has {SUITE}: give a --mirror that keeps old releases")
    print("  downloading about 165 MB", flush=True)
    got = _apt(["install", "--yes", "--download-only", *PACKAGES], config)
    if got.returncode != 0:
        raise EngineError(f"downloading the packages failed:\n{_tail(got.stdout + got.stderr)}")
    return sorted((state / "cache" / "archives").glob("*.deb"))


def _write_apt_config(state: Path, mirror: str, keyring: Path) -> Path:
    """A private apt in `state`: its own sources and lists; of the host's settings only those about the network."""
    shutil.rmtree(state, ignore_errors=True)
    for name in ("etc/apt/preferences.d", "etc/apt/apt.conf.d", "lists/partial", "cache/archives/partial"):
        (state / name).mkdir(parents=True)
    (state / "status").touch()
    (state / "etc/apt/sources.list").write_text(f"deb [arch=amd64 signed-by={keyring}] {mirror} {SUITE} main\n")
    host_settings = subprocess.run(["apt-config", "dump"], capture_output=True, text=True).stdout
    network = re.findall(r"^Acquire::(?:https?|Retries|Proxy).*$", host_settings, re.MULTILINE)
    settings = {
        "Dir::Etc": state / "etc/apt",
        "Dir::State": state,
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state / "cache",
        "APT::Architecture": "amd64",
        "APT::Architectures": "amd64",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",  # the folder is the caller's; apt's own user could not write to it
        "APT::Update::Error-Mode": "any",
        "Acquire::Languages": "none",
        "Acquire::Check-Valid-Until": "false",  # an archived release is signed for good, but its date has passed
    }
    config = state / "apt.conf"
    config.write_text("\n".join([*network, *(f'{key} "{value}";' for key, value in settings.items())]) + "\n")
    return config


def _apt(arguments: list[str], config: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    if config:
        environment["APT_CONFIG"] = str(config)
    return subprocess.run(["apt-get", *arguments], capture_output=True, text=True, env=environment)


def make_harmless_and_small(root: Path) -> None:
    """Drop manuals and translations, and every set-user-id bit: an unpacked `su` must not be one."""
    for name in UNUSED:
        shutil.rmtree(root / name, ignore_errors=True)
    for path in root.rglob("*"):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
            path.chmod(stat.S_IMODE(mode) & ~(stat.S_ISUID | stat.S_ISGID))


def _tail(text: str, lines: int = 12) -> str:
    return "\n".join("  " + line for line in text.strip().splitlines()[-lines:])


def _require_host() -> None:
    system = f"{platform.system()} {platform.machine()}"
    if system != "Linux x86_64":
        raise EngineError(f"Debian's Caffe is for Linux x86_64, this is {system}: use recaffe (ENGINE=recaffe)")
    missing = [name for name in ("apt-get", "dpkg-deb") if shutil.which(name) is None]
    if missing:
        raise EngineError(
            f"{' and '.join(missing)} not found: on a Linux that is not Debian or Ubuntu install apt and dpkg, "
            "or use the Docker image caffe-cpu"
        )


@contextmanager
def _alone(parent: Path) -> Iterator[None]:
    """Hold a lock on `parent`, so that two calls do not build the same folder."""
    handle = os.open(parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@exit_code_main
def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.real_caffe", description="Real Caffe 1.0, without root.")
    parser.add_argument("--into", type=Path, default=Path(".caffe"), help="folder to make (default: %(default)s)")
    parser.add_argument("--mirror", default=os.environ.get("CAFFE_APT_MIRROR"), help="Debian mirror to take it from")
    parser.add_argument("--keyring", type=Path, help="file of Debian's signing keys")
    parser.add_argument("--wrap", action="store_true", help="write wrappers around an existing --into/root")
    options = parser.parse_args()
    folder: Path = options.into.absolute()
    if not folder.parent.is_dir():
        raise UsageError(f"--into {options.into}: {folder.parent} is not a folder")
    if options.wrap:
        write_wrappers(folder)
    else:
        _require_host()
        with _alone(folder.parent):
            if (folder / "setup.json").is_file():
                print(f"{options.into} is there already, checking it", flush=True)
            else:
                print(f"making {options.into} from Debian 11's packages", flush=True)
                install(folder, options.mirror or host_mirror(), options.keyring or host_keyring())
    found = check(folder)
    print(f"real Caffe {found['caffe']}, Python {found['python']}, numpy {found['numpy']}")
    print(f"trained one step: loss {found['loss']:.6g}, weights moved by {found['moved']:.3g}")
    print(f"export CAFFE_PYTHON={folder / 'caffe-python'}   # where another caller needs it; make finds it by itself")
    print("next: make polyp-finetune-conv4 ENGINE=caffe")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
