"""Promise P7: what results say is read, shown and compared, and never executed, imported or followed."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import html.parser
import pickle
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from click.testing import CliRunner
from disk import Disk, State, restore, state_of
from in_process import lockstep, plan_for, run
from synthetic import identity, write_trial

import rlbench as package
from rlbench.api import FolderError, UsageError
from rlbench.cli import main
from rlbench.plugins import Catalogue
from rlbench.results.frames import Frames
from rlbench.results.records import open_sealed, readable_json, seal
from rlbench.results.store import COLUMNS, Store
from rlbench.running.plan import Plan
from rlbench.running.provenance import fingerprint

__all__ = ["lockstep"]

SOURCES = sorted(Path(package.__file__).parent.rglob("*.py"))
UNSAFE_MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
    "yaml",
}
UNSAFE_CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "read_pickle",
    "to_pickle",
    "loadtxt",
    "system",
    "popen",
}
UNSAFE_METHODS = {("torch", "load"), ("np", "load"), ("numpy", "load"), ("torch", "save")}


def unsafe(tree: ast.AST) -> list[str]:
    """Name what in a module could execute what it reads."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.partition(".")[0] in UNSAFE_MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in UNSAFE_MODULES:
            found.append(str(node.module))
        elif isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "shell"):
            found.append(node.arg)
        elif isinstance(node, ast.Call):
            name = node.func
            if isinstance(name, ast.Name) and name.id in UNSAFE_CALLS:
                found.append(name.id)
            elif isinstance(name, ast.Attribute):
                owner = name.value.id if isinstance(name.value, ast.Name) else ""
                if (owner, name.attr) in UNSAFE_METHODS or (name.attr in UNSAFE_CALLS and owner != "re"):
                    found.append(f"{owner}.{name.attr}")
    return found


def test_no_module_can_execute_what_it_reads():
    assert len(SOURCES) > 50
    found = {path.name: unsafe(ast.parse(path.read_text(encoding="utf-8"))) for path in SOURCES}
    assert {name: what for name, what in found.items() if what} == {}


def test_that_search_finds_what_it_is_for():
    for text in (
        "import pickle",
        "from torch import x; torch.load(f)",
        "np.load(f, allow_pickle=True)",
        "eval(a)",
    ):
        assert unsafe(ast.parse(text)), text


class Payload:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def looked_at(root: Path, *verbs: str) -> str:
    """Read all that results hold, in this process; give what these verbs print."""
    text = "".join(CliRunner().invoke(main, [verb, str(root)]).output for verb in verbs)
    frames = Frames(root)
    for table in COLUMNS:
        getattr(frames, table)
    assert frames.experiments is not None
    frames.check_weights()
    return text


def sealed_again(state: dict, name: str, content: bytes) -> dict:
    """A state in which ``name`` has this content, and every checksum over it fits."""
    state = {**state, name: content}
    folder, _, file = name.rpartition("/")
    digest = hashlib.sha256(content).hexdigest()
    if file.endswith(".safetensors") and folder.endswith("checkpoint"):
        commit = name.replace(".safetensors", ".json")
        state[commit] = readable_json(seal({**open_sealed(state[commit]), "sha256": digest}))
    elif f"{folder}/status.json" in state and file != "status.json":
        status = open_sealed(state[f"{folder}/status.json"])
        if file in status["files"]:
            status["files"][file] = digest
            state[f"{folder}/status.json"] = readable_json(seal(status))
    return state


def test_a_pickle_in_the_place_of_any_file_is_not_opened(lockstep, tmp_path):
    mark = tmp_path / "mark"
    payload = pickle.dumps(Payload(mark))
    pickle.loads(payload)
    assert mark.exists()
    mark.unlink()
    plan, catalogue = plan_for(tmp_path / "run", steps=4)
    folder = Path(plan.folder)
    run(plan, catalogue)
    trial = f"trials/{plan.trials[0].folder}"
    state = state_of(folder)
    clock = {"wall_seconds": 1.0, "evaluation_seconds": 0.0, "attempts": 1, "points": []}
    checkpoint = {"step": 2, "sha256": "", "rows": {}, "clock": clock}
    for name in [name for name in state if state[name]]:
        restore(sealed_again(state, name, payload), folder)
        looked_at(folder, "status")
    unfinished = {name: content for name, content in state.items() if not name.startswith(f"{trial}/")}
    unfinished[f"{trial}/trial.json"] = state[f"{trial}/trial.json"]
    for machine in ({}, fingerprint("cpu")):
        commit = {**checkpoint, "machine": machine}
        unfinished[f"{trial}/checkpoint/2.json"] = readable_json(seal(commit))
        restore(sealed_again(unfinished, f"{trial}/checkpoint/2.safetensors", payload), folder)
        looked_at(folder, "status")
        run(plan, catalogue)
    assert not mark.exists()


