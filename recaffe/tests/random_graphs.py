"""Nets of small layers joined at random, and what a caffe module makes of them; also run by real Caffe's Python:

random_graphs.py FIRST LAST OUT.json, for the nets of seeds FIRST to LAST.
"""
# ruff: noqa: PTH123, UP031 - prototxt is full of braces

import json
import random
import sys

RULES = [
    "",
    "",
    "",
    "include { phase: TRAIN }",
    "exclude { phase: TRAIN }",
    'include { stage: "s" }',
    "include { min_level: 1 }",
    'exclude { max_level: 0 not_stage: "s" }',
]


def net_text(seed):
    """The prototxt of a net: some layers work in place, some are left out, share weights, or stop the gradient."""
    choice = random.Random(seed).choice
    force = choice([True, False, False])
    lines = [
        "force_backward: true" if force else "",
        'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }',
        'layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 } } }',
    ]
    blobs, read = ["data"], {"data"}
    for index in range(choice(range(2, 9))):
        bottom, second, rule = choice(blobs), choice(blobs), choice(RULES)
        kind = choice(["ip", "ip", "relu", "in place", "sum", "loss", "silence", "accuracy"])
        head = 'name: "layer%d" bottom: "%s" %s' % (index, bottom, rule)
        top = 'top: "top%d"' % index
        down = choice(["", "", "propagate_down: true", "propagate_down: false"])
        if kind == "ip":
            specs = choice(['param { name: "w" lr_mult: 1 }', "param { lr_mult: 0 }", "param { lr_mult: 2 }"])
            more = (
                specs + ' param { lr_mult: %d } inner_product_param { num_output: 3 weight_filler { type: "xavier" } }'
            )
            lines.append('layer { type: "InnerProduct" %s %s %s %s }' % (head, top, down, more % choice([0, 1])))
        elif kind == "relu":
            lines.append('layer { type: "ReLU" %s %s %s %s }' % (head, top, down, choice(["", "loss_weight: 0.5"])))
        elif kind == "in place" and bottom not in read:  # else Caffe sees two blobs of one name
            lines.append('layer { type: "ReLU" %s top: "%s" %s }' % (head, bottom, down))
        elif kind == "sum":
            lines.append('layer { type: "Eltwise" %s bottom: "%s" %s }' % (head, second, top))
        elif kind == "loss":
            flags = "propagate_down: %s propagate_down: false" % choice(["true", "false"])
            weight = "loss_weight: %d" % choice([0, 1, 2])
            lines.append('layer { type: "SoftmaxWithLoss" %s bottom: "label" %s %s %s }' % (head, top, flags, weight))
        elif kind == "silence":
            lines.append('layer { type: "Silence" %s }' % head)
        elif kind == "accuracy" and not force:
            lines.append('layer { type: "Accuracy" %s bottom: "label" %s }' % (head, top))
        if kind != "in place":
            read |= {bottom, second}
        if kind in ("ip", "relu", "sum") and not rule:
            blobs.append("top%d" % index)
    return "\n".join(lines)


def description(caffe, seed, path):
    """How the net is built, its loss, and the size of each gradient; `path` is where its file is written."""
    with open(path, "w") as file:
        file.write(net_text(seed))
    caffe.set_random_seed(3)
    stages = ["s"] if seed % 5 == 0 else []
    net = caffe.Net(path, caffe.TRAIN if seed % 2 else caffe.TEST, level=int(seed % 3 == 0), stages=stages)
    net.blobs["data"].data[...] = [[0.5, -1, 2], [1, 0.25, -0.5]]
    net.blobs["label"].data[...] = [0, 2]
    loss = net._forward(0, len(net.layers) - 1)
    net.clear_param_diffs()
    net.backward()
    return {
        "layers": list(net._layer_names),
        "blobs": list(net.blobs),
        "ends": [net.inputs, net.outputs],
        "bottoms": [list(net._bottom_ids(number)) for number in range(len(net.layers))],
        "tops": [list(net._top_ids(number)) for number in range(len(net.layers))],
        "loss weights": list(net.blob_loss_weights.values()),
        "numbers": [loss] + [float(abs(blob.diff).sum()) for blobs in net.params.values() for blob in blobs],
    }


if __name__ == "__main__":
    import caffe

    seeds = range(int(sys.argv[1]), int(sys.argv[2]))
    with open(sys.argv[3], "w") as out:
        json.dump([description(caffe, seed, "net.prototxt") for seed in seeds], out)
