"""The tables and the figure of docs/performance.md, from what ``pytest --benchmark-json=FILE`` wrote.

``python tests/benchmarks/picture.py FILE... FOLDER`` writes ``speed.md`` and ``speed.png`` to ``FOLDER``.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure


def main() -> None:
    *sources, folder = map(Path, sys.argv[1:])
    measured = [one for source in sources for one in json.loads(source.read_text())["benchmarks"]]
    rows, splits = [], []
    for benchmark in measured:
        found = benchmark["extra_info"]
        if "speed_up" in found:
            ours, theirs = (statistics.median(side) for side in zip(*found["pairs"], strict=True))
            seeds = found.get("seeds", 5)
            rows.append((found.get("work", "dqn and a2c"), seeds, ours, theirs, found["speed_up"]))
        if "split" in found:
            splits.append({"work": found["work"], **found["split"]})
    columns = ["work", "seeds", "rlbench, s", "peer, s", "times as fast"]
    table = pd.DataFrame(rows, columns=columns).sort_values(["work", "seeds"])
    lines = ["| " + " | ".join(columns) + " |", "| --- | ---: | ---: | ---: | ---: |"]
    lines += [f"| {r[0]} | {r[1]} | {r[2]:.1f} | {r[3]:.1f} | {r[4]:.1f} |" for r in table.to_numpy()]
    split = pd.DataFrame(splits).set_index("work")  # microseconds a step of a seed
    lines += ["", "| | " + " | ".join(split.columns) + " |", "| --- |" + " ---: |" * split.shape[1]]
    lines += [
        f"| {work} | " + " | ".join(f"{part:.1f}" for part in row) + " |" for work, row in split.iterrows()
    ]
    (folder / "speed.md").write_text("\n".join(lines) + "\n")

    table["seeds"] = table["seeds"].astype(str)
    order = [count for count in ("1", "5", "10") if count in set(table["seeds"])]
    sns.set_theme(style="whitegrid", font="DejaVu Sans")
    heights = [0.65 * table["work"].nunique(), 0.6 + 0.5 * len(split)]
    figure = Figure(figsize=(8.5, 1.2 + sum(heights)), layout="constrained")
    axes, below = figure.subplots(2, height_ratios=heights)
    sns.barplot(
        table, y="work", x="times as fast", hue="seeds", hue_order=order, palette="crest", ax=axes, width=0.7
    )
    for bars in axes.containers:
        axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=9)
    axes.axvline(1.0, color="0.2", linewidth=1.0)
    axes.set(ylabel="", xlabel="times as fast as the peer, both on the same two cores")
    axes.legend(title="seeds", loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    split[::-1].plot.barh(stacked=True, ax=below, color=sns.color_palette("crest", split.shape[1]), width=0.6)
    below.set(ylabel="", xlabel="microseconds for a step of one seed, of 5 that train together on one core")
    below.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    sns.despine(figure, left=True)
    figure.savefig(folder / "speed.png", dpi=120)


if __name__ == "__main__":
    main()
