"""Reading a results folder into pandas: every file is checked, and nothing it names is imported or run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from rlbench.api import UsageError
from rlbench.results.files import read_bytes, shown
from rlbench.results.naming import tell_settings_apart
from rlbench.results.records import (
    PLATFORM,
    Status,
    Timing,
    TrialIdentity,
    check_schema,
    content_hash,
    decode_name,
    encode_name,
    open_sealed,
    parse_trial_folder,
)
from rlbench.results.store import COLUMNS, read_status

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_LOST = "is damaged or missing"
_MIXED = (
    "is readable but not the one that status.json tells of: it is damaged, or mixed from two runs of one "
    "trial that differ, which is a broken promise"
)


@dataclass
class StoredTrial:
    """One trial's folder as found: what its names say, and what its checked files say."""

    path: Path
    label: str
    env: str
    seed: int
    hash: str
    document: dict[str, Any] = field(default_factory=dict)  # trial.json; empty where it is damaged
    ending: Status | None = None
    status: str = "unfinished"
    error: str | None = None


def is_results_folder(root: Path) -> bool:
    """Say whether a folder holds results of rlbench."""
    return any((root / name).is_dir() for name in ("experiments", "trials"))


class Frames:
    """The tables of a results folder, each read when first used and then kept.

    ``trials`` has one row a trial, whatever its fate: ``finished``, ``diverged``, ``failed``, ``unfinished``
    (begun, still running or cut off) or ``damaged``. The other tables hold the rows of every trial that
    ended, ``algorithm, env, seed`` in front; a file whose checksum does not match is left out and named in
    ``problems``. Where one name stands for several settings of an algorithm or an environment, what differs
    is added to it, as in ``dqn [steps=1000]``, so that no mean ever mixes them; where the learners on one
    environment differ in their budgets, so is each one's budget.

    Raises ``UsageError`` where there is nothing to read and ``FolderError`` where a later version wrote it.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self.problems: list[str] = []
        self.damaged: dict[str, str] = {}  # folder of the trial -> what is wrong with it
        if self.root.is_file():
            raise UsageError(f"{self.root} is a file; give the results folder, as in --out of rlbench run")
        if not self.root.is_dir():
            raise UsageError(f"there is no folder {self.root}; make one with: rlbench run --out {self.root}")
        if not is_results_folder(self.root):
            raise UsageError(f"no results in {self.root}; make some with: rlbench run --out {self.root}")

    @cached_property
    def stored(self) -> list[StoredTrial]:
        """Every trial's folder, by label, environment and seed; names made unambiguous."""
        found = [self._read_trial(path, *parsed) for path, parsed in self._trial_folders()]
        tell_settings_apart(found)
        return sorted(found, key=lambda trial: (trial.label, trial.env, trial.seed, trial.hash))

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row a trial; ``reached_step`` is where it ended, ``hash`` and ``folder`` say where it lives."""
        rows = [
            {
                "algorithm": trial.label,
                "env": trial.env,
                "seed": trial.seed,
                "status": trial.status,
                "steps": trial.document.get("steps"),
                "error": trial.error,
                "attempts": timing.attempts,
                "wall_seconds": timing.wall_seconds,
                "steps_per_second": timing.steps_per_second,
                "kind": trial.document.get("kind"),
                "evaluation_points": trial.document.get("evaluation_points"),
                "evaluation_episodes": trial.document.get("evaluation_episodes"),
                "reached_step": trial.ending.step if trial.ending else None,
                "hash": trial.hash,
                "folder": self._relative(trial),
            }
            for trial, timing in self._timings
        ]
        types = {
            "algorithm": "str",
            "env": "str",
            "seed": "int64",
            "status": "str",
            "steps": "Int64",
            "error": "str",
            "attempts": "Int64",
            "wall_seconds": "float64",
            "steps_per_second": "float64",
            "kind": "str",
            "evaluation_points": "Int64",
            "evaluation_episodes": "Int64",
            "reached_step": "Int64",
            "hash": "str",
            "folder": "str",
        }
        return _frame(rows, types)

    @cached_property
    def platforms(self) -> pd.DataFrame:
        """On what each trial that ended was made: one row a trial, with the columns of ``PLATFORM``."""
        rows = [
            {"algorithm": trial.label, "env": trial.env, "seed": trial.seed}
            | {name: getattr(timing, name) for name in PLATFORM}
            for trial, timing in self._timings
            if trial.ending is not None
        ]
        return _frame(
            rows, {"algorithm": "str", "env": "str", "seed": "int64", **dict.fromkeys(PLATFORM, "str")}
        )

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """Every evaluation episode: step, actual_step, episode, its return and length, exact_value."""
        return self._table("evaluations")

    @cached_property
    def episodes(self) -> pd.DataFrame:
        """Every training episode: ``step, env_index, episode_return, episode_length``."""
        return self._table("episodes")

    @cached_property
    def diagnostics(self) -> pd.DataFrame:
        """What the algorithms told of themselves: ``step, name, value``."""
        return self._table("diagnostics")

    @cached_property
    def experiments(self) -> list[dict[str, Any]]:
        """The requests that this folder answers, as their documents."""
        documents = []
        for path in sorted((self.root / "experiments").glob("*.json")):
            document = _read_named(path, path.stem)
            if document is None:
                self._problem(f"{path} is damaged; the same command again writes it anew")
                continue
            check_schema(document, path)
            documents.append(document)
        return documents

    @cached_property
    def unsupported(self) -> list[dict[str, str]]:
        """What was asked for and cannot be: ``algorithm, env, reason``."""
        rows = {
            tuple(str(row.get(key, "")) for key in ("algorithm", "env", "reason"))
            for experiment in self.experiments
            for row in experiment.get("unsupported", [])
        }
        return [dict(zip(("algorithm", "env", "reason"), row, strict=True)) for row in sorted(rows)]

    @cached_property
    def _timings(self) -> list[tuple[StoredTrial, Timing]]:
        return [(trial, self._timing(trial)) for trial in self.stored]

    def _timing(self, trial: StoredTrial) -> Timing:
        """Give the times of a trial that ended; empty where ``timing.json`` is damaged or not there."""
        if trial.ending is None:
            return Timing()
        path = trial.path / "timing.json"
        try:
            return msgspec.convert(open_sealed(read_bytes(path) or b""), Timing)
        except msgspec.ValidationError:
            self._problem(f"{path} {_LOST}; its trial's times are unknown")
            return Timing()

    def check_weights(self) -> None:
        """Look for damage where no frame looks, in the final weights; add it to ``problems``."""
        for trial in self.stored:
            expected = trial.ending.files.get("final.safetensors") if trial.ending else None
            path = trial.path / "final.safetensors"
            if expected and hashlib.sha256(read_bytes(path) or b"").hexdigest() != expected:
                self._problem(f"{path} {_LOST}; to have it, remove the folder and run the same command again")

    def _trial_folders(self) -> Iterator[tuple[Path, tuple[str, str, int, str]]]:
        """Give every trial's folder with what its names say."""
        for algorithm in self._named_folders(self.root / "trials"):
            for environment in self._named_folders(algorithm):
                label, env = decode_name(algorithm.name), decode_name(environment.name)
                for path in _folders(environment):
                    parsed = parse_trial_folder(path.name)
                    if parsed is not None:
                        yield path, (label, env, *parsed)

    def _named_folders(self, parent: Path) -> Iterator[Path]:
        for folder in _folders(parent):
            if shown(folder.name) == folder.name:
                yield folder
            else:
                self._problem(f"{folder} has a name that is no text, so nothing in it is read; rename it")

    def _read_trial(self, path: Path, label: str, env: str, seed: int, digest: str) -> StoredTrial:
        trial = StoredTrial(path, label, env, seed, digest)
        document = _read_named(path / "trial.json", digest)
        ending = read_status(path)
        if document is None:
            self._mark_damaged(trial, "trial.json")
        else:
            check_schema(document, path / "trial.json")
            if _is_at_home(document, path):
                trial.document = document
            else:
                self._mark_damaged(trial, "trial.json", "is not of this folder, which was moved or renamed")
        if ending is not None:
            trial.ending, trial.status, trial.error = ending, ending.status, ending.error
        elif os.path.lexists(path / "status.json"):
            self._mark_damaged(trial, "status.json")
        if self._relative(trial) in self.damaged:
            trial.status, trial.error = "damaged", self.damaged[self._relative(trial)]
        return trial

    def _table(self, table: str) -> pd.DataFrame:
        import numpy as np
        import pandas as pd
        import pyarrow as pa

        schema = pa.schema([(name, kind) for name, kind in COLUMNS[table].items()])
        read: list[tuple[StoredTrial, pa.Table]] = []
        for trial in self.stored:
            expected = trial.ending.files.get(f"{table}.parquet") if trial.ending else None
            if trial.ending is None or trial.status == "damaged":
                continue
            data = read_bytes(trial.path / f"{table}.parquet") or b""
            content = _rows(data, schema)
            if content is None:
                self._mark_damaged(trial, f"{table}.parquet")
            elif hashlib.sha256(data).hexdigest() != expected:
                self._mark_damaged(trial, f"{table}.parquet", _MIXED)
            else:
                read.append((trial, content))
        rows = pa.concat_tables([content for _, content in read]) if read else schema.empty_table()
        counts = [content.num_rows for _, content in read]
        front = pd.DataFrame(
            {
                "algorithm": pd.array([trial.label for trial, _ in read], dtype=_dtype("str")),
                "env": pd.array([trial.env for trial, _ in read], dtype=_dtype("str")),
                "seed": pd.array([trial.seed for trial, _ in read], dtype="int64"),
            }
        )
        repeated = front.iloc[np.repeat(np.arange(len(front)), counts)].reset_index(drop=True)
        return pd.concat([repeated, rows.to_pandas()], axis=1)

    def _mark_damaged(self, trial: StoredTrial, file: str, cause: str = _LOST) -> None:
        message = f"{trial.path / file} {cause}; remove that folder and run the same command again"
        self.damaged[self._relative(trial)] = message
        self._problem(message)

    def _problem(self, message: str) -> None:
        if shown(message) not in self.problems:
            self.problems.append(shown(message))

    def _relative(self, trial: StoredTrial) -> str:
        return trial.path.relative_to(self.root).as_posix()


