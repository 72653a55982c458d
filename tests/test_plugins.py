"""What plugins can do to the program, and what they cannot."""

from __future__ import annotations

import pytest

from rlbench.api import PluginError, UsageError
from rlbench.plugins import load_catalogue

GOOD = """
    from rlbench.api import AlgorithmSpec
    from rlbench.hookspecs import hookimpl

    @hookimpl
    def rlbench_algorithms():
        yield AlgorithmSpec("{name}", config=dict, agent=object)
"""


def plugin(catalogue, distribution):
    """Give the record of a distribution's only plugin."""
    (record,) = [record for record in catalogue.plugins if record.distribution == distribution]
    return record


def test_a_plugin_provides_what_it_yields(distribution):
    distribution(
        "rlbench-one", {"first": "one_plugin"}, {"one_plugin.py": GOOD.format(name="one")}, version="3.1"
    )
    catalogue = load_catalogue()
    entry = catalogue.algorithm("one")
    assert entry.spec.kind == "agent"
    assert (entry.plugin.distribution, entry.plugin.version, entry.plugin.name) == (
        "rlbench-one",
        "3.1",
        "first",
    )
    assert entry.plugin.provides == {"rlbench_algorithms": ("one",)}
    assert catalogue.algorithms["one"] == entry


def test_built_ins_come_from_the_distribution_rlbench():
    catalogue = load_catalogue(external=False)
    assert {entry.plugin.distribution for entry in catalogue.algorithms.values()} == {"rlbench"}
    assert {"dqn", "reinforce", "a2c", "value-iteration", "policy-iteration", "random"} <= set(
        catalogue.algorithms
    )
    assert "" in catalogue.environments
    assert "local" in catalogue.executors
    assert not [record.error for record in catalogue.plugins if record.error]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("import no_such_module_anywhere", "No module named 'no_such_module_anywhere'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def (:", "SyntaxError"),
        ("raise GeneratorExit('odd')", "GeneratorExit: odd"),
        (
            GOOD.format(name="half") + "        raise RuntimeError('after the first')",
            "RuntimeError: after the first",
        ),
        (
            """
            from rlbench.api import MetricSpec
            from rlbench.hookspecs import hookimpl

            @hookimpl
            def rlbench_algorithms():
                yield MetricSpec("best", max)
            """,
            "yield AlgorithmSpec records",
        ),
        (
            """
            from rlbench.hookspecs import hookimpl

            @hookimpl
            def rlbench_metrics():
                return None
            """,
            "rlbench_metrics returned None; yield MetricSpec records",
        ),
        (
            """
            from rlbench.hookspecs import hookimpl

            @hookimpl
            def rlbench_metrics(config):
                yield from ()
            """,
            "Argument(s) {'config'} are declared in the hookimpl",
        ),
        (GOOD.format(name="two words"), "'two words'; use letters, digits, '_' and '-'"),
    ],
)
def test_a_broken_plugin_is_a_row_and_leaves_the_others_alone(distribution, text, cause):
    distribution("rlbench-one", {"one": "one_plugin"}, {"one_plugin.py": GOOD.format(name="one")})
    distribution("rlbench-bad", {"bad": "bad_plugin"}, {"bad_plugin.py": text})
    catalogue = load_catalogue()
    assert catalogue.algorithm("one").plugin.distribution == "rlbench-one"
    record = plugin(catalogue, "rlbench-bad")
    assert cause in record.error
    assert "\n" not in record.error
    assert "Traceback" in record.traceback
    assert "half" not in catalogue.algorithms


def test_the_keyboard_still_interrupts_loading(distribution):
    distribution("rlbench-slow", {"slow": "slow_plugin"}, {"slow_plugin.py": "raise KeyboardInterrupt"})
    with pytest.raises(KeyboardInterrupt):
        load_catalogue()


@pytest.mark.parametrize(
    ("wrong", "cure"),
    [
        ("@hookimpl\ndef rlbench_algoritms():\n    yield", "did you mean 'rlbench_algorithms'?"),
        ("@hookimpl(specname='rlbench_metric')\ndef scores():\n    yield", "did you mean 'rlbench_metrics'?"),
        ("@hookimpl\ndef algorithms():\n    yield", "did you mean 'rlbench_algorithms'?"),
        ("def rlbench_tracker():\n    yield", "did you mean 'rlbench_trackers'?"),
        ("def rlbench_trackers():\n    yield", "decorate it with rlbench.hookimpl"),
    ],
)
def test_a_misspelt_or_unmarked_hook_is_an_error_with_its_cure(distribution, wrong, cure):
    text = "from rlbench import hookimpl\n" + wrong
    distribution("rlbench-typo", {"typo": "typo_plugin"}, {"typo_plugin.py": text})
    record = plugin(load_catalogue(), "rlbench-typo")
    assert cure in record.error
    assert "rlbench-typo" in record.owner


def test_an_object_can_be_a_plugin_and_name_its_hook(distribution):
    text = """
        from rlbench.api import MetricSpec
        from rlbench.hookspecs import hookimpl

        class Plugin:
            @hookimpl(specname="rlbench_metrics")
            def whatever(self):
                return [MetricSpec("odd", max)]

        plugin = Plugin()
    """
    distribution("rlbench-object", {"object": "object_plugin:plugin"}, {"object_plugin.py": text})
    assert load_catalogue().metric("odd").plugin.distribution == "rlbench-object"


