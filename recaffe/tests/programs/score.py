"""Training for segmentation: weights interpolated by hand, and a scoring loop on a net that shares the weights."""
# ruff: noqa - written as programs for pycaffe are

import caffe
import numpy as np
from caffe import layers as L
from caffe.coord_map import crop


def segmentation_net(split):
    n = caffe.NetSpec()
    options = dict(count=2) if split == "train" else dict(count=3)
    n.data, n.label = L.Python(module="toy_layers", layer="IndexedImagesLayer", ntop=2, param_str=str(options))
    n.conv = L.Convolution(
        n.data,
        kernel_size=3,
        pad=4,
        num_output=4,
        weight_filler=dict(type="xavier"),
        param=[dict(lr_mult=1, decay_mult=1), dict(lr_mult=2, decay_mult=0)],
    )
    n.relu = L.ReLU(n.conv, in_place=True)
    n.pool = L.Pooling(n.relu, kernel_size=2, stride=2)
    n.score_fr = L.Convolution(n.pool, num_output=3, kernel_size=1, weight_filler=dict(type="gaussian", std=0.3))
    n.upscore = L.Deconvolution(
        n.score_fr,
        convolution_param=dict(num_output=3, kernel_size=4, stride=2, bias_term=False),
        param=[dict(lr_mult=0)],
    )
    n.score = crop(n.upscore, n.data)
    n.loss = L.SoftmaxWithLoss(n.score, n.label, loss_param=dict(normalize=False, ignore_label=255))
    return n.to_proto()


def upsample_filt(size):
    factor = (size + 1) // 2
    center = factor - 1 if size % 2 == 1 else factor - 0.5
    og = np.ogrid[:size, :size]
    return (1 - abs(og[0] - center) / factor) * (1 - abs(og[1] - center) / factor)


def interp(net, layers):
    for layer in layers:
        m, k, h, w = net.params[layer][0].data.shape
        assert m == k and h == w
        net.params[layer][0].data[range(m), range(k), :, :] = upsample_filt(h)


def fast_hist(a, b, n):
    k = (a >= 0) & (a < n)
    return np.bincount(n * a[k].astype(int) + b[k], minlength=n**2).reshape(n, n)


def compute_hist(net, count, layer="score", gt="label"):
    n_cl = net.blobs[layer].channels
    hist = np.zeros((n_cl, n_cl))
    loss = 0
    for _ in range(count):
        net.forward()
        hist += fast_hist(net.blobs[gt].data[0, 0].flatten(), net.blobs[layer].data[0].argmax(0).flatten(), n_cl)
        loss += net.blobs["loss"].data.flat[0]
    return hist, loss / count


def seg_tests(solver, count):
    solver.test_nets[0].share_with(solver.net)
    hist, loss = compute_hist(solver.test_nets[0], count)
    print("Iteration", solver.iter, "loss", float(loss))
    print("overall accuracy", np.diag(hist).sum() / hist.sum())
    iu = np.diag(hist) / (hist.sum(1) + hist.sum(0) - np.diag(hist))
    print("mean IU", np.nanmean(iu))


caffe.set_mode_cpu()
for split in ("train", "val"):
    open(split + ".prototxt", "w").write(str(segmentation_net(split)))
open("solver.prototxt", "w").write("""
train_net: "train.prototxt" test_net: "val.prototxt" test_iter: 1 test_interval: 999999999
base_lr: 1e-4 lr_policy: "fixed" momentum: 0.9 weight_decay: 0.0005 display: 0 max_iter: 100
test_initialization: false snapshot: 0 random_seed: 9
""")
solver = caffe.SGDSolver("solver.prototxt")
interp(solver.net, [k for k in solver.net.params.keys() if "up" in k])
crops = [layer for layer in segmentation_net("val").layer if layer.type == "Crop"]
print("crop", crops[0].crop_param.axis, list(crops[0].crop_param.offset))
for _ in range(3):
    solver.step(3)
    seg_tests(solver, 3)
