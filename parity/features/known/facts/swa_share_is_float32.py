"""``get_swa_multi_avg_fn`` rounds the share of a new average to float32."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch
    from torch.optim.swa_utils import AveragedModel, get_swa_multi_avg_fn

    errors = []
    for function in (None, get_swa_multi_avg_fn()):
        torch.manual_seed(0)
        net = torch.nn.Linear(3, 1, dtype=torch.float64)
        average, weights = AveragedModel(net, multi_avg_fn=function), []
        for _ in range(3):
            torch.nn.init.normal_(net.weight)
            average.update_parameters(net)
            weights.append(net.weight.detach().clone())
        mean = torch.stack(weights).mean(0)
        errors.append(float((dict(average.named_parameters())["module.weight"].detach() - mean).abs().max()))
    print(
        f"an average of three float64 weights is off by {errors[0]:.1e}, with get_swa_multi_avg_fn by {errors[1]:.1e}"
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
