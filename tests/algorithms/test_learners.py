"""What every built-in learner promises: companions, evaluation and interruption change no bit."""

from __future__ import annotations

import copy
import json

import msgspec
import numpy as np
import pytest
from gymnasium import spaces

from rlbench import api
from rlbench.algorithms.a2c import A2C, A2CConfig
from rlbench.algorithms.dqn import DQN, DQNConfig
from rlbench.algorithms.plugin import presets
from rlbench.algorithms.reinforce import Reinforce, ReinforceConfig

QUICK = {"learning_starts": 6, "train_freq": 2, "target_update_interval": 8, "buffer_size": 60}
LEARNERS = {
    "dqn": (DQN, DQNConfig(batch_size=32, hidden_sizes=(32,), **QUICK)),
    "dqn odd": (
        DQN,
        DQNConfig(batch_size=13, hidden_sizes=(7, 5), n_envs=3, double_q=True, tau=0.1, **QUICK),
    ),
    "a2c": (A2C, A2CConfig(hidden_sizes=(32,), ent_coef=0.01)),
    "a2c odd": (
        A2C,
        A2CConfig(
            hidden_sizes=(7, 5), n_envs=3, share_network=True, optimizer="adam", normalize_advantage=True
        ),
    ),
    "reinforce": (Reinforce, ReinforceConfig(hidden_sizes=(32,))),
    "reinforce odd": (
        Reinforce,
        ReinforceConfig(hidden_sizes=(7, 5), n_envs=3, episodes_per_update=2, normalize_advantage=True),
    ),
    "reinforce without baseline": (
        Reinforce,
        ReinforceConfig(hidden_sizes=(), baseline="none", ent_coef=0.01),
    ),
}
CASES = [
    (learner, obs, "discrete", steps)
    for learner in LEARNERS
    for obs, steps in (("vector", 80), ("discrete", 60), ("image", 40))
]
CASES += [(learner, "vector", "box", 60) for learner in LEARNERS if not learner.startswith("dqn")]
CASES += [(learner, "large image", "discrete", 16) for learner in ("dqn", "a2c", "reinforce")]


@pytest.mark.parametrize(("learner", "obs", "action", "steps"), CASES)
def test_a_seed_is_the_same_alone_and_in_any_cohort(lab, learner, obs, action, steps):
    factory, config = LEARNERS[learner]
    alone = lab.seed(lab.drive(lab.start(factory, config, [3], obs, action, steps), steps), 0)
    for cohort in ([3, 1], [0, 3, 1], [4, 1, 2, 0, 3], list(range(10))):
        numbers = lab.drive(lab.start(factory, config, cohort, obs, action, steps), steps)
        shared = lab.seed(numbers, cohort.index(3))
        assert [name for name in alone if alone[name] != shared[name]] == [], f"in a cohort of {len(cohort)}"


@pytest.mark.parametrize("learner", LEARNERS)
def test_training_moves_the_weights(lab, learner):
    factory, config = LEARNERS[learner]
    run = lab.start(factory, config, [0, 1], "vector", "discrete", 60)
    before = copy.deepcopy(run.agent.state_dict()["weights"])
    lab.drive(run, 60)
    after = run.agent.state_dict()["weights"]
    assert all((before[name] != after[name]).any() for name in before)
    assert all(np.isfinite(values).all() for values in after.values())


