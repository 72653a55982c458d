import subprocess
import sys

from rlbench import api
from rlbench.environments.plugin import rlbench_environments


def test_the_built_in_backends_are_no_prefix_and_async():
    specs = {spec.prefix: spec for spec in rlbench_environments()}
    assert set(specs) == {"", "async"}
    for spec in specs.values():
        vector = api.resolve(spec.make_vector)("CartPole-v1", {}, [1, 2], 500)
        assert isinstance(vector, api.VectorEnvironment)
        vector.close()
        assert "CartPole-v1" in api.resolve(spec.names)()
        assert api.resolve(spec.describe)("CartPole-v1", {}).action_space.n == 2
        assert api.resolve(spec.make_single)("CartPole-v1", {}, 500).action_space.n == 2


def test_listing_the_backends_imports_no_gymnasium():
    code = (
        "import sys; from rlbench.environments.plugin import rlbench_environments;"
        "print(len(list(rlbench_environments())), *sys.modules)"
    )
    count, *imported = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert int(count) == 2
    assert "gymnasium" not in imported
