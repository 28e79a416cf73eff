"""Real Caffe's set-up: where it looks for Debian, what it says when it cannot, and that what it made really trains."""

from __future__ import annotations

import platform
import shutil
import stat
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from layerwise.errors import EngineError
from tools import real_caffe

CAFFE = Path(__file__).resolve().parents[1] / ".caffe"

needs_apt = pytest.mark.skipif(
    not (shutil.which("apt-get") and shutil.which("dpkg-deb")), reason="this host has no apt-get and dpkg-deb"
)
needs_caffe = pytest.mark.skipif(not (CAFFE / "setup.json").is_file(), reason="no .caffe: run `make caffe`")

ONE_LINE = """\
# deb http://commented.example/debian bookworm main
deb [arch=amd64] http://security.example/debian-security bookworm-security main
deb-src http://source.example/debian bookworm main
deb [arch=amd64 signed-by=/keys] http://mirror.example/debian bookworm main contrib
"""
DEB822 = """\
Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main
"""


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An apt configuration of its own, without any source; returns its folder etc/apt."""
    etc = tmp_path / "etc"
    (etc / "sources.list.d").mkdir(parents=True)
    config = tmp_path / "apt.conf"
    config.write_text(f'Dir::Etc "{etc}";\nDir::State::lists "{tmp_path}/lists";\nAPT::Architecture "amd64";\n')
    monkeypatch.setenv("APT_CONFIG", str(config))
    return etc


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["real_caffe", *arguments])
    return real_caffe.main()


@needs_apt
@pytest.mark.parametrize(("name", "text"), [("debian.list", ONE_LINE), ("debian.sources", DEB822)])
def test_the_mirror_is_the_hosts_own_in_either_style(sources: Path, name: str, text: str) -> None:
    (sources / "sources.list.d" / name).write_text(text)
    assert real_caffe.host_mirror() == "http://mirror.example/debian"


@needs_apt
def test_a_host_that_is_not_debian_is_told_to_name_a_mirror(sources: Path) -> None:
    (sources / "sources.list").write_text("deb http://mirror.example/ubuntu jammy main\n")
    with pytest.raises(EngineError, match="CAFFE_APT_MIRROR"):
        real_caffe.host_mirror()


def test_another_machine_than_linux_x86_64_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert run_main(monkeypatch, "--into", str(tmp_path / "caffe")) == 1
    assert "arm64: use recaffe" in capsys.readouterr().err


def test_a_host_without_apt_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run_main(monkeypatch, "--into", str(tmp_path / "caffe")) == 1
    assert "apt-get and dpkg-deb not found" in capsys.readouterr().err


def test_a_full_disk_is_noticed_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 9 * 10**8, 10**8))
    with pytest.raises(EngineError, match="100 MB free, 1000 MB are needed"):
        real_caffe.install(tmp_path / "caffe", "http://mirror.example/debian", tmp_path / "keys")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def empty_mirror() -> Iterator[tuple[str, list[str]]]:
    """A web server that has nothing; yields its address and the paths it was asked for."""
    asked: list[str] = []

    class Nothing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own signature
            pass

    with HTTPServer(("127.0.0.1", 0), Nothing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/debian", asked
        server.shutdown()
        thread.join()


@needs_apt
def test_a_mirror_without_bullseye_is_asked_for_its_archive_then_named(
    empty_mirror: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address, asked = empty_mirror
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(EngineError, match="no longer has bullseye"):
        real_caffe.install(tmp_path / "caffe", address, tmp_path / "keys")
    assert [path for path in asked if path.endswith("/InRelease")] == [
        "/debian/dists/bullseye/InRelease",
        "/debian-archive/debian/dists/bullseye/InRelease",
    ]
    assert list(tmp_path.iterdir()) == []


@needs_apt
def test_a_mirror_that_does_not_answer_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(EngineError, match="cannot be reached"):
        real_caffe.install(tmp_path / "caffe", "http://127.0.0.1:9/debian", tmp_path / "keys")
    assert list(tmp_path.iterdir()) == []


def test_unpacked_programs_lose_their_set_user_id_bit(tmp_path: Path) -> None:
    su = tmp_path / "bin" / "su"
    su.parent.mkdir()
    su.touch()
    su.chmod(0o4755)
    (tmp_path / "usr/share/doc/su").mkdir(parents=True)
    real_caffe.make_harmless_and_small(tmp_path)
    assert stat.S_IMODE(su.stat().st_mode) == 0o755
    assert not (tmp_path / "usr/share/doc").exists()


def test_a_broken_caffe_says_how_to_make_it_anew(tmp_path: Path) -> None:
    real_caffe.write_wrappers(tmp_path)
    with pytest.raises(EngineError, match=rf"remove {tmp_path}"):
        real_caffe.check(tmp_path)


@pytest.mark.caffe
@needs_caffe
def test_caffes_python_trains_a_step_and_holds_real_caffe() -> None:
    found = real_caffe.check(CAFFE)
    assert found["caffe"] == "1.0.0"
    assert found["moved"] > 0


@pytest.mark.caffe
@needs_caffe
def test_the_folder_may_be_reached_by_another_name(tmp_path: Path) -> None:
    (tmp_path / "a name").symlink_to(CAFFE)
    ended = subprocess.run([tmp_path / "a name" / "caffe", "--version"], capture_output=True, text=True)
    assert ended.stdout.strip() == "caffe version 1.0.0"


@pytest.mark.caffe
@needs_caffe
def test_a_second_call_verifies_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (CAFFE / "setup.json").stat().st_mtime_ns
    assert run_main(monkeypatch, "--into", str(CAFFE)) == 0
    assert (CAFFE / "setup.json").stat().st_mtime_ns == before
    said = capsys.readouterr().out
    assert "is there already" in said
    assert "ENGINE=caffe" in said


@pytest.mark.caffe
@needs_caffe
def test_an_unknown_tool_is_a_usage_error() -> None:
    ended = subprocess.run([CAFFE / "run", "no_such_tool"], capture_output=True, text=True)
    assert ended.returncode == 2
    assert "usage: run TOOL" in ended.stderr