@pytest.mark.parametrize("learner", LEARNERS)
def test_evaluation_never_changes_training(lab, learner):
    factory, config = LEARNERS[learner]
    rng = np.random.default_rng(0)

    def evaluate(number, agent):
        if number % 7 == 0:
            policy = agent.policy()
            policy(rng.standard_normal((2, 4, 5), np.float32))
            policy(rng.standard_normal((2, 5), np.float32))

    plain = lab.drive(lab.start(factory, config, [3, 4], "vector", "discrete", 50), 50)
    watched = lab.drive(lab.start(factory, config, [3, 4], "vector", "discrete", 50), 50, each=evaluate)
    assert lab.seed(plain, 0) == lab.seed(watched, 0)
    assert lab.seed(plain, 1) == lab.seed(watched, 1)


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("stop", [3, 33])
def test_a_seed_cut_out_of_a_cohort_continues_alone_as_it_would_have(lab, learner, stop):
    factory, config = LEARNERS[learner]
    together = lab.start(factory, config, [1, 3], "vector", "discrete", 60)
    lab.drive(together, stop)
    state = together.agent.state_dict()

    def cut(node):
        if isinstance(node, dict):
            return {name: cut(child) for name, child in node.items()}
        return node[1:].copy() if isinstance(node, np.ndarray) else json.loads(json.dumps(node))

    alone = lab.start(factory, config, [3], "vector", "discrete", 60)
    alone.agent.load_state_dict(cut(state))
    for _ in range(stop):
        alone.noise.step(np.zeros(1))
    uninterrupted, resumed = lab.drive(together, 60 - stop), lab.drive(alone, 60 - stop)
    assert lab.seed(uninterrupted, 1) == lab.seed(resumed, 0)


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_seed_whose_numbers_stop_being_finite_leaves_its_companions_alone(lab, learner):
    factory, config = LEARNERS[learner]
    healthy = lab.drive(lab.start(factory, config, [3, 1], "vector", "discrete", 40), 40)
    run = lab.start(factory, config, [3, 1], "vector", "discrete", 40)
    step = run.noise.step

    def poisoned(action):
        transition = step(action)
        transition.reward[1] = np.nan
        return transition

    run.noise.step = poisoned
    ill = lab.drive(run, 40)
    assert lab.seed(healthy, 0) == lab.seed(ill, 0)
    assert any(np.isnan(ill[name][1]).any() for name in ill if name.startswith("weights."))


@pytest.mark.parametrize("learner", LEARNERS)
def test_policies_take_any_leading_axes_and_agree(lab, learner):
    factory, config = LEARNERS[learner]
    run = lab.start(factory, config, [0, 1], "vector", "discrete", 30)
    lab.drive(run, 30)
    obs = np.random.default_rng(1).standard_normal((2, 6, 5), np.float32)
    policy = run.agent.policy()
    actions = policy(obs)
    assert actions.shape == (2, 6)
    assert (policy(obs.reshape(2, 2, 3, 5)) == actions.reshape(2, 2, 3)).all()
    assert (policy(obs[:, 0]) == actions[:, 0]).all()
    assert set(np.unique(actions)) <= {2, 3, 4}


@pytest.mark.parametrize("learner", ["dqn", "a2c", "reinforce"])
def test_an_observation_space_that_no_network_takes_is_named(lab, learner):
    factory, config = LEARNERS[learner]
    task = lab.task(spaces.MultiBinary(4), spaces.Discrete(2))
    with pytest.raises(api.UsageError, match=r"MultiBinary\(4\)"):
        factory(task, config, lab.rngs([0]))


def test_dqn_names_actions_it_cannot_take(lab):
    with pytest.raises(api.UsageError, match="Discrete actions"):
        DQN(lab.task(spaces.Discrete(2), spaces.Box(-1, 1, (1,))), DQNConfig(), lab.rngs([0]))


@pytest.mark.parametrize("learner", ["a2c", "reinforce"])
def test_policy_gradients_name_actions_they_cannot_take(lab, learner):
    factory, config = LEARNERS[learner]
    with pytest.raises(api.UsageError, match="MultiDiscrete"):
        factory(lab.task(spaces.Discrete(2), spaces.MultiDiscrete([2, 2])), config, lab.rngs([0]))


@pytest.mark.parametrize(
    ("name", "config"), [("dqn", DQNConfig), ("a2c", A2CConfig), ("reinforce", ReinforceConfig)]
)
def test_every_preset_is_a_valid_configuration(name, config):
    settings = presets(name)
    assert "CartPole-v1" in settings
    for given in settings.values():
        assert set(given) <= set(config.__dataclass_fields__)
        msgspec.convert(given, config)
