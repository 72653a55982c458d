"""Moving pictures of episodes: no screen, not too large, and nothing but the episode that was asked for."""

from __future__ import annotations

import io
import os

import gymnasium
import numpy as np
import pytest
from PIL import Image

from rlbench.environments.gymnasium_ids import make_single
from rlbench.environments.rendering import MOST_FRAMES, CannotDraw, Film, drawing_environment, play


def episode(env_id: str, seed: int, limit: int) -> tuple[list[np.ndarray], list[int]]:
    """Give what a fixed way of acting sees and does in an environment that draws nothing."""
    env = make_single(env_id, {}, limit)
    obs, _ = env.reset(seed=seed)
    observations, actions, done = [], [], False
    while not done:
        observations.append(np.asarray(obs))
        actions.append(len(actions) // 3 % 2)
        obs, _, terminated, truncated, _ = env.step(actions[-1])
        done = terminated or truncated
    return observations, actions


def play_again(env_id: str, seed: int, limit: int, observations, actions):
    with drawing_environment(make_single, env_id, {}, limit) as env:
        return play(env, seed, observations, actions)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_an_episode_is_drawn_step_by_step_at_its_own_pace():
    observations, actions = episode("MountainCar-v0", 7, 50)
    played = play_again("MountainCar-v0", 7, 50, observations, actions)
    assert (played.episode_return, played.length) == (-50.0, 50)
    assert len(played.film.frames) == 51
    assert played.film.milliseconds == round(1000 / 30)
    assert max(played.film.frames[0].size) <= 320
    assert played.film.frames[0].tobytes() != played.film.frames[-1].tobytes()


def test_a_long_episode_has_no_more_frames_and_ends_with_its_last_one():
    observations, actions = episode("MountainCar-v0", 7, 901)
    film = play_again("MountainCar-v0", 7, 901, observations, actions).film
    assert len(film.frames) <= MOST_FRAMES + 1
    assert len(film.frames) * film.milliseconds <= 31_000
    assert film.still() == Film([film.frames[-1]], 1).still()
    assert len(film.moving("webp")) < 400_000


@pytest.mark.parametrize("kind", ["webp", "gif"])
def test_the_same_film_gives_the_same_bytes_and_pauses_before_it_starts_again(kind):
    observations, actions = episode("CartPole-v1", 3, 500)
    films = [play_again("CartPole-v1", 3, 500, observations, actions).film for _ in range(2)]
    moving, again = (film.moving(kind) for film in films)
    assert moving == again
    with opened(moving) as image:
        assert image.n_frames > 3
        assert image.info.get("loop") == 0
        image.seek(image.n_frames - 1)
        image.load()
        assert image.info["duration"] > 1000


def test_what_is_too_rich_for_exact_frames_is_kept_with_less_detail():
    rng = np.random.default_rng(0)
    noise = [Image.fromarray(rng.integers(0, 256, (200, 300, 3), dtype=np.uint8)) for _ in range(12)]
    assert len(Film(noise, 50).moving("webp")) < 400_000


def test_another_episode_is_not_drawn_in_its_place():
    observations, actions = episode("CartPole-v1", 3, 500)
    with pytest.raises(CannotDraw, match="another one from step 0 on"):
        play_again("CartPole-v1", 4, 500, observations, actions)
    actions[2] = 1 - actions[2]
    with pytest.raises(CannotDraw, match="another one from step 3 on"):
        play_again("CartPole-v1", 3, 500, observations, actions)


def test_the_process_keeps_its_variables(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "x11")
    monkeypatch.delenv("SDL_AUDIODRIVER", raising=False)
    with drawing_environment(make_single, "CartPole-v1", {}, 5) as env:
        env.reset(seed=0)
        assert env.render().shape == (400, 600, 3)
    assert os.environ["SDL_VIDEODRIVER"] == "x11"
    assert "SDL_AUDIODRIVER" not in os.environ


class Silent(gymnasium.Env):
    observation_space = gymnasium.spaces.Discrete(2)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, modes, picture):
        self.metadata = {"render_modes": modes}
        self.picture = picture

    def reset(self, *, seed=None, options=None):
        return 0, {}

    def render(self):
        return self.picture

    def step(self, action):
        self.picture = np.zeros((5, 4, 3), np.uint8)
        return 0, 0.0, False, False, {}


@pytest.mark.parametrize(
    ("modes", "picture", "reason"),
    [
        ([], None, "has the render modes none"),
        (["ansi"], None, "has the render modes ansi"),
        (["rgb_array"], None, "gave no array"),
        (["rgb_array"], np.zeros((4, 4, 3), np.uint8), "differ in size"),
        (["rgb_array"], np.zeros((4, 4, 3)), "gave no array"),
    ],
)
def test_what_does_not_draw_itself_is_named(modes, picture, reason):
    with (
        pytest.raises(CannotDraw, match=reason),
        drawing_environment(lambda *_: Silent(modes, picture), "Silent-v0", {}, 5) as env,
    ):
        play(env, 0, [np.asarray(0)], [0])


def test_a_backend_without_single_environments_is_named():
    with (
        pytest.raises(CannotDraw, match="gives only vectors"),
        drawing_environment(None, "Pong-v5", {}, 5),
    ):
        pass