def test_a_column_type_that_asks_to_be_unpickled_is_not(tmp_path):
    mark = tmp_path / "mark"
    write_trial(Store(tmp_path / "run"), identity())
    state = state_of(tmp_path / "run")
    (name,) = [name for name in state if name.endswith("diagnostics.parquet")]
    table = pa.parquet.read_table(pa.BufferReader(state[name]))
    asks = {
        "ARROW:extension:name": "arrow.py_extension_type",
        "ARROW:extension:metadata": pickle.dumps(Payload(mark)),
    }
    fields = [field.with_metadata(asks) for field in table.schema]
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(table.cast(pa.schema(fields)), sink)
    restore(sealed_again(state, name, sink.getvalue().to_pybytes()), tmp_path / "run")
    frames = Frames(tmp_path / "run")
    assert len(frames.diagnostics) == 20
    assert frames.problems == []
    assert not mark.exists()


def test_nothing_that_stored_files_name_is_imported(tmp_path, monkeypatch):
    mark = tmp_path / "mark"
    (tmp_path / "evil_module.py").write_text(f"open({str(mark)!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    store = Store(tmp_path / "run")
    evil = "evil_module:Thing"
    trial = identity(
        evil,
        "evil_module:Env-v0",
        algorithm=evil,
        kind="agent",
        distribution="evil_module",
        config={"net": evil},
    )
    write_trial(store, trial)
    store.begin(identity(evil, "evil_module:Env-v0", seed=1, algorithm=evil))
    store.write_experiment(
        {
            "schema_version": 1,
            "request": {
                "algos": {evil: evil},
                "envs": ["evil_module:Env-v0"],
                "executor": evil,
                "trackers": [evil],
            },
            "algorithms": [{"label": evil, "algorithm": evil, "env": "evil_module:Env-v0", "config": {}}],
            "trials": [trial.hash, "0" * 16],
            "versions": {"evil_module": "1"},
            "command": "python -m evil_module",
        }
    )
    text = looked_at(store.root, "report", "status")
    assert evil in text
    beside = CliRunner().invoke(main, ["compare", str(store.root), str(store.root)])
    assert evil in beside.output
    assert "evil_module" not in sys.modules
    done = CliRunner().invoke(main, ["verify", str(store.root)])
    assert done.exit_code != 0
    again = CliRunner().invoke(
        main, ["run", "--algos=random", "--envs=evil_module:Env-v0", f"--out={store.root}"]
    )
    assert again.exit_code == 2
    assert "--allow-import" in again.output
    assert not mark.exists()


LINKS = ["trials", "trials/a2c", "trials/a2c/CartPole-v1", "TRIAL", "experiments", ".lock", ".probe.tmp"]
LINKS_WITHIN = [
    "checkpoint",
    "evaluations.jsonl",
    "trial.json",
    "trial.json.tmp",
    "status.json.tmp",
    "log.txt",
]


@pytest.mark.parametrize("place", [*LINKS, *(f"TRIAL/{name}" for name in LINKS_WITHIN)])
@pytest.mark.parametrize("begun", [False, True])
def test_no_link_leads_a_run_out_of_its_folder(lockstep, tmp_path, place, begun):
    plan, catalogue = plan_for(tmp_path / "run", seeds=1, steps=4)
    folder, trial = Path(plan.folder), f"trials/{plan.trials[0].folder}"
    folder.mkdir()
    if begun:
        restore(before("create 4.json.tmp", plan, catalogue), folder)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "thesis.txt").write_text("years of work")
    link = folder / place.replace("TRIAL", trial)
    link.parent.mkdir(parents=True, exist_ok=True)
    target = outside / "thesis.txt" if Path(link).suffix or link.name == ".lock" else outside
    if link.exists():  # what it leads to is then as good as what was there
        target = Path(shutil.move(link, outside / "moved"))
    link.symlink_to(target)
    kept = state_of(outside)
    with contextlib.suppress(FolderError):  # or it removes the link and goes on
        run(plan, catalogue)
    assert state_of(outside) == kept


