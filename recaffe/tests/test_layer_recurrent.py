"""RNN, LSTM and LSTMUnit: against loops in numpy, and what they carry from one forward pass to the next."""

from __future__ import annotations

from pathlib import Path

import lmdb
import numpy as np
import pytest
import recaffe
from random_nets import net_text
from recaffe.proto import caffe_pb2

STEPS, STREAMS, INPUTS, STATIC, OUTPUTS = 4, 3, 2, 5, 3
FILLERS = 'weight_filler { type: "gaussian" std: 0.7 } bias_filler { type: "uniform" min: -1 }'


def recurrent_net(layer_type: str, steps: int = STEPS, *, static: bool = False, expose_hidden: bool = False) -> str:
    inputs = {"data": (steps, STREAMS, INPUTS), "cont": (steps, STREAMS)}
    tops = ["out"]
    if static:
        inputs["static"] = (STREAMS, STATIC)
    if expose_hidden:
        names = {"LSTM": "hc", "RNN": "h"}[layer_type]
        inputs.update((f"{name}_first", (1, STREAMS, OUTPUTS)) for name in names)
        tops += [f"{name}_last" for name in names]
    wires = " ".join([f'bottom: "{name}"' for name in inputs] + [f'top: "{name}"' for name in tops])
    param = f"num_output: {OUTPUTS} {FILLERS} " + ("expose_hidden: true" if expose_hidden else "")
    return net_text(f'layer {{ name: "r" type: "{layer_type}" {wires} recurrent_param {{ {param} }} }}', **inputs)


def fed(net: recaffe.Net, seed: int = 0) -> dict[str, np.ndarray]:
    """Values for every input; the flags are 0 at the first step of the first two streams and here and there."""
    numbers = np.random.RandomState(seed)
    values = {name: numbers.randn(*net.blobs[name].shape) for name in net.inputs}
    values["cont"] = numbers.randint(0, 2, values["cont"].shape)
    values["cont"][0] = (0, 0, 1)
    return values


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def slow_lstm(values, weights, hidden):
    """One value of the output after the other; returns them and the last (h, c)."""
    (w_x, bias), w_h = weights[:2], weights[-1]
    h, c = hidden
    outputs = []
    for x, cont in zip(values["data"], values["cont"], strict=True):
        new_h, new_c = np.zeros_like(h), np.zeros_like(c)
        for n in range(STREAMS):
            gates = w_x @ x[n] + bias + w_h @ (cont[n] * h[n])
            if "static" in values:
                gates = gates + weights[2] @ values["static"][n]
            i, f, o, g = gates.reshape(4, OUTPUTS)
            new_c[n] = cont[n] * sigmoid(f) * c[n] + sigmoid(i) * np.tanh(g)
            new_h[n] = sigmoid(o) * np.tanh(new_c[n])
        h, c = new_h, new_c
        outputs.append(h)
    return np.array(outputs), [h, c]


def slow_rnn(values, weights, hidden):
    (w_x, bias), (w_h, w_o, out_bias) = weights[:2], weights[-3:]
    (h,) = hidden
    outputs = []
    for x, cont in zip(values["data"], values["cont"], strict=True):
        new_h = np.zeros_like(h)
        for n in range(STREAMS):
            gates = w_x @ x[n] + bias + w_h @ (cont[n] * h[n])
            if "static" in values:
                gates = gates + weights[2] @ values["static"][n]
            new_h[n] = np.tanh(gates)
        h = new_h
        outputs.append(np.tanh(h @ w_o.T + out_bias))
    return np.array(outputs), [h]


