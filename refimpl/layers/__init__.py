"""The parts of networks, each with its local derivatives by hand, by name; :data:`LOSSES` are those that end one."""

from refimpl.layers.absolute import Absolute
from refimpl.layers.attention import Attention
from refimpl.layers.batch_norm import BatchNorm
from refimpl.layers.bce_with_logits import BCEWithLogits
from refimpl.layers.bias import Bias
from refimpl.layers.convolution import Convolution
from refimpl.layers.cross_entropy import CrossEntropy
from refimpl.layers.dropout import Dropout
from refimpl.layers.embedding import Embedding
from refimpl.layers.gelu import GELU
from refimpl.layers.huber import Huber
from refimpl.layers.layer_norm import LayerNorm
from refimpl.layers.linear import Linear
from refimpl.layers.relu import ReLU
from refimpl.layers.residual import Residual
from refimpl.layers.rms_norm import RMSNorm
from refimpl.layers.silu import SiLU
from refimpl.layers.softmax import Softmax
from refimpl.layers.squared_error import SquaredError
from refimpl.layers.tanh import Tanh

LAYERS = {
    "linear": Linear,
    "convolution": Convolution,
    "embedding": Embedding,
    "bias": Bias,
    "residual": Residual,
    "relu": ReLU,
    "gelu": GELU,
    "silu": SiLU,
    "tanh": Tanh,
    "dropout": Dropout,
    "softmax": Softmax,
    "layer_norm": LayerNorm,
    "rms_norm": RMSNorm,
    "batch_norm": BatchNorm,
    "attention": Attention,
}

LOSSES = {
    "cross_entropy": CrossEntropy,
    "squared_error": SquaredError,
    "absolute": Absolute,
    "huber": Huber,
    "bce_with_logits": BCEWithLogits,
}

__all__ = [
    "GELU",
    "LAYERS",
    "LOSSES",
    "Absolute",
    "Attention",
    "BCEWithLogits",
    "BatchNorm",
    "Bias",
    "Convolution",
    "CrossEntropy",
    "Dropout",
    "Embedding",
    "Huber",
    "LayerNorm",
    "Linear",
    "RMSNorm",
    "ReLU",
    "Residual",
    "SiLU",
    "Softmax",
    "SquaredError",
    "Tanh",
]
