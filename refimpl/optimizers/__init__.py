"""Optimizers by the name that an experiment file uses; LBFGS, which takes all parameters at once, is none of them."""

from refimpl.optimizers.adabelief import AdaBelief
from refimpl.optimizers.adabound import AdaBound
from refimpl.optimizers.adadelta import Adadelta
from refimpl.optimizers.adafactor import Adafactor
from refimpl.optimizers.adafactor_paper import AdafactorPaper
from refimpl.optimizers.adagrad import Adagrad
from refimpl.optimizers.adam import Adam
from refimpl.optimizers.adamax import Adamax
from refimpl.optimizers.adamod import AdaMod
from refimpl.optimizers.adamp import AdamP
from refimpl.optimizers.adamw import AdamW
from refimpl.optimizers.adan import Adan
from refimpl.optimizers.ademamix import AdEMAMix
from refimpl.optimizers.adopt import ADOPT
from refimpl.optimizers.aggmo import AggMo
from refimpl.optimizers.asgd import ASGD
from refimpl.optimizers.dadapt_adam import DAdaptAdam
from refimpl.optimizers.diffgrad import DiffGrad
from refimpl.optimizers.lamb import LAMB
from refimpl.optimizers.laprop import LaProp
from refimpl.optimizers.lars import LARS
from refimpl.optimizers.lbfgs import LBFGS
from refimpl.optimizers.lion import Lion
from refimpl.optimizers.madgrad import MADGRAD
from refimpl.optimizers.muon import Muon
from refimpl.optimizers.nadam import NAdam
from refimpl.optimizers.novograd import NovoGrad
from refimpl.optimizers.prodigy import Prodigy
from refimpl.optimizers.proximal_sgd import ProximalSGD
from refimpl.optimizers.radam import RAdam
from refimpl.optimizers.rmsprop import RMSprop
from refimpl.optimizers.rprop import Rprop
from refimpl.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from refimpl.optimizers.schedule_free_sgd import ScheduleFreeSGD
from refimpl.optimizers.sgd import SGD
from refimpl.optimizers.sgdp import SGDP
from refimpl.optimizers.sgdw import SGDW
from refimpl.optimizers.shampoo import Shampoo
from refimpl.optimizers.sign_sgd import SignSGD
from refimpl.optimizers.soap import SOAP
from refimpl.optimizers.sophia import Sophia
from refimpl.optimizers.sparse_adam import SparseAdam
from refimpl.optimizers.stableadamw import StableAdamW
from refimpl.optimizers.yogi import Yogi

OPTIMIZERS = {
    "sgd": SGD,
    "sgdw": SGDW,
    "proximal_sgd": ProximalSGD,
    "adam": Adam,
    "adamw": AdamW,
    "nadam": NAdam,
    "radam": RAdam,
    "adamax": Adamax,
    "sparse_adam": SparseAdam,
    "adagrad": Adagrad,
    "adadelta": Adadelta,
    "rmsprop": RMSprop,
    "rprop": Rprop,
    "asgd": ASGD,
    "adafactor": Adafactor,
    "muon": Muon,
    "lion": Lion,
    "lamb": LAMB,
    "lars": LARS,
    "adabelief": AdaBelief,
    "adan": Adan,
    "schedule_free_sgd": ScheduleFreeSGD,
    "schedule_free_adamw": ScheduleFreeAdamW,
    "laprop": LaProp,
    "adopt": ADOPT,
    "ademamix": AdEMAMix,
    "madgrad": MADGRAD,
    "novograd": NovoGrad,
    "sophia": Sophia,
    "yogi": Yogi,
    "adabound": AdaBound,
    "diffgrad": DiffGrad,
    "adamod": AdaMod,
    "aggmo": AggMo,
    "sign_sgd": SignSGD,
    "adamp": AdamP,
    "sgdp": SGDP,
    "stableadamw": StableAdamW,
    "shampoo": Shampoo,
    "prodigy": Prodigy,
    "dadapt_adam": DAdaptAdam,
    "adafactor_paper": AdafactorPaper,
    "soap": SOAP,
}

__all__ = [
    "ADOPT",
    "ASGD",
    "LAMB",
    "LARS",
    "LBFGS",
    "MADGRAD",
    "OPTIMIZERS",
    "SGD",
    "SGDP",
    "SGDW",
    "SOAP",
    "AdEMAMix",
    "AdaBelief",
    "AdaBound",
    "AdaMod",
    "Adadelta",
    "Adafactor",
    "AdafactorPaper",
    "Adagrad",
    "Adam",
    "AdamP",
    "AdamW",
    "Adamax",
    "Adan",
    "AggMo",
    "DAdaptAdam",
    "DiffGrad",
    "LaProp",
    "Lion",
    "Muon",
    "NAdam",
    "NovoGrad",
    "Prodigy",
    "ProximalSGD",
    "RAdam",
    "RMSprop",
    "Rprop",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "Shampoo",
    "SignSGD",
    "Sophia",
    "SparseAdam",
    "StableAdamW",
    "Yogi",
]