def before(operation: str, plan: Plan, catalogue: Catalogue) -> State:
    """What a kill before this operation of an undisturbed run leaves."""
    disk = Disk(Path(plan.folder))
    found: list[State] = []
    disk.before = lambda number, name: found.append(disk.killed()) if name == operation else None
    with disk.watched():
        run(plan, catalogue)
    return found[0]


def test_a_report_is_not_led_out_of_its_folder_either(tmp_path):
    store = Store(tmp_path / "run")
    write_trial(store, identity())
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "thesis.txt").write_text("years of work")
    report = store.root / "report"
    report.mkdir()
    for name in ("index.html", "index.html.tmp", "scores.csv"):
        (report / name).symlink_to(tmp_path / "outside" / "thesis.txt")
    page = package.load(store.root).report()
    assert not page.is_symlink()
    assert "rlbench" in page.read_text(encoding="utf-8")

    shutil.rmtree(report)
    report.symlink_to(tmp_path / "outside")
    with pytest.raises(UsageError, match="report is a link; remove it"):
        package.load(store.root).report()
    assert state_of(tmp_path / "outside") == {"thesis.txt": b"years of work"}


@pytest.mark.parametrize("name", ["../../../../outside", "/outside", "..", "", "a/../b"])
def test_a_status_that_names_files_elsewhere_is_damage(tmp_path, name):
    store = Store(tmp_path / "run")
    write_trial(store, identity())
    path = store.folder(identity()) / "status.json"
    status = open_sealed(path.read_bytes())
    status["files"][name] = "0" * 64
    path.write_bytes(readable_json(seal(status)))
    assert list(Frames(store.root).trials["status"]) == ["damaged"]


class Page(html.parser.HTMLParser):
    """Collects tags and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


def test_whatever_stored_text_says_it_is_text_in_every_format(tmp_path):
    evil = "</td></table><img src=x onerror=alert(1)><script>alert(2)</script>|`{{7}}` [x](javascript:f())"
    store = Store(tmp_path / "run")
    for seed, fate in enumerate(("finished", "failed", "diverged")):
        trial = identity(
            "dqn", seed=seed, config={evil: evil, "plain": [evil]}, distribution=evil, version=evil
        )
        writer = store.begin(trial)
        if fate == "finished":
            row = {
                "step": [1],
                "actual_step": [1],
                "episode": [0],
                "episode_return": [1.0],
                "episode_length": [1],
            }
            writer.append("evaluations", row)
            writer.append("diagnostics", {"step": [1, 2], "name": [evil] * 2, "value": [1.0, 2.0]})
        writer.finish(fate, step=1, weights=None, timing={"host": evil, "restarted": evil}, error=evil)
    store.write_experiment(
        {
            "request": {evil: evil},
            "algorithms": [
                {"label": "dqn", "algorithm": evil, "env": "CartPole-v1", "origins": {evil: evil}}
            ],
            "unsupported": [{"algorithm": evil, "env": evil, "reason": evil}],
            "trials": [evil],
            "versions": {evil: evil},
            "machine": {evil: evil},
            "command": evil,
        }
    )
    page = Page(package.load(store.root).report().read_text(encoding="utf-8"))
    assert not {"img", "iframe", "object"} & set(page.tags)
    assert page.tags.count("script") == 1  # the page's own
    assert not {name for name in page.attributes if name.startswith("on")}
    for path in (store.root / "report").glob("*.md"):
        text = path.read_text(encoding="utf-8")
        assert "<img" not in text.replace("\\<", "")
        assert "](javascript" not in text.replace("\\]", "")
        assert len({line.replace("\\|", "").count("|") for line in text.splitlines()}) == 1, path
    for path in (store.root / "report").glob("*.tex"):
        rows = [line for line in path.read_text(encoding="utf-8").splitlines() if line.endswith(r" \\")]
        assert len({line.replace(r"\&", "").count("&") for line in rows}) == 1, path
    for path in (store.root / "report").glob("*.svg"):
        tags = Page(path.read_text(encoding="utf-8")).tags
        assert not {"script", "img", "image", "foreignobject"} & set(tags)
