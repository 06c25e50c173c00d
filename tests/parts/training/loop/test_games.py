"""Games, teachers and renewed batches are data of a stage, not loops of their own."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives.contract import Batch, Losses  # noqa: E402
from isogloss.training.averaging import follow  # noqa: E402
from isogloss.training.loop import train  # noqa: E402
from isogloss.training.stage import Optimiser, Player, Refresh, Stage  # noqa: E402


class Points:
    """Real points around 3, and noise."""

    per_epoch = 50

    def __call__(self, step):
        random = torch.Generator().manual_seed(step)
        return Batch((torch.randn(64, 1, generator=random) * 0.3 + 3, torch.randn(64, 1, generator=random)))


class Mean:
    cacheable = True

    def __call__(self, outputs, batch):
        return Losses(outputs)


def game(steps=600, every=2):
    torch.manual_seed(0)
    generator = torch.nn.Linear(1, 1)
    critic = torch.nn.Sequential(torch.nn.Linear(1, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
    softplus = torch.nn.functional.softplus

    def judged(module, batch):
        real, noise = batch.columns
        return softplus(-module(real))[:, 0] + softplus(module(generator(noise)))[:, 0]

    def fooled(module, batch):
        return softplus(-critic(module(batch.columns[1])))[:, 0]

    mover = Optimiser(learning_rate=1e-2, weight_decay=0.0, schedule="constant")
    players = [
        Player(name="critic", module=critic, objective=Mean(), forward=judged, optimiser=mover),
        Player(name="generator", module=generator, objective=Mean(), forward=fooled, optimiser=mover, every=every),
    ]
    return Stage(batches=Points(), players=players, steps=steps), generator, critic


def test_a_generator_learns_where_the_real_points_are():
    stage, generator, _ = game()
    before = generator(torch.zeros(1, 1)).item()
    summary = train(stage, seed=0)
    assert abs(before) < 1
    assert generator(torch.zeros(1, 1)).item() == pytest.approx(3.0, abs=0.8)
    assert len(summary.losses["train/critic"]) == 600
    assert len(summary.losses["train/generator"]) == 300


def test_no_gradient_leaks_into_the_other_player():
    """Both forward passes run through both modules; only the one whose move it is gets a gradient, and moves."""
    stage, generator, critic = game(steps=1)
    seen = {}
    for player in stage.players:
        inner = player.forward

        def watched(module, batch, inner=inner, name=player.name):
            seen[name] = (
                [p.requires_grad for p in generator.parameters()],
                [p.requires_grad for p in critic.parameters()],
            )
            return inner(module, batch)

        player.forward = watched
    weights = [copy.deepcopy(generator.state_dict()), copy.deepcopy(critic.state_dict())]
    stage.players = stage.players[::-1]
    train(stage, seed=0)
    assert seen == {"critic": ([False] * 2, [True] * 4), "generator": ([True] * 2, [False] * 4)}
    assert all(p.grad is None and p.requires_grad for p in [*generator.parameters(), *critic.parameters()])
    assert not torch.equal(weights[0]["bias"], generator.bias)
    # the generator alone moves as it does in the game: nothing of the critic's pass adds to its gradient
    alone, other, _ = game(steps=1)
    alone.players = alone.players[1:]
    train(alone, seed=0)
    assert torch.equal(other.weight, generator.weight)
    assert torch.equal(other.bias, generator.bias)


def test_a_step_without_a_players_turn_leaves_it_alone():
    stage, generator, _ = game(steps=2, every=2)
    once, same, _ = game(steps=1)
    train(once, seed=0)
    train(stage, seed=0)
    assert torch.equal(same.weight, generator.weight)


def test_shared_weights_are_moved_by_both():
    torch.manual_seed(0)
    shared = torch.nn.Linear(2, 2)
    mean = Mean()

    def forward(module, batch):
        return module(batch.columns[0]).sum(1)

    players = [Player(name=name, module=shared, objective=mean, forward=forward) for name in ("a", "b")]

    class Ones:
        per_epoch = 1

        def __call__(self, step):
            return Batch((torch.ones(2, 2),))

    before = shared.weight.detach().clone()
    train(Stage(batches=Ones(), players=players[:1], steps=1), seed=0)
    once = shared.weight.detach().clone()
    train(Stage(batches=Ones(), players=players, steps=1), seed=0)
    assert float((before - once).abs().max()) < float((once - shared.weight.detach()).abs().max())


def test_two_players_need_two_names():
    stage, *_ = game()
    stage.players[1].name = "critic"
    with pytest.raises(UsageError, match="names of their own"):
        train(stage, seed=0)


def test_a_momentum_teacher_follows_by_hand():
    """A student that moves by 1 a step, a teacher that keeps a half of itself: 0, .5, 1.25 ..."""
    student, seen = torch.nn.Linear(1, 1, bias=False), []
    torch.nn.init.zeros_(student.weight)
    teacher = copy.deepcopy(student)

    def forward(module, batch):
        seen.append(teacher.weight.item())
        return module(batch.columns[0])[:, 0]

    class Ones:
        per_epoch = 4

        def __call__(self, step):
            return Batch((-torch.ones(1, 1),))

    player = Player(
        module=student, objective=Mean(), forward=forward, optimiser=Optimiser(learning_rate=1.0, warmup=0, clip=0.0),
        make_optimiser=lambda groups: torch.optim.SGD([{"params": group["params"]} for group in groups], lr=1.0),
    )  # fmt: skip
    player.optimiser = Optimiser(learning_rate=1.0, schedule="constant", warmup=0)
    refresh = Refresh(what=follow(teacher, student, 0.5), every=1, state=teacher)
    train(Stage(batches=Ones(), players=[player], refresh=[refresh]), seed=0)
    assert student.weight.item() == pytest.approx(4.0)
    # before step 1 the student is at 1: (0 + 1) / 2; before step 2 at 2: (.5 + 2) / 2; before step 3 at 3
    assert seen == pytest.approx([0.0, 0.5, 1.25, 2.125])
    assert not any(p.requires_grad for p in teacher.parameters())


def test_batches_can_be_mined_anew_on_the_way(world):
    """Every four steps the batches change to what the model of now finds hardest."""
    stage = world.make_stage(steps=12)
    module, batches = stage.players[0].module, stage.batches
    state = torch.nn.Module()
    state.register_buffer("chosen", torch.arange(8))
    asked = []

    def mine(step):
        with torch.no_grad():
            lengths = [module(batches(number).columns[0]).norm().item() for number in range(12)]
        state.chosen = torch.tensor(lengths).argsort()[:8]
        asked.append((step, state.chosen.tolist()))

    drawn = []

    class Mined:
        per_epoch = 8

        def __call__(self, step):
            drawn.append(int(state.chosen[step % 8]))
            return batches(drawn[-1])

    stage.batches, stage.refresh = Mined(), (one for one in [Refresh(what=mine, every=4, state=state)])
    train(stage, seed=0)
    assert [step for step, _ in asked] == [4, 8]
    used = drawn[-12:]  # the first ones are looked at before the run begins
    assert used[:4] == [0, 1, 2, 3]
    assert used[4:8] == asked[0][1][4:8]
    assert used[8:] == asked[1][1][:4]
    assert asked[0][1] != asked[1][1], "the model moved, so what is hard moved"


def test_a_teacher_must_be_a_copy():
    with pytest.raises(UsageError, match="not a copy"):
        follow(torch.nn.Linear(1, 2), torch.nn.Linear(1, 1), 0.9)
    with pytest.raises(UsageError, match="between 0 and 1"):
        follow(torch.nn.Linear(1, 1), torch.nn.Linear(1, 1), 1.1)
