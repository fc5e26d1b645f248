"""``get_swa_multi_avg_fn`` rounds the share of a new average to float32."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch
    from torch.optim.swa_utils import AveragedModel, get_swa_multi_avg_fn

    errors = []
    for function in (None, get_swa_multi_avg_fn()):
        net = torch.nn.ParameterList([torch.zeros(1, dtype=torch.float64)])
        average = AveragedModel(net, multi_avg_fn=function)
        for w in (0.3, 0.7, 0.2):
            net.load_state_dict({"0": torch.tensor([w], dtype=torch.float64)})
            average.update_parameters(net)
        errors.append(abs(float(average.state_dict()["module.0"]) - (0.3 + 0.7 + 0.2) / 3))
    print(
        f"the average of three float64 weights is off by {errors[0]:.1e}, with get_swa_multi_avg_fn by {errors[1]:.1e}"
    )
    return errors[1] > 1e-10 > errors[0]


FACT = Fact(
    id="swa-share-is-float32",
    title="`get_swa_multi_avg_fn` averages float64 weights with a share that is rounded to float32",
    kind="deviation",
    expected="`a ← a + (w − a)/(n + 1)` in the dtype of the weights, as `AveragedModel` does without it",
    executed="`lerp(a, w, 1/(n + 1))`, where n is a tensor of integers, so that 1/(n + 1) is float32",
    reproduce=reproduce,
)
