"""Sources of data by the name that an experiment file uses."""

from refimpl.datasets.dataset import Dataset
from refimpl.datasets.files import File
from refimpl.datasets.gaussian import Gaussian
from refimpl.datasets.integers import Integers
from refimpl.datasets.xor import XOR

DATASETS = {"gaussian": Gaussian, "xor": XOR, "integers": Integers, "file": File}

__all__ = ["DATASETS", "XOR", "Dataset", "File", "Gaussian", "Integers"]
