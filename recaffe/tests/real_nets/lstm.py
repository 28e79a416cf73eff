"""A word-by-word LSTM as in LRCN (Donahue et al. 2015): Embed, LSTM with a static image feature, a softmax per step."""

from __future__ import annotations

from recaffe.net_spec import NetSpec, layers

WEIGHTS = {"type": "uniform", "min": -0.08, "max": 0.08}


def captioner(steps: int, batch: int, words: int, width: int) -> NetSpec:
    net = NetSpec()
    net.cont = layers.Input(shape={"dim": [steps, batch]})
    net.index = layers.Input(shape={"dim": [steps, batch]})
    net.label = layers.Input(shape={"dim": [steps, batch]})
    net.data = layers.Input(shape={"dim": [batch, width]})
    net.embedded = layers.Embed(
        net.index, bias_term=False, input_dim=words, num_output=width, weight_filler=WEIGHTS, propagate_down=[False]
    )
    net.lstm = layers.LSTM(
        net.embedded, net.cont, net.data, recurrent_param={"num_output": width, "weight_filler": WEIGHTS}
    )
    net.predict = layers.InnerProduct(net.lstm, num_output=words, axis=2, weight_filler=WEIGHTS)
    net.loss = layers.SoftmaxWithLoss(net.predict, net.label, loss_weight=20, softmax_param={"axis": 2})
    return net
