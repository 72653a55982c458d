"""Tables as Markdown and LaTeX that stored text cannot break."""

from __future__ import annotations

import pandas as pd

from rlbench.reports.markup import latex, markdown


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


def test_latex_is_a_table_for_booktabs_with_the_numbers_of_markdown():
    table = pd.DataFrame({"algorithm": ["dqn"], "n": [-3], "mean": [-12.3456789], "low": [float("nan")]})
    assert latex(table).splitlines() == [
        r"% needs \usepackage{booktabs}",
        r"\begin{tabular}{lrrr}",
        r"\toprule",
        r"algorithm & n & mean & low \\",
        r"\midrule",
        r"dqn & $-$3 & $-$12.3457 & – \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_stored_text_is_never_read_as_a_command_of_latex():
    table = pd.DataFrame(
        {"first": [r"\input{x}", "[2cm]", "*", "a_b^c~d"], "last": ["50 % & $5", "#1\n2\x00", "--", "<|>"]}
    )
    lines = latex(table).splitlines()
    assert lines[5:9] == [
        r"\textbackslash{}input\{x\} & 50 \% \& \$5 \\",
        r"{[}2cm{]} & \#1 2 \\",
        r"{*} & {-}{-} \\",
        r"a\_b\textasciicircum{}c\textasciitilde{}d & \textless{}\textbar{}\textgreater{} \\",
    ]


def test_a_missing_whole_number_is_a_dash():
    table = pd.DataFrame({"n": pd.array([3, None], dtype="Int64")})
    assert markdown(table).splitlines()[2:] == ["| 3 |", "| – |"]
