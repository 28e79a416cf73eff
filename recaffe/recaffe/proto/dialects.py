"""Names that belong to other people's Caffe: fields, layer types and enum values that BVLC Caffe does not have.

A file written for one of these forks is refused with the fork's name instead of a nearest guess. Facts from the schemas
and layer registries of NVIDIA/caffe 0.17, intel/caffe, weiliu89/caffe (SSD), rbgirshick/caffe-fast-rcnn,
alexgkendall/caffe-segnet and hszhao/PSPNet; DeepLab's, ShuffleNet's and MobileNet's layers as their nets use them.
"""

from __future__ import annotations

_SSD_LAYERS = {
    "AnnotatedData": "annotated_data_param",
    "DetectionEvaluate": "detection_evaluate_param",
    "DetectionOutput": "detection_output_param",
    "MultiBoxLoss": "multibox_loss_param",
    "Normalize": "norm_param",
    "Permute": "permute_param",
    "PriorBox": "prior_box_param",
    "SmoothL1Loss": "",
    "VideoData": "video_data_param",
}
# Layer type -> field of LayerParameter with its options ("" where it has none), by dialect.
_LAYERS: dict[str, dict[str, str]] = {
    "SSD": _SSD_LAYERS,
    "NVIDIA": {
        **_SSD_LAYERS,
        "Axpy": "",
        "DetectNetTransformation": "detectnet_groundtruth_param detectnet_augmentation_param",
        "L1Loss": "",
        "TRT": "trt_param",
    },
    "Intel": {
        **_SSD_LAYERS,
        "Axpy": "",
        "BoxAnnotatorOHEM": "box_annotator_ohem_param",
        "BoxData": "",
        "EvalDetection": "eval_detection_param",
        "MKLBatchNorm": "",
        "MnActivation": "mn_activation_param",
        "PSROIPooling": "psroi_pooling_param",
        "ROIPooling": "roi_pooling_param",
        "RegionLoss": "region_loss_param",
        "Reorg": "reorg_param",
        "SmoothL1Loss": "smooth_l1_loss_param",
        "SmoothL1LossOHEM": "",
        "SoftmaxWithLossOHEM": "",
        "SpatialDropout": "spatial_dropout_param",
        "Split": "split_param",
    },
    "Fast R-CNN": {"ROIPooling": "roi_pooling_param", "SmoothL1Loss": "smooth_l1_loss_param"},
    "SegNet": {"BN": "bn_param", "DenseImageData": "dense_image_data_param", "Upsample": "upsample_param"},
    "DeepLab": {
        "DenseCRF": "densecrf_param",
        "ImageSegData": "",
        "Interp": "interp_param",
        "MatRead": "mat_read_param",
        "MatWrite": "mat_write_param",
        "SegAccuracy": "seg_accuracy_param",
        "UniqueLabel": "unique_label_param",
    },
    "PSPNet": {
        "BN": "bn_param",
        "BatchReduction": "batch_reduction_param",
        "ImageSegData": "",
        "Interp": "interp_param",
        "ROIPooling": "roi_pooling_param",
        "SegAccuracy": "seg_accuracy_param",
        "VideoData": "video_data_param",
    },
    "ShuffleNet": {"ShuffleChannel": "shuffle_channel_param"},
    "MobileNet": {"DepthwiseConvolution": ""},
}
_SSD_TRANSFORM = "crop_h crop_w resize_param noise_param distort_param expand_param emit_constraint"
_SSD_SOLVER = "eval_type ap_version show_per_class_result plateau_winsize"
# Message of BVLC Caffe -> fields that a dialect adds to it, by dialect; those of layer types stand above.
_FIELDS: dict[str, dict[str, str]] = {
    "SSD": {"TransformationParameter": _SSD_TRANSFORM, "SolverParameter": _SSD_SOLVER},
    "NVIDIA": {
        "BatchNormParameter": "scale_filler bias_filler scale_bias engine",
        "BlobProto": "raw_data_type raw_diff_type raw_data raw_diff",
        "ConvolutionParameter": "cudnn_convolution_algo_seeker conv_algos_override",
        "DataParameter": "threads parser_threads cache shuffle precache",
        "Datum": "record_id",
        "DropoutParameter": "engine random_seed",
        "ELUParameter": "lambda",
        "ImageDataParameter": "short_side threads cache precache dataset_share_per_node",
        "LayerParameter": "forward_type backward_type forward_math backward_math debug cudnn_math_override",
        "LossParameter": "label_smoothing",
        "NetParameter": "default_forward_type default_backward_type default_forward_math default_backward_math "
        "global_grad_scale global_grad_scale_adaptive default_conv_algos_override reduce_buckets "
        "default_cudnn_math_override eltwise_mem_sharing",
        "PoolingParameter": "torch_pooling",
        "SolverParameter": _SSD_SOLVER + " rampup_interval rampup_lr min_lr momentum_policy max_momentum "
        "momentum_power larc larc_policy larc_eta larc_turbo weight_decay_policy weight_decay_power max_weight_decay "
        "solver_data_type store_blobs_in_old_format test_and_snapshot_last_epochs",
        "TransformationParameter": _SSD_TRANSFORM + " img_rand_resize_lower img_rand_resize_upper "
        "rand_resize_ratio_lower rand_resize_ratio_upper vertical_stretch_lower vertical_stretch_upper "
        "horizontal_stretch_lower horizontal_stretch_upper interpolation_algo_down interpolation_algo_up "
        "allow_upscale forward_packing use_gpu_transform random_seed display num_labels",
    },
    "Intel": {
        "BatchNormParameter": "engine use_weight_bias bias_term filler bias_filler stats_batch_size relu",
        "ConcatParameter": "per_fla_fuse engine",
        "ConvolutionParameter": "relu negative_slope conv_algorithm coeff fusion_type",
        "DataParameter": "shuffle side",
        "EltwiseParameter": "engine",
        "FillerParameter": "scale",
        "ImageDataParameter": "min_height min_width",
        "InnerProductParameter": "engine relu negative_slope",
        "LayerParameter": "engine multinode mn_grad_compress_param quantization_param",
        "LossParameter": "pre_fixed_normalizer label_smoothing",
        "NetParameter": "compile_net_state engine bn_stats_batch_size multinode",
        "PoolingParameter": "pad_3d kernel_size_3d stride_3d avg_include_pad axis",
        "ReLUParameter": "fuse",
        "ReshapeParameter": "pixelshuffler",
        "SolverParameter": _SSD_SOLVER + " stagelr stageiter disabled_update engine warmup_iter warmup_start_lr "
        "local_lr_auto local_gw_ratio test_offset",
        "TransformationParameter": _SSD_TRANSFORM + " random_resize_param random_aspect_ratio_param flow bgr2rgb pad",
    },
    "Fast R-CNN": {"DropoutParameter": "scale_train"},
    "SegNet": {"LossParameter": "weight_by_label_freqs class_weighting", "DropoutParameter": "sample_weights_test"},
    "DeepLab": {"ConvolutionParameter": "hole hole_h hole_w"},
    "PSPNet": {
        "ConvolutionParameter": "hole hole_h hole_w",
        "DataParameter": "shuffle",
        "TransformationParameter": "rand_resize rand_rotate gaussian_blur rand_aspect_ratio label_scalefactor "
        "label_offset rotate90n crop_w crop_h",
    },
}
_VALUES = {"NVIDIA": "FLOAT16 SAG", "Intel": "MKL2017 MKLDNN PRE_FIXED"}  # of enums, by dialect