SLOW = {"LSTM": (slow_lstm, 2), "RNN": (slow_rnn, 1)}


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("kind", SLOW)
def test_recurrent_layer_is_the_slow_loop(kind, static, make_net):
    net = make_net(recurrent_net(kind, static=static))
    values, weights = fed(net), [blob.data for blob in net.params["r"]]
    slow, states = SLOW[kind]
    expected, _ = slow(values, weights, [np.zeros((STREAMS, OUTPUTS))] * states)
    np.testing.assert_allclose(net.forward(**values)["out"], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", SLOW)
def test_next_pass_goes_on_from_where_the_last_one_ended(kind, make_net):
    net, long_net = make_net(recurrent_net(kind)), make_net(recurrent_net(kind, steps=2 * STEPS))
    long_net.share_with(net)
    first, second = fed(net, 0), fed(net, 1)
    outputs = [net.forward(**values)["out"].copy() for values in (first, second)]
    whole = long_net.forward(**{name: np.concatenate([first[name], second[name]]) for name in first})["out"]
    np.testing.assert_allclose(np.concatenate(outputs), whole, rtol=1e-5, atol=1e-7)
    assert not np.allclose(net.forward(**first)["out"], outputs[0])


@pytest.mark.parametrize("kind", SLOW)
def test_exposed_hidden_state_comes_from_bottoms_and_goes_to_tops(kind, make_net):
    net = make_net(recurrent_net(kind, expose_hidden=True))
    slow, states = SLOW[kind]
    weights = [blob.data for blob in net.params["r"]]
    for seed in (0, 1):  # the second pass does not remember the first
        values = fed(net, seed)
        hidden = [values[f"{name}_first"][0] for name in "hc"[:states]]
        out = net.forward(**values)
        expected, last = slow(values, weights, hidden)
        np.testing.assert_allclose(out["out"], expected, rtol=1e-4, atol=1e-6)
        for name, value in zip("hc", last, strict=False):
            np.testing.assert_allclose(out[f"{name}_last"][0], value, rtol=1e-4, atol=1e-6)


def test_fewer_streams_go_on_and_more_than_ever_begin_at_zero(make_net):
    net = make_net(recurrent_net("RNN", steps=1))
    _, bias, w_h, w_o, out_bias = (blob.data for blob in net.params["r"])

    def run(hidden: np.ndarray) -> np.ndarray:
        """One step without input from this hidden state; returns the next one."""
        streams = len(hidden)
        net.blobs["data"].reshape(1, streams, INPUTS)
        net.blobs["cont"].reshape(1, streams)
        found = net.forward(data=np.zeros((1, streams, INPUTS)), cont=np.ones((1, streams)))["out"][0]
        h = np.tanh(hidden @ w_h.T + bias)
        np.testing.assert_allclose(found, np.tanh(h @ w_o.T + out_bias), rtol=1e-5, atol=1e-6)
        return h

    after = run(np.zeros((3, OUTPUTS)))
    run(after[:2])
    run(np.zeros((4, OUTPUTS)))


@pytest.mark.parametrize("kind", SLOW)
def test_frozen_weights_and_inputs_have_gradients_too_as_in_caffe(kind, make_net):
    text = recurrent_net(kind, static=True)
    wanted = make_net(text)
    values = fed(wanted)
    outputs = wanted.forward(**values)["out"]
    wanted.backward(out=np.ones_like(outputs))
    frozen = make_net(
        text.replace("force_backward: true", "").replace(
            "recurrent_param", "loss_weight: 1 param { lr_mult: 0 } recurrent_param"
        )
    )
    frozen.forward(**values)
    frozen.backward()
    for first, second in zip(wanted.params["r"], frozen.params["r"], strict=True):
        np.testing.assert_array_equal(first.diff, second.diff)
    for name in ("data", "static"):
        np.testing.assert_array_equal(wanted.blobs[name].diff, frozen.blobs[name].diff)


@pytest.mark.parametrize("kind", SLOW)
def test_stored_hidden_state_goes_on_in_another_net(kind, make_net):
    first, second = make_net(recurrent_net(kind)), make_net(recurrent_net(kind))
    values = fed(first)
    values["cont"][:] = 1
    first.forward(**values)
    second.engine_layers[-1].set_state(first.engine_layers[-1].state())
    np.testing.assert_array_equal(first.forward(**values)["out"], second.forward(**values)["out"])


def test_weights_have_caffes_order_and_shapes(make_net):
    def shapes(kind: str) -> list[tuple[int, ...]]:
        return [blob.shape for blob in make_net(recurrent_net(kind, static=True)).params["r"]]

    assert shapes("LSTM") == [(12, 2), (12,), (12, 5), (12, 3)]
    assert shapes("RNN") == [(3, 2), (3,), (3, 5), (3, 3), (3, 3), (3,)]


def test_lstm_unit_forgets_where_the_flag_is_zero(make_net):
    layer = 'layer { name: "u" type: "LSTMUnit" bottom: "cell" bottom: "gates" bottom: "cont" top: "c" top: "h" }'
    net = make_net(net_text(layer, cell=(1, 2, 1), gates=(1, 2, 4), cont=(1, 2)))
    out = net.forward(cell=np.full((1, 2, 1), 8), gates=np.zeros((1, 2, 4)), cont=np.array([[0, 1]]))
    np.testing.assert_allclose(out["c"].ravel(), [0, 4])
    np.testing.assert_allclose(out["h"].ravel(), [0, np.tanh(4) / 2], rtol=1e-6)


DEBUGGED = """
import os
os.environ["GLOG_minloglevel"] = "0"
os.dup2(1, 2)
import numpy as np
import caffe
caffe.set_random_seed(7)
net = caffe.Net("net.prototxt", caffe.TRAIN)
print("built", flush=True)
for name, values in np.load("inputs.npz").items():
    net.blobs[name].data[...] = values
net.forward()
net.blobs["out"].diff[...] = 1
net.backward()
"""


@pytest.mark.caffe
@pytest.mark.parametrize("kind", SLOW)
def test_debug_info_logs_the_blobs_of_caffes_unrolled_net(kind, make_net, real_caffe, tmp_path, caplog):
    text = recurrent_net(kind, static=True).replace("recurrent_param {", "recurrent_param { debug_info: true")
    net = make_net(text)  # in net.prototxt
    values = fed(net)
    np.savez(tmp_path / "inputs.npz", **values)
    lines = real_caffe(DEBUGGED, cwd=tmp_path).decode().split("built\n")[1].splitlines()
    expected = [line.split("] ", 1)[1] for line in lines if "ward] " in line]
    with caplog.at_level("INFO", logger="recaffe.net"):
        caplog.clear()
        net.forward(**values)
        net.backward(out=np.ones((STEPS, STREAMS, OUTPUTS)))
    found = [message for message in caplog.messages if "ward] " in message]
    assert [line.rsplit(" ", 1)[0] for line in found] == [line.rsplit(" ", 1)[0] for line in expected]
    means = [[float(line.rsplit(" ", 1)[1]) for line in lines] for lines in (found, expected)]
    np.testing.assert_allclose(*means, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", SLOW)
def test_debug_info_changes_no_number(kind, make_net):
    text = recurrent_net(kind)
    plain, logged = make_net(text), make_net(text.replace("recurrent_param {", "recurrent_param { debug_info: true"))
    for seed in (0, 1):
        values = fed(plain, seed)
        outputs = [net.forward(**values)["out"] for net in (plain, logged)]
        np.testing.assert_array_equal(*outputs)
        diffs = [net.backward(out=np.ones_like(outputs[0]))["data"] for net in (plain, logged)]
        np.testing.assert_array_equal(*diffs)
    for first, second in zip(plain.params["r"], logged.params["r"], strict=True):
        np.testing.assert_array_equal(first.diff, second.diff)


REFUSED = [
    ('bottom: "data" bottom: "cont"', "num_output: 0", "num_output 0"),
    ('bottom: "data"', "num_output: 1", "has 1 bottom blobs, expected 2"),
    ('bottom: "data" bottom: "data"', "num_output: 1", r"continuation flags of shape \(2, 3, 4\)"),
    ('bottom: "cont" bottom: "cont"', "num_output: 1", r"expected \(2 steps, streams, inputs"),
    ('bottom: "data" bottom: "cont" bottom: "data"', "num_output: 1", r"static bottom of shape \(2, 3, 4\)"),
    ('bottom: "data" bottom: "cont"', "num_output: 1 expose_hidden: true", "has 2 bottom blobs, expected 3 to 4"),
]


@pytest.mark.parametrize(("wires", "param", "problem"), REFUSED, ids=[problem[:25] for *_, problem in REFUSED])
def test_impossible_recurrent_layer_is_refused(wires, param, problem, make_net):
    layer = f'layer {{ name: "odd one" type: "RNN" {wires} top: "out" recurrent_param {{ {param} }} }}'
    with pytest.raises(recaffe.NetError, match=f"layer 'odd one' .*{problem}"):
        make_net(net_text(layer, data=(2, 3, 4), cont=(2, 3)))


TRAINED = """
name: "recurrent"
layer { name: "data" type: "Data" top: "data" top: "label" transform_param { scale: 0.01 mean_value: 128 }
  data_param { source: "sequences" batch_size: 12 backend: LMDB } }
layer { name: "x" type: "Reshape" bottom: "data" top: "x" reshape_param { shape { dim: 4 dim: 3 dim: -1 } } }
layer { name: "steps" type: "Reshape" bottom: "label" top: "steps" reshape_param { shape { dim: 4 dim: 3 } } }
layer { name: "cont" type: "Threshold" bottom: "steps" top: "cont" threshold_param { threshold: 0.5 } }
layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "lstm" recurrent_param { num_output: 6
  weight_filler { type: "uniform" min: -0.3 max: 0.3 } bias_filler { type: "constant" value: 0.1 } } }
layer { name: "rnn" type: "RNN" bottom: "lstm" bottom: "cont" top: "rnn" recurrent_param { num_output: 5
  weight_filler { type: "xavier" } bias_filler { type: "gaussian" std: 0.1 } } }
layer { name: "fc" type: "InnerProduct" bottom: "rnn" top: "fc"
  inner_product_param { num_output: 3 axis: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "steps" top: "loss" softmax_param { axis: 2 } }
"""


@pytest.mark.caffe
def test_recurrent_net_trains_as_in_real_caffe(oracle, real_arrays, tmp_path, monkeypatch):
    """First weights equal to the last bit, the losses of ten iterations and the weights after them."""
    monkeypatch.chdir(tmp_path)
    numbers = np.random.RandomState(4)
    with lmdb.open("sequences", map_size=2**20) as database, database.begin(write=True) as writer:
        for index in range(30):
            pixels = numbers.randint(0, 256, 20).astype(np.uint8).tobytes()
            datum = caffe_pb2.Datum(channels=1, height=4, width=5, data=pixels, label=int(numbers.randint(3)))
            writer.put(f"{index:08}".encode(), datum.SerializeToString())
    Path("net.prototxt").write_text(TRAINED)
    Path("solver_recurrent.prototxt").write_text(
        'net: "net.prototxt" random_seed: 3 lr_policy: "fixed" base_lr: 0.2 momentum: 0.9 weight_decay: 0.001 '
        'clip_gradients: 2 snapshot_prefix: "snap" snapshot_after_train: false\n'
    )
    iterations = 10
    expected = real_arrays("train", iterations, cwd=tmp_path)
    found = oracle.all_training_arrays(recaffe, iterations)
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        if "/first " in key:
            np.testing.assert_array_equal(found[key], array, err_msg=key)
        else:
            np.testing.assert_allclose(found[key], array, rtol=1e-4, atol=1e-5 * np.abs(array).max(), err_msg=key)
