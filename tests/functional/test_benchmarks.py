"""The benchmarks work: each makes its rows. What they measure here means nothing, so no figure is looked at."""

import json

import pytest

from bench import run
from bench.measure import SMOKE, Row, p99


@pytest.mark.parametrize("name", run.BENCHES)
def test_each_benchmark_makes_its_rows(name):
    rows = run.measure(name, SMOKE)
    assert rows
    for row in rows:
        assert row.what
        assert row.reference
        assert min(row.rate, row.reference_rate, row.p99_seconds) > 0
    assert run.table_of(name, rows).row_count == len(rows)
    written = json.loads(run.as_json({name: rows}))
    assert [each["what"] for each in written["rows"]] == [row.what for row in rows]
    assert written["cores"] >= 1


def test_a_ratio_below_its_goal_stands_out():
    rows = [Row("slow", 1.0, 1.0, "fast", 10.0, goal=0.5), Row("quick", 9.0, 1.0, "fast", 10.0, goal=0.5)]
    (ratios,) = [list(column.cells) for column in run.table_of("x", rows).columns if column.header == "ratio"]
    assert ["red" in cell for cell in ratios] == [True, False]


def test_the_p99_is_the_latency_that_one_of_a_hundred_exceeds():
    assert p99([float(number) for number in range(1, 201)]) == 198.0
    assert p99([3.0, 1.0, 2.0]) == 3.0


def test_an_unknown_benchmark_is_refused(capsys):
    with pytest.raises(SystemExit):
        run.main(["nonsense"])
    assert "there are mail" in capsys.readouterr().err
