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
    "softness-and-d2": Caption(
        title="Where the glass is soft, and where it rearranged",
        text="Atoms where they were before the load, as large as their radii, coloured by QS. Contours: D² after it, averaged "
        "over neighbouring atoms of the slice.",
        alt="Map of the atoms of a thin slice of the box, coloured by quench-in softness, with contours of D²",
    ),
    "slice": Caption(
        title="D² and predicted atoms in a slice",
        text="The same slice, the other way round. Colour: non-affine displacement D², averaged over neighbouring atoms; white"
        " circles: atoms with QS > 0.5, known before any strain; faint circles: the other atoms; dots: atoms without QS, "
        "as near free surfaces. White line on the colour bar: the plastic threshold.",
        alt="Map of D² in a thin slice of the box, with the atoms of QS above 0.5 circled in white",
        published="slice of 2.0 Å at 4 % strain (Fig. 2a): plastic regions start where circles gather.",
    ),
    "predicted-given-d2": Caption(
        title="Predicted plastic, by what really happened",
        text="Fraction of atoms with QS > 0.5, those predicted to be plastic, among atoms of a given D². A useful QS makes it "
        "rise.",
        alt="Line chart: fraction of atoms predicted plastic against D², on a logarithmic axis",
        published="it rises with D² (Fig. 2b); 74.2 % of the plastic atoms are found.",
    ),
    "softness-distribution": Caption(
        title="Distribution of QS",
        text="How many atoms of each softness this glass has; its hard and its soft end are coloured. Black bars: 95 % "
        "confidence by blocks of space, where they are known.",
        alt="Histogram of quench-in softness with the hard end and the soft end coloured",
        published="Cu65Zr35 at 5e10 K/s: 13 % with QS < 0.1, 11 % with QS > 0.7, std 0.230 (Fig. 3a).",
    ),
    "softness-map": Caption(
        title="Softness in a slice",
        text="The atoms of a thin slice, as large as their radii, coloured by QS; grey: atoms without QS. The black line is "
        "the cell.",
        alt="Map of the atoms of a thin slice of the box, coloured by quench-in softness",
    ),
    "plastic-given-softness": Caption(
        title="Chance to rearrange, by softness",
        text="Fraction of plastic atoms among atoms of a given QS, with intervals by blocks of space where they tell, else "
        "binomial (Wilson); right axis: relative to all atoms. The line is what a calibrated model trained on equal "
        "classes would give, with plastic atoms as rare as here.",
        alt="Chart on a logarithmic axis: probability of being plastic against quench-in softness, with intervals",
        published="several orders of magnitude from hard to soft; the ratio is 1 at QS = 0.5 (Fig. 3b).",
    ),
    "mass-scaling": Caption(
        title="Mass scaling of hard, soft and all atoms",
        text="Mean number of atoms of the same class within r of an atom. The slope is the dimension D: below 3 where atoms "
        "gather in chains and sheets, 3 where they fill space. Bands: 95 % confidence by blocks of space.",
        alt="Log-log chart: atoms of the own class within a distance, for hard, soft and all atoms",
        published="hard and soft atoms are fractal (D < 3) below 10 Å, the hard ones more so, and fill space (D close to 3) beyond "
        "(Fig. 3c).",
    ),
    "dimension": Caption(
        title="Dimension by distance",
        text="Local slope of the mass scaling. Its waves are those of the shells of neighbours, which all atoms have.",
        alt="Chart: local dimension of hard, soft and all atoms against distance",
        published="crossover at 10 Å, about four shells of neighbours (Fig. 3c).",
    ),
    "class-g": Caption(
        title="Pair correlation of hard and soft atoms",
        text="How many times more of the second class there are at a distance than by its mean density.",
        alt="Chart: pair correlation functions of hard and soft atoms against distance",
        published="the first peak of the hard atoms is higher, and their peaks last for about four shells; those of the soft ones "
        "smear out (inset of Fig. 3c).",
    ),
    "cluster-sizes": Caption(
        title="Clusters of neighbouring hard and soft atoms",
        text="Share of the atoms of a class that are in clusters of a size; pale: exactly as many atoms taken at random. "
        "Neighbours are those within the cut-off of the first shell.",
        alt="Bar chart: share of hard and soft atoms in clusters of a size, and of atoms taken at random",
        published="hard atoms are likelier to form a backbone that goes through the glass, soft spots are localised (no value).",
    ),
    "contrast": Caption(
        title="Hard against soft atoms",
        text="The columns in which they differ most, each a feature of the undeformed structure. Shapes: how their values are "
        "distributed, hard atoms blue, soft ones orange; bars: medians; AUC: chance that a soft atom has the larger "
        "value, with its interval; d: difference of the means in standard deviations.",
        alt="Violins of the most separating columns for hard and for soft atoms",
        published="a single interstice feature separates them largely; soft atoms have less regular neighbours, with high spread of"
        " distance, area and volume interstices in short and medium range (Fig. 3d).",
    ),
    "activation-softness": Caption(
        title="QS of the atoms that become plastic",
        text="QS, fixed before any strain, of the newly plastic atoms (plastic for the first time at this strain) and of the "
        "activated ones (plastic at this or an earlier strain). Softer atoms go first; meeting the dashed line means that"
        " structure no longer matters.",
        alt="Chart of mean and distribution of quench-in softness of newly plastic atoms against strain",
        published="activation follows QS until shear banding at a strain of about 0.065 (Fig. 3e).",
    ),
    "localisation": Caption(
        title="Where rearrangements gather",
        text="Excess QS: mean QS of the newly plastic atoms less that of the atoms at risk, which were not plastic before. "
        "Localisation in blocks of space: 0 where rearrangements are spread evenly, towards 1 where all are in one block."
        " Broken lines with common breaks mark the crossover; bands are 95 % confidence by blocks of space.",
        alt="Chart against strain: excess softness of newly plastic atoms and localisation of plasticity, with broken lines",
        published="shear banding at a strain of about 0.065 disrupts the sequence: plasticity extends across all QS (Fig. 3e).",
    ),
    "avalanches": Caption(
        title="Avalanches",
        text="Neighbours that become plastic at the same step. Inset: mean QS of their atoms by size; dashed, of all atoms.",
        alt="Chart against strain: largest and mean size of avalanches; inset: softness of their atoms by size",
        published="avalanches near yielding: one rearrangement triggers others (no value).",
    ),
    "ensemble-distribution": Caption(
        title="QS by composition and thermal history",
        text="Mean over replicas; bands are standard errors. Dotted: hard below, soft above.",
        alt="Histograms of quench-in softness by composition and quench rate",
        published="Cu80 is like Cu65, Cu50 more centred about 0.5; faster quenches are more alike, with fewer hard atoms (Fig. 3f).",
    ),
    "ensemble-spread": Caption(
        title="Structural heterogeneity",
        text="Standard deviation of QS, with standard errors over replicas.",
        alt="Chart: standard deviation of quench-in softness by composition and quench rate, with published values",
        published="std(QS) of Cu50, Cu65 and Cu80 at 5e10 K/s: 0.196, 0.230, 0.234; it falls with the quench rate.",
    ),
    "activation-auc": Caption(
        title="How long QS keeps its meaning",
        text="AUC-ROC of QS at every strain, for the atoms plastic there and for the newly plastic among those at risk, which "
        "were not plastic before; bands are 95 % confidence by blocks of space. Below: plastic atoms.",
        alt="Two charts against strain: AUC-ROC of quench-in softness, and percentage of plastic atoms",
        published="AUC 0.771 at a strain of 0.040, 3.5–6.0 % plastic atoms there.",
    ),
    "activation-deciles": Caption(
        title="Activated fraction of each tenth",
        text="Atoms sorted by QS into tenths (deciles); lines show which share of each has been plastic by then. Lines that "
        "close up show activation at all levels of QS.",
        alt="Line chart on a logarithmic axis: activated fraction of each decile of quench-in softness",
        published="plasticity extends across all levels of QS upon shear banding (Fig. 3e).",
    ),
    "roc": Caption(
        title="ROC curve",
        text="Plastic atoms found against other atoms wrongly called plastic, for every cut of QS. In brackets: 95 % "
        "confidence by blocks of space.",
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
        text="Observed frequency, carried to equal numbers of plastic and other atoms as in training, against QS. On the "
        "diagonal, QS can be read as a probability for such a mixture; plastic atoms being rare, far fewer of the atoms "
        "of this QS are plastic in the glass.",
        alt="Calibration chart: observed plastic probability at equal classes against quench-in softness",
    ),
}