def _folders(parent: Path) -> list[Path]:
    try:
        with os.scandir(parent) as entries:
            return [parent / name for name in sorted(entry.name for entry in entries if entry.is_dir())]
    except FileNotFoundError:
        return []


def _is_at_home(document: Mapping[str, Any], path: Path) -> bool:
    """Whether a trial lies where the store puts it, so that a moved copy does not count twice."""
    try:
        identity = msgspec.convert(document, TrialIdentity)
        place = (encode_name(identity.label), encode_name(identity.env), f"seed-{identity.seed}")
    except (msgspec.ValidationError, UsageError):
        return False
    return (path.parent.parent.name, path.parent.name, path.name.rpartition("-")[0]) == place


def _read_named(path: Path, digest: str) -> dict[str, Any] | None:
    """Give a JSON document that is named after its content; ``None`` where the two do not match."""
    try:
        document = json.loads(read_bytes(path) or b"")
        whole = isinstance(document, dict) and content_hash(document) == digest
    except (ValueError, RecursionError):
        return None
    return document if whole else None


def _rows(data: bytes, schema: pa.Schema) -> pa.Table | None:
    """Give the rows of a Parquet file, or ``None`` where it is not one of this schema."""
    import pyarrow as pa
    import pyarrow.parquet

    try:
        content = pyarrow.parquet.ParquetFile(pa.BufferReader(data)).read(use_threads=False)  # small files
        return content.select(schema.names).cast(schema)
    except (ValueError, KeyError, OSError, pa.ArrowException):
        return None


def _frame(rows: Sequence[Mapping[str, Any]], types: Mapping[str, str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {name: pd.array([row[name] for row in rows], dtype=_dtype(kind)) for name, kind in types.items()}
    )


def _dtype(kind: str) -> Any:
    """Give the dtype pandas itself would choose for text, and the named one for the rest."""
    import pandas as pd

    return pd.Series(["text"]).dtype if kind == "str" else kind
