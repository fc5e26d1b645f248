"""The code of this project, held to the reference. Two of these tests fail, and say why."""

from my_faulty_optimizer import MyFaultyAdamW
from my_optimizer import MyAdamW
from train_tutorial import train


def test_the_tutorial_trains_what_was_asked(assert_parity):
    assert_parity(train, "check-mse")


def test_my_optimizer_is_adamw(assert_optimizer):
    assert_optimizer(MyAdamW, against="adamw", lr=0.01, weight_decay=0.1)


def test_my_faulty_optimizer_is_adamw(assert_optimizer):
    assert_optimizer(MyFaultyAdamW, against="adamw", lr=0.01, weight_decay=0.1)


def test_the_loss_falls(parity_trajectory):
    trajectory = parity_trajectory(train, "check-mse", dtype="float32")
    assert trajectory.loss[-5:].mean() < trajectory.loss[:5].mean()
