"""What is said below each picture, and the published value that stands beside it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CAPTIONS", "Caption"]


class Caption(NamedTuple):
    """Words that go with a picture.

    Attributes
    ----------
    title : str
        A few words.
    text : str
        How to read it.
    alt : str
        For readers who cannot see it.
    published : str
        What Wang & Jain (2019) found, empty if nothing corresponds.
    """

    title: str
    text: str
    alt: str
    published: str = ""


#: By the name of the picture.
CAPTIONS = {
    "slice": Caption(
        title="D² and predicted atoms in a slice",
        text="A thin slice of the box. Colour: non-affine displacement D², averaged over neighbouring "
        "atoms of the slice; white circles: atoms with QS > 0.5, known before any strain; faint "
        "circles: the other atoms; dots: atoms without QS, as near free surfaces. White line on the "
        "colour bar: the plastic threshold.",
        alt="Map of D² in a thin slice of the box, with the atoms of QS above 0.5 circled in white",
        published="slice of 2.0 Å at 4 % strain (Fig. 2a): plastic regions start where circles gather.",
    ),
    "predicted-given-d2": Caption(
        title="Predicted plastic, by what really happened",
        text="Fraction of atoms with QS > 0.5 among atoms of a given D². A useful QS makes it rise.",
        alt="Line chart: fraction of atoms predicted plastic against D², on a logarithmic axis",
        published="it rises with D² (Fig. 2b); 74.2 % of the plastic atoms are found.",
    ),
    "softness-distribution": Caption(
        title="Distribution of QS",
        text="How many atoms of each softness this glass has; its hard and its soft end are coloured.",
        alt="Histogram of quench-in softness with the hard end and the soft end coloured",
        published="Cu65Zr35 at 5e10 K/s: 13 % with QS < 0.1, 11 % with QS > 0.7, std 0.230 (Fig. 3a).",
    ),
    "softness-map": Caption(
        title="Softness in a slice",
        text="The atoms of a thin slice, as large as their radii, coloured by QS; grey: atoms without QS. The black "
        "line is the cell.",
        alt="Map of the atoms of a thin slice of the box, coloured by quench-in softness",
    ),
    "plastic-given-softness": Caption(
        title="Chance to rearrange, by softness",
        text="Fraction of plastic atoms among atoms of a given QS, with binomial (Wilson) intervals; right "
        "axis: relative to all atoms. The line is what a calibrated model trained on equal classes "
        "would give.",
        alt="Chart on a logarithmic axis: probability of being plastic against quench-in softness, with intervals",
        published="several orders of magnitude from hard to soft; the ratio is 1 at QS = 0.5 (Fig. 3b).",
    ),
    "activation-softness": Caption(
        title="QS of the atoms that become plastic",
        text="QS, fixed before any strain, of the atoms plastic for the first time at each strain and of "
        "all plastic by then. Softer atoms go first; meeting the dashed line means that structure no "
        "longer matters.",
        alt="Chart of mean and distribution of quench-in softness of newly plastic atoms against strain",
        published="activation follows QS until shear banding at a strain of about 0.065 (Fig. 3e).",
    ),
    "activation-auc": Caption(
        title="How long QS keeps its meaning",
        text="AUC-ROC of QS at every strain, for the atoms plastic there and for the newly plastic among "
        "those not yet activated; bands are one standard error with atoms taken as independent. "
        "Below: plastic atoms.",
        alt="Two charts against strain: AUC-ROC of quench-in softness, and percentage of plastic atoms",
        published="AUC 0.771 at a strain of 0.040, 3.5–6.0 % plastic atoms there.",
    ),
    "activation-deciles": Caption(
        title="Activated fraction of each tenth",
        text="Atoms sorted by QS into tenths; lines show how much of each tenth has been plastic by then. "
        "Lines that close up show activation at all levels of QS.",
        alt="Line chart on a logarithmic axis: activated fraction of each decile of quench-in softness",
        published="plasticity extends across all levels of QS upon shear banding (Fig. 3e).",
    ),
    "roc": Caption(
        title="ROC curve",
        text="Plastic atoms found against other atoms wrongly called plastic, for every cut of QS; ± is one standard error with "
        "atoms taken as independent.",
        alt="ROC curve of quench-in softness for plastic atoms, with the diagonal of a random guess",
        published="area 0.771; recall 0.742 at QS > 0.5.",
    ),
    "precision-recall": Caption(
        title="Precision and recall",
        text="How many of the atoms called plastic are so, against how many of the plastic ones are found, for every cut of "
        "QS. Where plastic atoms are rare, this tells more than the ROC curve.",
        alt="Precision-recall curve of quench-in softness for plastic atoms, with the line of a random guess",
    ),
    "calibration": Caption(
        title="Calibration",
        text="Observed frequency, carried to equal numbers of plastic and other atoms as in training, "
        "against QS. On the diagonal, QS can be read as a probability.",
        alt="Calibration chart: observed plastic probability at equal classes against quench-in softness",
    ),
    "importance": Caption(
        title="Most important features",
        text="Importance of the leading features, averaged over the fold models.",
        alt="Bar chart of the most important features",
    ),
}