@pytest.mark.parametrize("asked", ["sarsa", "rlbench-sarsa", "Sarsa", "sar-sa"])
def test_asking_for_a_broken_plugin_says_why_it_is_broken(distribution, asked):
    distribution("rlbench-sarsa", {"entry": "sarsa_plugin"}, {"sarsa_plugin.py": "import absent_library"})
    with pytest.raises(
        PluginError, match=r"rlbench-sarsa.*No module named 'absent_library'; `rlbench plugins`"
    ):
        load_catalogue().algorithm(asked)


def test_asking_for_a_name_that_a_plugin_gave_before_it_broke_says_so(distribution):
    text = GOOD.format(name="half") + "        raise RuntimeError('boom')"
    distribution("rlbench-bad", {"bad": "bad_plugin"}, {"bad_plugin.py": text})
    with pytest.raises(PluginError, match="boom"):
        load_catalogue().algorithm("half")


def test_an_unknown_name_gets_the_nearest_one_and_a_word_on_broken_plugins(distribution):
    distribution("rlbench-one", {"one": "one_plugin"}, {"one_plugin.py": GOOD.format(name="expected-sarsa")})
    with pytest.raises(
        UsageError, match=r"unknown algorithm 'expected-sarsar'; did you mean 'expected-sarsa'\?$"
    ):
        load_catalogue().algorithm("expected-sarsar")
    distribution("rlbench-bad", {"bad": "bad_plugin"}, {"bad_plugin.py": "1 / 0"})
    with pytest.raises(UsageError, match=r"\(broken: rlbench-bad; see `rlbench plugins`\)"):
        load_catalogue().algorithm("expected-sarsar")


def test_two_owners_of_one_name_are_an_error_when_it_is_used(distribution):
    for owner in ("alpha", "beta"):
        text = GOOD.format(name="same") + f'        yield AlgorithmSpec("{owner}", config=dict, agent=object)'
        distribution(f"rlbench-{owner}", {owner: f"{owner}_plugin"}, {f"{owner}_plugin.py": text})
    catalogue = load_catalogue()
    assert catalogue.algorithm("alpha").plugin.distribution == "rlbench-alpha"
    assert "same" not in catalogue.algorithms
    assert [name for _, name in catalogue.conflicts] == ["same"]
    with pytest.raises(PluginError, match=r"'same'.*rlbench-alpha.*and rlbench-beta"):
        catalogue.algorithm("same")
    assert load_catalogue({"RLBENCH_PLUGINS": "beta"}).algorithm("same").plugin.distribution == "rlbench-beta"


def test_a_plugin_cannot_take_a_built_in_name_silently(distribution):
    distribution("rlbench-mine", {"mine": "mine_plugin"}, {"mine_plugin.py": GOOD.format(name="dqn")})
    with pytest.raises(PluginError, match=r"'dqn'.*rlbench .*and rlbench-mine"):
        load_catalogue().algorithm("dqn")
    assert load_catalogue(external=False).algorithm("dqn").plugin.distribution == "rlbench"


def test_a_distribution_that_is_installed_twice_does_not_quarrel_with_itself(distribution):
    files = {"one_plugin.py": GOOD.format(name="one")}
    distribution("rlbench-one", {"one": "one_plugin"}, files, folder="wheel")
    distribution("rlbench-one", {"one": "one_plugin", "again": "one_plugin"}, files, folder="editable")
    assert load_catalogue().algorithm("one").plugin.distribution == "rlbench-one"


def test_the_allow_list_goes_by_entry_point_and_by_distribution(distribution):
    for name in ("one", "two", "three"):
        files = {f"{name}_plugin.py": GOOD.format(name=name)}
        distribution(f"rlbench-{name}", {f"entry-{name}": f"{name}_plugin"}, files)
    catalogue = load_catalogue({"RLBENCH_PLUGINS": "entry-one, rlbench-two"})
    assert {"one", "two", "three"} & set(catalogue.algorithms) == {"one", "two"}
    with pytest.raises(UsageError, match=r"rlbench-three.*switched off by RLBENCH_PLUGINS"):
        catalogue.algorithm("three")
    for nothing in (load_catalogue({"RLBENCH_PLUGINS": ""}), load_catalogue({}, external=False)):
        assert not {"one", "two", "three"} & set(nothing.algorithms)
        assert "dqn" in nothing.algorithms


def test_a_plugin_that_is_switched_off_is_not_even_imported(distribution, tmp_path):
    mark = tmp_path / "imported"
    distribution("rlbench-eager", {"eager": "eager_plugin"}, {"eager_plugin.py": f"open({str(mark)!r}, 'w')"})
    load_catalogue({"RLBENCH_PLUGINS": ""})
    load_catalogue(external=False)
    assert not mark.exists()
    load_catalogue()
    assert mark.exists()


def test_the_allow_list_names_an_absent_plugin(distribution):
    distribution("rlbench-one", {"one": "one_plugin"}, {"one_plugin.py": GOOD.format(name="one")})
    with pytest.raises(
        UsageError, match=r"RLBENCH_PLUGINS names 'rlbench-oen'.*did you mean 'rlbench-one'\?"
    ):
        load_catalogue({"RLBENCH_PLUGINS": "rlbench-oen"})
