"""Tables as Markdown that stored text cannot break."""

from __future__ import annotations

import pandas as pd

from rlbench.reports.markup import markdown


def test_markdown_is_a_table_with_numbers_to_the_right():
    table = pd.DataFrame({"algorithm": ["dqn"], "mean": [12.3456789], "low": [float("nan")]})
    assert markdown(table) == "| algorithm | mean | low |\n| --- | ---: | ---: |\n| dqn | 12.3457 | – |\n"


def test_stored_text_stays_in_its_cell():
    table = pd.DataFrame({"name": ["a|b\n| c", "<script>", "_x_*y*`z`[l](u)"]})
    lines = markdown(table).splitlines()
    assert len(lines) == 5
    assert lines[2] == "| a\\|b \\| c |"
    assert lines[3] == "| \\<script\\> |"
    assert lines[4] == "| \\_x\\_\\*y\\*\\`z\\`\\[l\\](u) |"