def of_field(message: str, field: str) -> str | None:
    """Whose dialect an unknown field of a message is, as a sentence; None if it is nobody's that we know."""
    dialects = [name for name, fields in _FIELDS.items() if field in fields.get(message, "").split()]
    types: list[str] = []
    if message in ("LayerParameter", "V1LayerParameter"):
        for name, layers in _LAYERS.items():
            found = [layer_type for layer_type, fields in layers.items() if field in fields.split()]
            dialects += [name] if found else []
            types += [layer_type for layer_type in found if layer_type not in types]
    if not dialects:
        return None
    layers_text = f" ({', '.join(types)} layers)" if types else ""
    return f"field {field!r} belongs to {_of(dialects)}{layers_text}; {_LACKING}"


def of_layer_type(layer_type: str) -> str | None:
    """Whose dialect an unknown layer type is, as the tail of a sentence; None if it is nobody's that we know."""
    dialects = [name for name, layers in _LAYERS.items() if layer_type in layers and layer_type != "Split"]
    return f"it belongs to {_of(dialects)}; {_LACKING}" if dialects else None


def of_value(value: str) -> str | None:
    """Whose dialect an unknown enum value is, as the tail of a sentence; None if it is nobody's that we know."""
    dialects = [name for name, values in _VALUES.items() if value in values.split()]
    return f"has the value {value!r}, which belongs to {_of(dialects)}; {_LACKING}" if dialects else None


_LACKING = "BVLC Caffe and recaffe do not have it"


def _of(dialects: list[str]) -> str:
    if len(dialects) == 1:
        return f"the {dialects[0]} dialect of Caffe"
    return f"the {', '.join(dialects[:-1])} and {dialects[-1]} dialects of Caffe"
