"""Sources of data by the name that an experiment file uses."""

from refimpl.datasets.classes import Classes
from refimpl.datasets.dataset import Dataset
from refimpl.datasets.digits import Digits
from refimpl.datasets.files import File
from refimpl.datasets.gaussian import Gaussian
from refimpl.datasets.idx import IDX
from refimpl.datasets.integers import Integers
from refimpl.datasets.xor import XOR

DATASETS = {
    "gaussian": Gaussian,
    "xor": XOR,
    "integers": Integers,
    "classes": Classes,
    "digits": Digits,
    "idx": IDX,
    "file": File,
}

__all__ = ["DATASETS", "IDX", "XOR", "Classes", "Dataset", "Digits", "File", "Gaussian", "Integers"]
