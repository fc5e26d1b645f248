"""Experiment files that are wrong in one place, and what must be said of each."""

from __future__ import annotations

BASE = """
name = "mine"
epochs = 2
[data]
kind = "gaussian"
train_rows = 6
features = 3
[loss]
kind = "squared_error"
factor = 0.5
reduction = "mean"
[optimizer]
kind = "sgd"
lr = 0.01
"""
GAUSSIAN = 'kind = "gaussian"\ntrain_rows = 6\nfeatures = 3'
LOSS = '[loss]\nkind = "squared_error"\nfactor = 0.5\nreduction = "mean"\n'
L2 = '[[penalties]]\nkind = "l2"\n'
BIAS_GROUP = '[[groups]]\nparameters = ["bias"]\n'


def instead(old: str, new: str) -> str:
    assert BASE.count(old) == 1, old
    return BASE.replace(old, new)


def first(line: str) -> str:
    return f"{line}\n{BASE}"


def loaded(options: str = 'path = "data.csv"', rest: str = "") -> str:
    return instead(GAUSSIAN, f'kind = "file"\n{options}') + rest


# What is wrong → the experiment file, and what the line must say: the value given, and what is allowed or what to do.
FILES: dict[str, tuple[str | bytes, list[str]]] = {
    "not TOML": ("hello world", ["mine.toml: is not TOML", "line 1", "parity show"]),
    "TOML that is not UTF-8": (b"\xff\xfename = 1", ["mine.toml: is not TOML", "0xff", "parity show"]),
    "a table twice": (BASE + "[data]\n", ["mine.toml: is not TOML", "'data'", "twice"]),
    "an empty file": ("", ["data: is missing", "add a table [data]"]),
    "an unknown top-level key": (first("epoch = 2"), ["epoch: unknown key", "allowed: name", "did you mean 'epochs'?"]),
    "lists in lists without end": ("a = " + 2000 * "[" + 2000 * "]", ["nested too deeply", "four levels"]),
    "more epochs than memory": (
        BASE.replace("epochs = 2", "epochs = 1000000000000"),
        ["epochs: given 1000000000000", "GiB"],
    ),
    "an unknown nested key": (BASE + "momentun = 0.9", ["optimizer.momentun: unknown key", "did you mean 'momentum'?"]),
    "an unknown key with a line break": (BASE + '"l\\nr" = 1', ["unknown key", "allowed: lr, momentum"]),
    "an unknown key in a list of tables": (
        BASE + L2 + "strenght = 1",
        ["penalties[0].strenght: unknown key", "did you mean 'strength'?"],
    ),
    "an unknown key in a group": (
        BASE + BIAS_GROUP + "weight_decy = 1.0",
        ["groups[0].weight_decy: unknown key", "did you mean 'weight_decay'?"],
    ),
    "an unknown key of batches": (BASE + "[batches]\nsiz = 2", ["batches.siz: unknown key", "did you mean 'size'?"]),
    "an unknown optimizer": (instead('"sgd"', '"sdg"'), ["optimizer.kind: 'sdg' is unknown", "sgdw", "mean 'sgd'?"]),
    "an unknown data source": (instead('"gaussian"', '"gausian"'), ["data.kind: 'gausian'", "xor", "mean 'gaussian'?"]),
    "an unknown penalty": (BASE + '[[penalties]]\nkind = "l3"', ["penalties[0].kind: 'l3' is unknown", "elastic_net"]),
    "an unknown schedule": (BASE + '[schedule]\nkind = "stp"', ["schedule.kind: 'stp' is unknown", "mean 'step'?"]),
    "an unknown init": (BASE + '[init.bias]\nkind = "norml"', ["init.bias.kind: 'norml'", "mean 'normal'?"]),
    "an unknown model": (BASE + '[model]\nkind = "linaer"', ["model.kind: 'linaer'", "mean 'linear'?"]),
    "a missing kind": (instead('kind = "sgd"', ""), ["optimizer.kind: is missing", "allowed: sgd, sgdw"]),
    "a kind that is a list": (instead('"sgd"', '["sgd"]'), ["optimizer.kind: given ['sgd']", "text"]),
    "a kind that is a number": (instead('"sgd"', "3"), ["optimizer.kind: given 3", "text"]),
    "a missing required key": (instead("lr = 0.01", ""), ["optimizer.lr: is missing", "add lr to [optimizer]"]),
    "missing epochs": (instead("epochs = 2", ""), ["epochs: is missing", "add it"]),
    "a missing table": (instead(LOSS, ""), ["loss: is missing", "add a table [loss]"]),
    "a penalty without a strength": (BASE + L2, ["penalties[0].strength: is missing", "add strength"]),
    "a group without parameters": (BASE + "[[groups]]\nlr = 1.0", ["groups[0].parameters: is missing", '["bias"]']),
    "text for a number": (instead("0.01", '"a"'), ["optimizer.lr: given 'a'", "number", "change optimizer.lr"]),
    "a number for text": (instead('"mine"', "3"), ["name: given 3", "allowed: a value of type text"]),
    "a boolean for a number": (instead("0.01", "true"), ["optimizer.lr: given True", "number"]),
    "a boolean for an integer": (instead("epochs = 2", "epochs = true"), ["epochs: given True", "integer"]),
    "a fraction for an integer": (instead("epochs = 2", "epochs = 2.5"), ["epochs: given 2.5", "integer"]),
    "a date for a number": (instead("0.01", "2020-01-01"), ["optimizer.lr: given datetime.date", "number"]),
    "a number for a boolean": (BASE + "nesterov = 1", ["optimizer.nesterov: given 1", "boolean"]),
    "a list for a table": (
        "loss = [1]\n" + instead(LOSS, ""),
        ["loss: given [1]", "allowed: a value of type table"],
    ),
    "a table for a list": (BASE + '[penalties]\nkind = "l2"', ["penalties: given {'kind': 'l2'}", "type list"]),
    "a number for a table of a list": ("penalties = [3]" + BASE, ["penalties[0]: given 3", "table"]),
    "text for a list of names": (
        BASE + L2 + 'strength = 1.0\nparameters = "weight"',
        ["penalties[0].parameters: given 'weight'", "list"],
    ),
    "an init that is no table": (BASE + "[init]\nweight = 3", ["init.weight: given 3", "table"]),
    "an option that is none of a few": (
        BASE + '[batches]\norder = "shufled"',
        ["batches.order: given 'shufled'", "'shuffled', 'fixed'", "did you mean 'shuffled'?"],
    ),
    "a negative learning rate": (instead("0.01", "-0.01"), ["optimizer.lr: given -0.01", "≥ 0", "change lr"]),
    "a learning rate of nan": (instead("0.01", "nan"), ["optimizer.lr: given nan", "finite"]),
    "a learning rate of inf": (instead("0.01", "inf"), ["optimizer.lr: given inf", "finite"]),
    "a negative strength": (BASE + L2 + "strength = -1.0", ["penalties[0].strength: given -1.0", "≥ 0"]),
    "a negative momentum": (BASE + "momentum = -0.5", ["optimizer.momentum: given -0.5", "≥ 0"]),
    "an infinite dampening": (BASE + "momentum = 0.5\ndampening = -inf", ["optimizer.dampening: given -inf", "finite"]),
    "nesterov without momentum": (BASE + "nesterov = true", ["nesterov with momentum 0.0", "set momentum above 0"]),
    "nesterov with dampening": (
        BASE + "nesterov = true\nmomentum = 0.9\ndampening = 0.5",
        ["dampening 0.5", "dampening to 0"],
    ),
    "a step size of 0": (BASE + '[schedule]\nkind = "step"\nstep_size = 0', ["schedule.step_size: given 0", "≥ 1"]),
    "no epochs": (instead("epochs = 2", "epochs = 0"), ["epochs: given 0", "an integer ≥ 1", "change epochs"]),
    "a negative seed": (first("seed = -1"), ["seed: given -1", "an integer ≥ 0"]),
    "no features": (instead("features = 3", "features = 0"), ["data.features: given 0", "≥ 1"]),
    "more features than memory": (
        instead("features = 3", "features = 1000000000000"),
        ["mine: is too large", "1000000000000", "give fewer rows or features"],
    ),
    "more features than an array has": (
        instead("features = 3", "features = 1000000000000000000000000000000"),
        ["mine: is too large", "give fewer rows or features"],
    ),
    "data that overflow": (
        instead("features = 3", "features = 3\nweight = 1e308\nscale = 1e308"),
        ["mine: y[0, 0, 0]", "finite", "smaller numbers"],
    ),
    "a batch of more rows than there are": (
        BASE + "[batches]\nsize = 7",
        ["mine: batches.size: given 7", "at most the 6 training rows", "use 0 for the full batch"],
    ),
    "a batch of less than no rows": (BASE + "[batches]\nsize = -1", ["batches.size: given -1", "0 means the full"]),
    "a penalty on an unknown parameter": (
        BASE + L2 + 'strength = 1.0\nparameters = ["wieght"]',
        ["penalties[0].parameters", "no parameter 'wieght'", "weight, bias", "did you mean 'weight'?"],
    ),
    "a group of an unknown parameter": (
        BASE + '[[groups]]\nparameters = ["bais"]',
        ["groups[0].parameters", "no parameter 'bais'", "did you mean 'bias'?"],
    ),
    "a parameter in two groups": (BASE + BIAS_GROUP + BIAS_GROUP, ["groups.parameters: given 'bias' twice", "once"]),
    "an init of an unknown parameter": (
        BASE + '[init.wieght]\nkind = "constant"',
        ["init.wieght: the model has no parameter 'wieght'", "did you mean 'weight'?"],
    ),
    "an init of a bias that the model does not have": (
        BASE + '[model]\nbias = false\n[init.bias]\nkind = "constant"',
        ["init.bias: the model has no parameter 'bias'", "it has weight"],
    ),
    "init values of the wrong number": (
        BASE + '[init.weight]\nkind = "values"\nvalues = [1.0, 2.0]',
        ["mine: values: given 2 numbers", "shape (1, 3)", "one per element"],
    ),
    "init values of which one is text": (
        BASE + '[init.weight]\nkind = "values"\nvalues = [1.0, "a", 2.0]',
        ["init.weight.values[1]: given 'a'", "number"],
    ),
    "init values of which one is nan": (
        BASE + '[init.weight]\nkind = "values"\nvalues = [1.0, nan, 2.0]',
        ["init.weight[0, 1]: given nan", "finite", "change init.weight"],
    ),
    "an init that overflows": (
        BASE + '[init.weight]\nkind = "normal"\nstd = 1.7e308',
        ["init.weight[0, ", "inf", "finite"],
    ),
    "the truth of data that were loaded": (
        loaded(rest='[init.weight]\nkind = "truth"'),
        ["given truth", "generated data", "use another init"],
    ),
    "a data file that is missing": (loaded('path = "nothing.csv"'), ["nothing.csv: given a path where no file is"]),
    "a data file of an unknown format": (loaded('path = "mine.toml"'), ["the suffix '.toml'", ".csv, .tsv, .txt, "]),
    "a data file that is a folder": (loaded('path = "folder"'), ["folder: given a directory", "name the file in it"]),
    "a data file that is empty": (loaded('path = "empty.csv"'), ["empty.csv: given an empty file"]),
    "a data file with nan": (loaded('path = "nan.csv"'), ["nan.csv, line 3, column 2", "'nan'", "correct the cell"]),
    "a data file with ragged rows": (
        loaded('path = "ragged.csv"'),
        ["ragged.csv, line 3: given a row of 1", "2 cells"],
    ),
    "a data file of wrong shapes": (loaded('path = "shapes.npz"'), ["shapes.npz, array y: given shape (4,)", "(3,)"]),
    "an npz without y": (loaded('path = "no_y.npz"'), ["no_y.npz: given the arrays 'X'", "allowed: X and y"]),
    "an npz that is none": (
        loaded('path = "broken.npz"'),
        ["broken.npz: given content of another format", "numpy.savez"],
    ),
    "a target that is no column": (loaded('path = "data.csv"\ntarget = "z"'), ["data.csv: given", "'z'", "allowed"]),
    "a path with a null byte": (loaded(r'path = "a\u0000.csv"'), [r"'", r"\x00", "null byte"]),
    "a data path that is a number": (loaded("path = 3"), ["data.path: given 3", "text"]),
    "an empty name": (instead('"mine"', '""'), ["name: given ''", "letters", "choose another name"]),
    "a name that climbs out of the folder": (instead('"mine"', '"../mine"'), ["name: given '../mine'", "letters"]),
    "a name with a slash": (instead('"mine"', '"a/b"'), ["name: given 'a/b'", "letters", "choose another name"]),
    "a name with a backslash": (instead('"mine"', r'"a\\b"'), [r"name: given 'a\\b'", "letters"]),
    "a name with a null byte": (instead('"mine"', r'"a\u0000"'), [r"name: given 'a\x00'", "letters"]),
    "a name with a line break": (instead('"mine"', r'"a\nb"'), [r"name: given 'a\nb'", "letters"]),
    "a name that is a hidden file": (instead('"mine"', '".mine"'), ["name: given '.mine'", "the first a letter"]),
    "a name longer than file names are": (instead('"mine"', f'"{"a" * 300}"'), ["name: given 'aaa", "at most 100"]),
}
