"""The paper's own results, where it prints numbers: errors of the traced boundaries (Figure 9).

Source: Tajbakhsh et al. 2016, Figure 9: 132 test regions of 11 subjects, mean and SD in um. Of its ROC and FROC curves
it prints none.
"""

from __future__ import annotations

from dataclasses import dataclass

from layerwise.schemes import HANDCRAFTED, SCHEMES


@dataclass(frozen=True)
class PaperErrors:
    """Mean and SD over 132 regions, um."""

    li_mean_um: float
    li_sd_um: float
    ma_mean_um: float
    ma_sd_um: float


_SCRATCH = PaperErrors(28.11, 13.79, 33.45, 16.17)  # the paper has one row, and says that the fillings end alike
INTIMA = {
    "finetune-fc8": PaperErrors(100.97, 132.64, 103.26, 58.48),
    "finetune-fc7": PaperErrors(34.67, 14.77, 43.93, 21.79),
    "finetune-fc6": PaperErrors(27.87, 11.83, 34.63, 14.49),
    "finetune-conv5": PaperErrors(25.32, 11.02, 31.94, 13.13),
    "finetune-conv4": PaperErrors(25.01, 9.94, 30.55, 11.97),
    "finetune-conv3": PaperErrors(24.37, 10.79, 31.80, 11.98),
    "finetune-conv2": PaperErrors(24.71, 10.25, 31.74, 12.37),
    "finetune-conv1": PaperErrors(24.74, 11.42, 31.21, 12.56),
    **{name: _SCRATCH for name, scheme in SCHEMES.items() if not scheme.copies_source},
    HANDCRAFTED: PaperErrors(98.17, 16.57, 106.62, 21.00),
}
