"""Source weights: fetching them from a server of our own, and finding what WEIGHTS= names."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import tools.fetch_model
from layerwise.errors import ModelError, UsageError
from layerwise.nets import NETS
from layerwise.weights import MODELS_DIR, find_zoo_model, resolve_weights
from tools.fetch_model import fetch

CONTENT = bytes(range(256)) * 4000  # 1 MB
SHA1 = hashlib.sha1(CONTENT).hexdigest()


class Server:
    """Serves CONTENT under every path but /missing; `requests` are the Range headers it was asked with."""

    def __init__(self) -> None:
        self.requests: list[str | None] = []
        self.can_continue = True
        self.cut_after: int | None = None
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                span = self.headers["Range"]
                server.requests.append(span)
                if self.path == "/missing":
                    self.send_error(404)
                    return
                start = int(span.removeprefix("bytes=").removesuffix("-")) if span and server.can_continue else 0
                if start >= len(CONTENT):
                    self.send_error(416)
                    return
                body = CONTENT[start:]
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: server.cut_after])

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = Server()
    yield running
    running.close()


def make_model(folder: Path, url: str | None, sha1: str = SHA1, net: str = "alexnet"):
    """A folder <folder>/tiny in zoo form; the model it describes."""
    lines = ["name: Tiny", "caffemodel: tiny.caffemodel", "license: unrestricted", f"sha1: {sha1}", f"net: {net}"]
    if url:
        lines.append(f"caffemodel_url: {url}")
    (folder / "tiny").mkdir(parents=True)
    (folder / "tiny" / "readme.md").write_text("\n".join(["---", *lines, "---", "", "About: nothing.", ""]))
    return find_zoo_model("tiny", folder)


def partial_of(model) -> Path:
    return model.path.with_name("tiny.partial.caffemodel")


def names(model) -> set[str]:
    return {path.name for path in model.path.parent.iterdir()}


def test_file_arrives_whole_and_is_fetched_once(server, tmp_path):
    model = make_model(tmp_path, f"{server.url}/tiny")
    assert fetch(model)
    assert model.path.read_bytes() == CONTENT
    assert not fetch(model)
    assert len(server.requests) == 1
    assert names(model) == {"readme.md", "tiny.caffemodel"}


def test_broken_download_is_continued(server, tmp_path):
    model = make_model(tmp_path, f"{server.url}/tiny")
    server.cut_after = 300_000
    with pytest.raises(ModelError, match=rf"ended at 300000 of {len(CONTENT)} bytes"):
        fetch(model)
    assert names(model) == {"readme.md", "tiny.partial.caffemodel"}
    server.cut_after = None
    assert fetch(model)
    assert server.requests == [None, "bytes=300000-"]
    assert model.path.read_bytes() == CONTENT


def test_server_that_cannot_continue_sends_it_all_again(server, tmp_path):
    model = make_model(tmp_path, f"{server.url}/tiny")
    partial_of(model).write_bytes(CONTENT[:1000])
    server.can_continue = False
    assert fetch(model)
    assert model.path.read_bytes() == CONTENT


def test_partial_file_that_was_complete_is_taken(server, tmp_path):
    model = make_model(tmp_path, f"{server.url}/tiny")
    partial_of(model).write_bytes(CONTENT)
    assert fetch(model)
    assert model.path.read_bytes() == CONTENT


def test_spoilt_partial_file_is_dropped_and_fetched_anew(server, tmp_path):
    model = make_model(tmp_path, f"{server.url}/tiny")
    partial_of(model).write_bytes(b"?" * 1000)
    assert fetch(model)
    assert server.requests == ["bytes=1000-", None]
    assert model.path.read_bytes() == CONTENT


def test_wrong_sha1_is_kept_out(server, tmp_path):
    model = make_model(tmp_path, f"{server.url}/tiny", sha1="0" * 40)
    with pytest.raises(ModelError, match=f"sha1 {SHA1}, expected {'0' * 40}; it was not kept"):
        fetch(model)
    assert names(model) == {"readme.md"}


def test_file_that_is_there_and_wrong_is_left_and_named(server, tmp_path):
    model = make_model(tmp_path, f"{server.url}/tiny")
    model.path.write_bytes(b"mine")
    with pytest.raises(ModelError, match=rf"tiny\.caffemodel is not Tiny: .*expected {SHA1}.*fetch_model tiny"):
        fetch(model)
    assert model.path.read_bytes() == b"mine"
    assert server.requests == []


def test_missing_page_says_so_and_how_to_place_the_file(server, tmp_path):
    model = make_model(tmp_path, f"{server.url}/missing")
    with pytest.raises(ModelError, match=rf"404.*put the file at {model.path} yourself; its sha1 is {SHA1}"):
        fetch(model)
    assert names(model) == {"readme.md"}


def test_no_network_says_how_to_place_the_file(server, tmp_path):
    server.http.server_close()
    model = make_model(tmp_path, f"{server.url}/tiny")
    with pytest.raises(ModelError, match=f"cannot fetch .*put the file at {model.path} yourself"):
        fetch(model)


def test_command_reports_and_fails_with_1(server, tmp_path, monkeypatch, capsys):
    model = make_model(tmp_path, f"{server.url}/tiny")
    monkeypatch.setattr(tools.fetch_model, "find_zoo_model", lambda name: find_zoo_model(name, tmp_path))
    monkeypatch.setattr("sys.argv", ["fetch_model", "tiny"])
    assert tools.fetch_model.main() == 0
    assert f"{model.path}: fetched, sha1 is right" in capsys.readouterr().out
    model.path.write_bytes(b"?")
    assert tools.fetch_model.main() == 1
    monkeypatch.setattr("sys.argv", ["fetch_model", "tin"])
    assert tools.fetch_model.main() == 2


def test_model_of_the_repository_is_not_fetched_but_restored(tmp_path):
    model = make_model(tmp_path, url=None)
    with pytest.raises(ModelError, match="git checkout"):
        fetch(model)


@pytest.mark.parametrize(
    ("readme", "problem"),
    [
        ("name: x\n", r"readme\.md:1: expected front matter"),
        ("---\nname: x\n", r"readme\.md:1: expected front matter"),
        ("---\nname: x\nwhat\n---\n", r"readme\.md:3: expected `key: value`, found 'what'"),
        ("---\nname: x\nsha1: y\n---\n", "lacks caffemodel, license, net"),
    ],
)
def test_bad_front_matter_is_named_with_its_place(readme, problem, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "readme.md").write_text(readme)
    with pytest.raises(ModelError, match=problem):
        find_zoo_model("bad", tmp_path)


def test_bvlc_alexnet_is_described_as_the_zoo_has_it():
    model = find_zoo_model("bvlc_alexnet")
    assert model.sha1 == "9116a64c0fbe4459d18f4bb6b56d647b63920377"
    assert model.url == "http://dl.caffe.berkeleyvision.org/bvlc_alexnet.caffemodel"
    assert (model.license, model.net) == ("unrestricted", "alexnet")


def test_every_model_of_the_repository_names_a_net_of_the_study():
    for readme in MODELS_DIR.glob("*/readme.md"):
        assert find_zoo_model(readme.parent.name).net in NETS


def test_none_means_no_weights(tmp_path):
    assert resolve_weights("none", NETS["alexnet"], tmp_path) is None


def test_name_resolves_to_the_file_and_its_sums(tmp_path):
    model = make_model(tmp_path, url=None)
    model.path.write_bytes(CONTENT)
    record = resolve_weights("tiny", NETS["alexnet"], tmp_path)
    assert record is not None
    assert (record.name, record.path) == ("tiny", str(model.path))
    assert record.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert record.description == "Tiny, unrestricted"


def test_path_resolves_to_any_file(tmp_path):
    path = tmp_path / "mine.caffemodel"
    path.write_bytes(b"x")
    record = resolve_weights(str(path), NETS["alexnet"], tmp_path)
    assert record is not None
    assert (record.name, record.path) == ("mine", str(path))


def test_weights_of_another_net_are_refused_with_the_net_they_fit(tmp_path):
    make_model(tmp_path, url=None)
    with pytest.raises(ModelError, match="fits NET=alexnet, not NET=alexnet_half"):
        resolve_weights("tiny", NETS["alexnet_half"], tmp_path)


def test_weights_that_are_not_there_say_what_to_run(tmp_path):
    make_model(tmp_path, url="http://127.0.0.1/tiny")
    with pytest.raises(ModelError, match=r"run `python -m tools\.fetch_model tiny`"):
        resolve_weights("tiny", NETS["alexnet"], tmp_path)


def test_weights_with_a_wrong_sha1_are_refused(tmp_path):
    make_model(tmp_path, url=None).path.write_bytes(CONTENT[:-1])
    with pytest.raises(ModelError, match=f"expected {SHA1}"):
        resolve_weights("tiny", NETS["alexnet"], tmp_path)


def test_unknown_weights_are_answered_with_the_nearest(tmp_path):
    make_model(tmp_path, url=None)
    with pytest.raises(UsageError, match="did you mean 'tiny'"):
        resolve_weights("tinny", NETS["alexnet"], tmp_path)
    with pytest.raises(ModelError, match="there is no such file"):
        resolve_weights("nowhere/x.caffemodel", NETS["alexnet"], tmp_path)
