"""A small LeNet on a made-up LMDB: step by step, with losses, scores and accuracies kept at every iteration."""
# ruff: noqa - written as programs for pycaffe are

import caffe
import lmdb
import numpy as np
from caffe import layers as L
from caffe import params as P


def lenet(source, batch_size):
    n = caffe.NetSpec()
    n.data, n.label = L.Data(
        batch_size=batch_size, backend=P.Data.LMDB, source=source, transform_param=dict(scale=1.0 / 255), ntop=2
    )
    n.conv1 = L.Convolution(n.data, kernel_size=5, num_output=4, weight_filler=dict(type="xavier"))
    n.pool1 = L.Pooling(n.conv1, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.fc1 = L.InnerProduct(n.pool1, num_output=16, weight_filler=dict(type="xavier"))
    n.relu1 = L.ReLU(n.fc1, in_place=True)
    n.score = L.InnerProduct(n.relu1, num_output=4, weight_filler=dict(type="xavier"))
    n.loss = L.SoftmaxWithLoss(n.score, n.label)
    return n.to_proto()


def write_database(path, count, seed):
    numbers = np.random.RandomState(seed)
    with lmdb.open(path, map_size=1 << 24) as database:
        with database.begin(write=True) as transaction:
            for index in range(count):
                label = int(numbers.randint(4))
                image = numbers.randint(0, 60, (1, 12, 12)).astype(np.uint8)
                image[0, 3 * label : 3 * label + 3] += 120
                datum = caffe.io.array_to_datum(image, label)
                transaction.put("{:05d}".format(index).encode(), datum.SerializeToString())


caffe.set_mode_cpu()
for name, count, seed in (("train", 48, 1), ("test", 20, 2)):
    write_database(name + "_lmdb", count, seed)
    with open(name + ".prototxt", "w") as f:
        f.write(str(lenet(name + "_lmdb", 8 if name == "train" else 10)))
with open("solver.prototxt", "w") as f:
    f.write("""train_net: "train.prototxt" test_net: "test.prototxt" test_interval: 500 test_iter: 2
base_lr: 0.01 momentum: 0.9 weight_decay: 0.0005 lr_policy: "inv" gamma: 0.0001 power: 0.75
display: 1000 max_iter: 1000 snapshot: 0 snapshot_prefix: "lenet" random_seed: 831486 type: "SGD" """)
solver = caffe.get_solver("solver.prototxt")
print([(k, tuple(v.data.shape)) for k, v in solver.net.blobs.items()])
print([(k, tuple(v[0].data.shape)) for k, v in solver.net.params.items()])
print(solver.net.forward()["loss"].shape, float(solver.test_nets[0].forward()["loss"]))
print("train labels:", *solver.net.blobs["label"].data.tolist())
solver.step(1)
print("gradient", *solver.net.params["conv1"][0].diff[:, 0, 0, :2].ravel().tolist())

niter = 25
test_interval = 5
train_loss = np.zeros(niter)
test_acc = np.zeros(int(np.ceil(niter / test_interval)))
output = np.zeros((niter, 10, 4))
for it in range(niter):
    solver.step(1)
    train_loss[it] = solver.net.blobs["loss"].data
    solver.test_nets[0].forward(start="conv1")
    output[it] = solver.test_nets[0].blobs["score"].data[:10]
    if it % test_interval == 0:
        correct = 0
        for _ in range(2):
            solver.test_nets[0].forward()
            correct += sum(solver.test_nets[0].blobs["score"].data.argmax(1) == solver.test_nets[0].blobs["label"].data)
        test_acc[it // test_interval] = correct / 20.0
print("loss", *train_loss.tolist())
print("accuracy", *test_acc.tolist())
print("score", *output[::8, 0].ravel().tolist())
