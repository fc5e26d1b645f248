"""How each library writes a penalised least-squares objective, by the name that `parity convert` uses."""

from refimpl.conventions.glmnet import Glmnet
from refimpl.conventions.keras import Keras
from refimpl.conventions.mass import LmRidge
from refimpl.conventions.optax import Optax
from refimpl.conventions.sklearn_coordinate_descent import ElasticNet, Lasso
from refimpl.conventions.sklearn_ridge import Ridge
from refimpl.conventions.sklearn_sgd import SGDRegressor
from refimpl.conventions.statsmodels import FitRegularized
from refimpl.conventions.torch import Torch
from refimpl.objective import Convention

CONVENTIONS: dict[str, type[Convention]] = {
    "torch": Torch,
    "sklearn.Ridge": Ridge,
    "sklearn.Lasso": Lasso,
    "sklearn.ElasticNet": ElasticNet,
    "sklearn.SGDRegressor": SGDRegressor,
    "statsmodels": FitRegularized,
    "optax": Optax,
    "keras": Keras,
    "glmnet": Glmnet,
    "MASS.lm.ridge": LmRidge,
}

__all__ = ["CONVENTIONS"]
