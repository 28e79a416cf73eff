"""The prototxt inspector: numbers by hand, any net, and the page in a browser."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from recaffe.proto import caffe_pb2, text

from layerwise.applications import APPLICATIONS
from layerwise.errors import ModelError, UsageError
from layerwise.nets import NETS
from layerwise.schemes import SCHEMES
from prototxt.fillers import filler_text
from prototxt.inspect import inspect_file, inspect_schemes
from prototxt.inspect_page import inspector_page
from prototxt.inspect_text import format_net, format_schemes
from prototxt.inspection import FROZEN, NEW, TUNED, inspect_net

ROOT = Path(__file__).resolve().parents[1]
POLYP, ALEXNET = APPLICATIONS["polyp"], NETS["alexnet"]
# Multiply-accumulates of a 227 x 227 picture by hand: places x kernel x channels / groups x outputs.
MACS = {
    "conv1": 55 * 55 * 11 * 11 * 3 * 96,
    "conv2": 27 * 27 * 5 * 5 * 48 * 256,
    "conv3": 13 * 13 * 3 * 3 * 256 * 384,
    "conv4": 13 * 13 * 3 * 3 * 192 * 384,
    "conv5": 13 * 13 * 3 * 3 * 192 * 256,
    "fc6": 6 * 6 * 256 * 4096,
    "fc7": 4096 * 4096,
}
DATA = 'layer { name: "d" type: "Data" top: "data" top: "label" data_param { batch_size: 4 } }'
FC = (
    'layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" param { lr_mult: 2 } param { lr_mult: 0 } '
    'inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }'
)


def parsed(content):
    return text.parse(content, caffe_pb2.NetParameter)


def layer_of(view, name):
    return next(layer for layer in view.layers if layer.name == name)


@pytest.fixture(scope="module")
def schemes():
    return {scheme.view.name: scheme for scheme in inspect_schemes(POLYP)}


@pytest.fixture(scope="module")
def page(schemes):
    return inspector_page(POLYP, ALEXNET, list(schemes.values()))


def imagenet_file(tmp_path):
    """The polyp net with 1000 classes."""
    path = tmp_path / "imagenet.prototxt"
    source = (ROOT / "prototxt/polyp/finetune-fc8/train_val.prototxt").read_text()
    path.write_text(source.replace("num_output: 2\n", "num_output: 1000\n"))
    return path


def test_alexnet_of_1000_classes_costs_what_is_computed_by_hand(tmp_path):
    view = inspect_file(str(imagenet_file(tmp_path)), None, (3, 227, 227), "TRAIN")
    assert MACS["conv1"] == 105_415_200
    assert {name: layer_of(view, name).macs for name in MACS} == MACS
    assert view.macs == sum(MACS.values()) + 4096 * 1000
    assert view.n_parameters == 60_965_224
    assert layer_of(view, "conv1").shape.output == (128, 96, 55, 55)


@pytest.mark.parametrize("application", APPLICATIONS)
def test_schemes_share_a_net_and_differ_in_what_learns(application):
    views = [scheme.view for scheme in inspect_schemes(APPLICATIONS[application])]
    assert [view.name for view in views] == list(SCHEMES)
    nets = {tuple((layer.name, layer.shape, layer.macs) for layer in view.layers) for view in views}
    assert len(nets) == 1
    learned = [view.n_learned for view in views]
    assert learned == sorted(learned)
    assert learned[-1] == views[0].n_parameters
    assert not any(view.unknown for view in views)


def test_rates_decays_and_starts_are_those_of_solver_and_net_together(schemes):
    view = schemes["finetune-fc7"].view
    states = {layer.name: layer.state for layer in view.layers if layer.arrays}
    assert states == dict.fromkeys(("conv1", "conv2", "conv3", "conv4", "conv5", "fc6"), FROZEN) | {
        "fc7": TUNED,
        "fc8_polyp": NEW,
    }
    values = {
        name: [(array.rate, array.decay, array.start) for array in layer_of(view, name).arrays]
        for name in ("conv1", "fc7", "fc8_polyp")
    }
    assert values == {
        "conv1": [(0, 0, "copied"), (0, 0, "copied")],
        "fc7": [(0.001, 0.0005, "copied"), (0.002, 0, "copied")],
        "fc8_polyp": [(0.01, 0.0005, "gaussian 0.01"), (0.02, 0, "constant 0")],
    }
    assert schemes["scratch-msra"].view.solver["clip_gradients"] == "35"
    assert "clip_gradients" not in view.solver


def test_smaller_net_is_the_one_that_the_generator_would_write():
    view = inspect_schemes(POLYP, NETS["alexnet_half"])[0].view
    assert layer_of(view, "conv1").shape.output[1] == NETS["alexnet_half"].widths["conv1"]


def test_without_a_solver_the_factors_stand_for_the_rates():
    view = inspect_net(parsed(DATA + FC), data_shape=(1, 2, 3))
    fc = layer_of(view, "fc")
    assert [(array.shape, array.rate, array.decay, array.start) for array in fc.arrays] == [
        ((5, 6), 2, 1, "xavier"),
        ((5,), 0, 0, "constant 0"),
    ]
    assert (fc.state, fc.macs, view.n_learned) == (TUNED, 30, 35)


def test_gathered_and_shared_arrays_are_counted_once_and_never_tuned():
    shared = FC.replace("lr_mult: 2", 'name: "w"').replace("param { lr_mult: 0 }", "", 1)
    again = shared.replace('"fc"', '"again"')
    norm = 'layer { name: "bn" type: "BatchNorm" bottom: "data" top: "data" }'
    view = inspect_net(parsed(DATA + norm + shared + again), data_shape=(1, 2, 3))
    assert layer_of(view, "bn").state == FROZEN
    assert [layer.n_parameters for layer in view.layers] == [0, 3, 35, 5]


def test_layers_of_unknown_shape_are_listed_and_the_others_counted():
    odd = 'layer { name: "odd" type: "Interp" bottom: "fc" top: "odd" } '
    view = inspect_net(parsed(DATA + FC + odd), data_shape=(1, 2, 3))
    assert layer_of(view, "odd").shape is None
    printed = format_net(view)
    assert re.search(r"^odd +Interp +unknown", printed, re.MULTILINE)
    assert "unknown: layer 'odd' (Interp) has no shape rule" in printed
    assert "in the layers that are known" in printed


def test_size_that_the_file_leaves_open_is_asked_for():
    assert "tell it with --shape" in format_net(inspect_net(parsed(DATA + FC)))


@pytest.mark.parametrize(
    ("filler", "expected"),
    [
        ("value: 0.5", "constant 0.5"),
        ('type: "uniform" min: -1', "uniform -1 to 1"),
        ('type: "gaussian" std: 0.01 mean: 2 sparse: 3', "gaussian 0.01 around 2, 3 of each output"),
        ('type: "msra" variance_norm: FAN_OUT std: 9', "msra FAN_OUT"),
        ('type: "bilinear"', "bilinear"),
    ],
)
def test_filler_is_told_by_what_its_type_reads(filler, expected):
    assert filler_text(text.parse(filler, caffe_pb2.FillerParameter)) == expected


def test_solver_file_is_inspected_with_the_net_that_it_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(DATA + FC)
    Path("solver.prototxt").write_text('net: "net.prototxt" base_lr: 0.1 weight_decay: 0.01')
    (weight, _) = layer_of(inspect_file("solver.prototxt", None, (1, 2, 3), "TRAIN"), "fc").arrays
    assert (weight.rate, weight.decay) == (0.2, 0.01)
    same = inspect_file("net.prototxt", "solver.prototxt", (1, 2, 3), "TRAIN")
    assert layer_of(same, "fc").arrays[0] == weight
    with pytest.raises(UsageError, match="either"):
        inspect_file("solver.prototxt", "solver.prototxt", None, "TRAIN")
    Path("net.prototxt").unlink()
    with pytest.raises(ModelError, match=r"solver.prototxt: its net 'net.prototxt' is not there"):
        inspect_file("solver.prototxt", None, None, "TRAIN")


def test_net_within_a_solver_is_inspected_in_old_dialects_too(tmp_path):
    path = tmp_path / "solver.prototxt"
    old = 'layers { name: "r" type: RELU bottom: "x" top: "x" }'
    path.write_text(f"base_lr: 0.1 train_net_param {{ {old} }}")
    assert [layer.type for layer in inspect_file(str(path), None, None, "TRAIN").layers] == ["ReLU"]


def test_wrong_kind_wrong_phase_and_wrong_line_are_named(tmp_path):
    net, solver = tmp_path / "net.prototxt", tmp_path / "solver.prototxt"
    net.write_text('layer { name: "a" type: "ReLU" include { phase: TEST } }\n')
    solver.write_text("base_lr: 0.1\n")
    with pytest.raises(ModelError, match=f"{net}: is a net, expected a solver"):
        inspect_file(str(net), str(net), None, "TRAIN")
    with pytest.raises(ModelError, match="no layers in phase TRAIN"):
        inspect_file(str(net), None, None, "TRAIN")
    with pytest.raises(ModelError, match="names no net"):
        inspect_file(str(solver), None, None, "TRAIN")
    solver.write_text('layer {\n  name: "a"\n  lr_mult: 1\n}\n')
    with pytest.raises(ModelError, match=f"{solver}:3:3.*ParamSpec"):
        inspect_file(str(solver), None, None, "TRAIN")


def test_schemes_in_the_terminal_show_letters_rates_and_starts(schemes):
    printed = format_schemes([scheme.view for scheme in schemes.values()])
    assert re.search(r"^finetune-fc7 +(F +){6}T \.001/\.002 +N \.01/\.02 +16,789,506$", printed, re.MULTILINE)
    assert "conv1      copied" in printed
    assert 'net: "prototxt/polyp/<scheme>/train_val.prototxt"\n' in printed
    assert "clip_gradients: (not set) in the other 10; 35 in scratch-msra" in printed


class Page(HTMLParser):
    """What the page loads from elsewhere, and the text of each table row."""

    def __init__(self):
        super().__init__()
        self.loaded, self.rows = [], []

    def handle_starttag(self, tag, attrs):
        self.loaded += [value for name, value in attrs if name in ("src", "href")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


def test_page_holds_every_scheme_and_pair_and_loads_nothing(page):
    parser = Page()
    parser.feed(page)
    assert parser.loaded == []
    assert "@import" not in page
    assert "url(" not in page
    conv1 = next(row for row in parser.rows if row[0].startswith("conv1"))
    assert conv1[1:4] == ["96×55×55", "34\u2009944", "105\u2009415\u2009200"]
    assert [cell[0] for cell in conv1[4:]] == [*"FFFFFFF", "T", *"NNN"]
    assert page.count('class="pair"') == 11 * 10 / 2


def test_text_of_files_is_escaped(schemes):
    scheme = schemes["finetune-fc8"]
    net = parsed(DATA.replace('"d"', '"<script>alert(1)</script>"') + FC)
    view = inspect_net(net, scheme.solver, (1, 2, 3), name="<b>")
    page = inspector_page(POLYP, ALEXNET, [type(scheme)(net, scheme.solver, view), scheme])
    assert "<script>alert" not in page
    assert "<b>" not in page.split("<h2>Layers")[0]


def run(*args):
    done = subprocess.run(
        [sys.executable, "-m", "prototxt.inspect", *map(str, args)], cwd=ROOT, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
    return done


def test_command_writes_the_page_in_less_than_ten_seconds(tmp_path, page):
    began = time.process_time()
    inspector_page(POLYP, ALEXNET, inspect_schemes(POLYP))
    assert time.process_time() - began < 10
    done = run("polyp", "--out", tmp_path / "page.html")
    assert (done.returncode, done.stdout) == (0, f"wrote {tmp_path / 'page.html'}\n")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page


@pytest.mark.parametrize(
    ("args", "code", "problem"),
    [
        (["polpy"], 2, "did you mean 'polyp'"),
        (["absent.prototxt"], 1, "absent.prototxt: cannot be read"),
        (["polyp", "--net", "alexnet_haf"], 2, "did you mean 'alexnet_half'"),
        (["polyp", "--shape", "3,1,1"], 2, "are for a prototxt file"),
        (["prototxt/polyp/finetune-fc8/deploy.prototxt", "--text"], 2, "are for an application"),
        (["prototxt/polyp/finetune-fc8/deploy.prototxt", "--shape", "3,227"], 2, "invalid channels,height,width"),
    ],
)
def test_command_says_what_is_wrong(args, code, problem):
    done = run(*args)
    assert done.returncode == code
    assert problem in done.stderr


def test_page_renders_in_a_browser_without_errors(page, tmp_path):
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not installed")
    path = tmp_path / "page.html"
    path.write_text(page, encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--enable-logging=stderr", "--window-size=1400,2200", "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert "CONSOLE" not in done.stderr
    parts = done.stdout.split('<section class="pair"')[1:]
    shown = [part.split('"')[1] for part in parts if " hidden" not in part.split(">")[0]]
    assert shown == ["pair-0-7"]  # the script ran: finetune-fc8 and finetune-conv1
    assert '<footer id="end">' in done.stdout
