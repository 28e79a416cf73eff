"""Nets of data layers with the files they read, and what a caffe module makes of them: for real Caffe and for recaffe.

`python recaffe/tests/data_cases.py record` records what real Caffe gives ($CAFFE_PYTHON or .caffe/caffe-python) into
tests/recorded/data_layers.npz. Real Caffe's Python runs this file as `data_cases.py forward OUT.npz` in the folder
that `write` filled, one case after the other: rand(), by which HDF5Data shuffles, goes on from case to case.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

TESTS = Path(__file__).resolve().parent
PHASES = {"TRAIN": 0, "TEST": 1}
STEPS = 4
HAS_LEVELDB = importlib.util.find_spec("plyvel") is not None  # it has no wheel for every Python
# Behind the data layers: shows how many words they took from the global stream.
NOISE = """layer { name: "noise" type: "DummyData" top: "noise"
  dummy_data_param { shape { dim: 3 } data_filler { type: "uniform" } } }"""


def _image_data(options, transform):
    return f"""layer {{ name: "data" type: "ImageData" top: "data" top: "label" image_data_param {{ {options} }}
        transform_param {{ {transform} }} }}"""


def _window_data(options, transform):
    return f"""layer {{ name: "data" type: "WindowData" top: "data" top: "label"
        window_data_param {{ source: "windows.txt" batch_size: 6 {options} }} transform_param {{ {transform} }} }}"""


def _data(options, transform):
    return f"""layer {{ name: "data" type: "Data" top: "data" top: "label" data_param {{ batch_size: 3 {options} }}
        transform_param {{ {transform} }} }}"""


def _hdf5_data(source, batch_size, shuffle):
    return f"""layer {{ name: "data" type: "HDF5Data" top: "values" top: "more" top: "label" hdf5_data_param {{
        source: "{source}" batch_size: {batch_size} shuffle: {shuffle} }} }}"""


def _dummy_data(tops, options):
    tops = " ".join(f'top: "{top}"' for top in tops)
    return f'layer {{ name: "data" type: "DummyData" {tops} dummy_data_param {{ {options} }} }}'


BOTH = "mirror: true crop_size: 9 "
MEANS = "mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.017"
LMDB, ENCODED, FLOATS = (f'backend: LMDB source: "{name}"' for name in ("pixels", "encoded", "floats"))
CASES = {  # name: the layer, and the phases to run it in
    "dummy_fillers": (
        _dummy_data(
            ("a", "b", "c"),
            """shape { dim: 2 dim: 3 } shape { dim: 4 } shape { dim: 2 dim: 2 dim: 5 }
            data_filler { type: "gaussian" std: 2 } data_filler { type: "constant" value: 3.5 }
            data_filler { type: "uniform" min: -1 max: 2 }""",
        ),
        ["TRAIN"],
    ),
    "dummy_one_filler": (
        _dummy_data(("a", "b"), 'shape { dim: 2 dim: 3 } data_filler { type: "gaussian" mean: 1 }'),
        ["TRAIN"],
    ),
    "dummy_old_sizes": (_dummy_data(("a", "b"), "num: 2 num: 3 channels: 4 height: 1 width: 2 width: 5"), ["TRAIN"]),
    "data_random": (_data(LMDB, BOTH + MEANS), ["TRAIN", "TEST"]),
    "data_mean_file": (_data(LMDB, 'mirror: true crop_size: 6 scale: 0.1 mean_file: "mean"'), ["TRAIN", "TEST"]),
    "data_plain": (_data(LMDB, ""), ["TRAIN"]),
    "data_one_mean_value": (_data(LMDB, "mean_value: 7 crop_size: 4"), ["TRAIN"]),
    "data_floats": (_data(FLOATS, "mirror: true crop_size: 5 mean_value: 0.25 scale: 3"), ["TRAIN"]),
    "data_encoded_color": (_data(ENCODED, BOTH + MEANS + " force_color: true"), ["TRAIN", "TEST"]),
    "data_encoded_gray": (_data(ENCODED, BOTH + " force_gray: true"), ["TRAIN"]),
    "data_encoded_as_it_is": (_data('backend: LMDB source: "encoded_alike"', "mirror: true"), ["TRAIN"]),
    "images_in_order": (_image_data('source: "alike.txt" batch_size: 3', ""), ["TRAIN"]),
    "images_shuffled": (
        _image_data('source: "list.txt" batch_size: 3 shuffle: true', BOTH + MEANS),
        ["TRAIN", "TEST"],
    ),
    "images_resized": (
        _image_data(
            'source: "list.txt" batch_size: 4 shuffle: true rand_skip: 5 new_height: 17 new_width: 13', "crop_size: 11"
        ),
        ["TRAIN", "TEST"],
    ),
    "images_gray": (
        _image_data(
            'source: "names.txt" root_folder: "images/" batch_size: 2 is_color: false rand_skip: 3',
            "mirror: true crop_size: 8 mean_value: 100",
        ),
        ["TRAIN"],
    ),
    "windows_warped": (_window_data("fg_fraction: 0.4", "crop_size: 12 mirror: true"), ["TRAIN", "TEST"]),
    "windows_padded": (
        _window_data('context_pad: 3 root_folder: "" cache_images: true', "crop_size: 16 mirror: true " + MEANS),
        ["TRAIN"],
    ),
    "windows_square": (
        _window_data(
            'crop_mode: "square" context_pad: 2 fg_fraction: 0.5 fg_threshold: 0.6 bg_threshold: 0.3',
            'crop_size: 14 mean_file: "window_mean"',
        ),
        ["TRAIN"],
    ),
    "windows_square_without_pad": (_window_data('crop_mode: "square"', "crop_size: 11 mean_value: 9"), ["TEST"]),
    "hdf5_in_order": (_hdf5_data("files.txt", 4, "false"), ["TRAIN"]),
    "hdf5_shuffled": (_hdf5_data("files.txt", 4, "true"), ["TRAIN", "TEST"]),
    "hdf5_one_file_shuffled": (_hdf5_data("one_file.txt", 7, "true"), ["TRAIN"]),
}
if HAS_LEVELDB:
    CASES["data_leveldb"] = _data('backend: LEVELDB source: "leveldb"', BOTH), ["TRAIN"]


def write(folder):
    """Write the prototxt of every case and all files they read into a folder."""
    folder = Path(folder)
    numbers = np.random.RandomState(0)
    images = _write_images(folder, numbers)
    _write_databases(folder, numbers, images)
    _write_windows(folder, numbers)
    _write_hdf5(folder, numbers)
    for name, (layer, _) in CASES.items():
        (folder / (name + ".prototxt")).write_text(layer + NOISE)
    (folder / "cases.json").write_text(json.dumps({name: phases for name, (_, phases) in CASES.items()}))


def _write_images(folder, numbers):
    """PNG files of several sizes and kinds; returns their names and bytes."""
    import cv2

    (folder / "images").mkdir()
    files, names = {}, []
    for index, (height, width, channels) in enumerate(
        ((12, 15, 3), (20, 11, 3), (16, 16, 1), (11, 24, 4), (30, 30, 3), (12, 15, 3), (12, 15, 3))
    ):
        pixels = numbers.randint(0, 256, (height, width, channels), dtype=np.uint8)
        name = f"image {index}.png" if index == 4 else f"image{index}.png"
        files[name] = cv2.imencode(".png", pixels)[1].tobytes()
        (folder / "images" / name).write_bytes(files[name])
        names.append(name)
    lines = [f"{name} {index * 3 - 1}\n" for index, name in enumerate(names)]
    (folder / "names.txt").write_text("".join(lines))
    (folder / "list.txt").write_text("".join("images/" + line for line in lines))
    (folder / "alike.txt").write_text("".join("images/" + lines[index] for index in (5, 0, 6, 5)))
    return files


def _write_databases(folder, numbers, images):
    import lmdb
    from recaffe.proto import caffe_pb2

    def fill(name, datums):
        with lmdb.open(str(folder / name)) as environment, environment.begin(write=True) as transaction:
            for index, datum in enumerate(datums):
                transaction.put(b"%05d" % index, datum.SerializeToString())

    shape = (3, 14, 13)
    sizes = {"channels": 3, "height": 14, "width": 13}
    pixels = [numbers.randint(0, 256, shape).astype(np.uint8).tobytes() for _ in range(7)]
    raw = [caffe_pb2.Datum(data=data, label=index, **sizes) for index, data in enumerate(pixels)]
    encoded = [caffe_pb2.Datum(data=data, label=index, encoded=True) for index, data in enumerate(images.values())]
    fill("pixels", raw)
    fill("encoded", encoded)
    fill("encoded_alike", [encoded[index] for index in (0, 5, 6, 0)])
    fill("floats", [caffe_pb2.Datum(float_data=numbers.randn(3 * 14 * 13), label=index, **sizes) for index in range(5)])
    for name, (height, width) in (("mean", shape[1:]), ("window_mean", (20, 19))):
        mean = caffe_pb2.BlobProto(num=1, channels=3, height=height, width=width)
        mean.data.extend(numbers.uniform(0, 255, 3 * height * width))
        (folder / name).write_bytes(mean.SerializeToString())
    if HAS_LEVELDB:
        import plyvel

        database = plyvel.DB(str(folder / "leveldb"), create_if_missing=True)
        for index, datum in enumerate(raw):
            database.put(b"%05d" % index, datum.SerializeToString())
        database.close()


def _write_windows(folder, numbers):
    lines = []
    for index, (name, height, width) in enumerate(
        (("image0.png", 12, 15), ("image1.png", 20, 11), ("image3.png", 11, 24), ("image2.png", 16, 16))
    ):
        lines += [f"# {index}", "images/" + name, "3", str(height), str(width), "9"]
        for window in range(9):
            x1, y1 = numbers.randint(0, width - 1), numbers.randint(0, height - 1)
            x2, y2 = numbers.randint(x1, width), numbers.randint(y1, height)
            overlap = (0.0, 0.2, 0.45, 0.5, 0.7, 1.0)[window % 6]
            lines.append(f"{window % 3 + 1} {overlap} {x1} {y1} {x2} {y2}")
    (folder / "windows.txt").write_text("\n".join(lines) + "\n")


def _write_hdf5(folder, numbers):
    import h5py

    for index, n_rows in enumerate((5, 1, 9)):
        with h5py.File(str(folder / f"rows{index}.h5"), "w") as file:
            file["values"] = numbers.randn(n_rows, 2, 3).astype(np.float32)
            file["more"] = numbers.randn(n_rows, 4)  # float64
            file["label"] = np.arange(n_rows) + 100 * index
    (folder / "files.txt").write_text("rows0.h5\nrows1.h5 rows2.h5\n")
    (folder / "one_file.txt").write_text("rows2.h5")


def forward(caffe):
    """{"CASE/PHASE/STEP/BLOB": array} of every case in the working directory, as `cases.json` lists them."""
    arrays = {}
    for name, phases in json.loads(Path("cases.json").read_text()).items():
        for phase in phases:
            caffe.set_random_seed(20)
            net = caffe.Net(name + ".prototxt", PHASES[phase])
            for step in range(STEPS):
                net.forward()
                arrays.update((f"{name}/{phase}/{step}/{blob}", net.blobs[blob].data.copy()) for blob in net.blobs)
    return arrays


def record():
    python = os.environ.get("CAFFE_PYTHON", str(TESTS.parents[1] / ".caffe" / "caffe-python"))
    with tempfile.TemporaryDirectory() as folder:
        write(folder)
        command = [python, str(Path(__file__).resolve()), "forward", str(TESTS / "recorded" / "data_layers.npz")]
        subprocess.run(command, cwd=folder, env=dict(os.environ, GLOG_minloglevel="2"), check=True)


if __name__ == "__main__":
    if sys.argv[1] == "record":
        record()
    else:
        import caffe

        np.savez_compressed(sys.argv[2], **forward(caffe))
