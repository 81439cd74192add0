#!/usr/bin/env python3
"""The arithmetic of tests/bench: medians, ratios round by round, targets, and that the scenarios
fit together. Measures nothing."""

import contextlib
import io
import pathlib
import sys
import types
import unittest

BENCH = pathlib.Path(__file__).resolve().parent.parent / "bench"
sys.path.insert(0, str(BENCH))
import bench  # noqa: E402
import measuring  # noqa: E402
import tables  # noqa: E402
import targets  # noqa: E402
from scenarios import round_trip, sustained  # noqa: E402


def context():
    return measuring.Context(bin_dir=pathlib.Path("bin"), folder=pathlib.Path())


def scenario(name="fake", values=(1.0,), **more):
    """A scenario that returns these values, one a round."""
    left = list(values)
    return types.SimpleNamespace(NAME=name, TITLE=name, UNITS={"rate": "1/s"},
                                 round=lambda _context: {"rate": left.pop(0)},
                                 ratios=lambda _figures: {}, **more)


class Figures(unittest.TestCase):
    def test_a_summary_is_median_and_range(self):
        row = measuring.summary("rate", "1/s", [3.0, 1.0, 10.0])
        self.assertEqual([row[key] for key in ("median", "min", "max", "rounds")],
                         [3.0, 1.0, 10.0, 3])

    def test_a_ratio_is_taken_round_by_round(self):
        # The machine was twice as fast in the last round: the ratio does not see it. The quotient
        # of the medians would be 2.5.
        figures = {"ours": [10.0, 20.0, 50.0], "theirs": [4.0, 8.0, 25.0]}
        self.assertEqual(measuring.quotient(figures, "ours", "theirs"), 2.5)
        figures = {"ours": [10.0, 20.0, 60.0], "theirs": [10.0, 5.0, 20.0]}
        self.assertEqual(measuring.quotient(figures, "ours", "theirs"), 3.0)

    def test_what_was_not_measured_has_no_ratio(self):
        table = {"whole": ("a", "b"), "half": ("a", "missing")}
        self.assertEqual(measuring.quotients({"a": [4.0], "b": [2.0]}, table), {"whole": 2.0})

    def test_the_floor_has_the_disk_twice(self):
        figures = {"durable_round_trip_p50_us": [520.0], "raw_libzmq_round_trip_p50_us": [200.0],
                   "fdatasync_us": [100.0]}
        self.assertAlmostEqual(round_trip.ratios(figures)["durable_round_trip_vs_floor"], 1.3)

    def test_growth_is_from_the_middle_to_the_end(self):
        self.assertEqual(sustained.end_over_middle([9.0] * 10 + [1.0] * 30), 1.0)
        self.assertAlmostEqual(sustained.end_over_middle([float(i) for i in range(100)]), 87 / 49)
        swings = [500.0 + 10 * (i % 37) for i in range(300)]
        self.assertAlmostEqual(sustained.end_over_middle(swings), 1.0, delta=0.03)
        growing = [value * (1 + i / 300) for i, value in enumerate(swings)]
        self.assertGreater(sustained.end_over_middle(growing), 1.2)

    def test_the_last_quarter_tells_of_a_slowdown(self):
        curve = {"tasks_per_s": 75.0, "at_s": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
                 "finished": [100, 200, 300, 400, 500, 600, 610, 620]}
        self.assertEqual(sustained.rate_of_last_quarter(curve), 10.0)


class Targets(unittest.TestCase):
    def test_each_direction(self):
        self.assertTrue(targets.met("durable_throughput_vs_raw_libzmq", 0.5))
        self.assertFalse(targets.met("durable_throughput_vs_raw_libzmq", 0.49))
        self.assertTrue(targets.met("p99_over_p50_at_half_load", 4.0))
        self.assertFalse(targets.met("p99_over_p50_at_half_load", 4.1))
        self.assertIsNone(targets.met("no_such_ratio", 1.0))


def written(name, value, ratio):
    """What a run with one figure and one ratio writes."""
    with contextlib.redirect_stdout(io.StringIO()):
        fake = scenario(name)
        fake.UNITS, fake.ratios = {name: "1/s"}, lambda _figures: {ratio: value}
        about = {"date": "2026-01-01T00:00:00", "cpu": "a cpu", "cpus": 2, "kernel": "6",
                 "versions": {}, "file_system": "ext4", "load_average_at_start": 0.0}
        return bench.report([fake], context(), about, {name: [value]})


class Pages(unittest.TestCase):
    RATIO = "durable_throughput_vs_raw_libzmq"

    def test_a_target_that_is_missed_is_said(self):
        for value, verdict in ((0.5, "| met |"), (0.4, "| **missed** |")):
            page = "\n".join(tables.page(tables.merged([written("rate", value, self.RATIO)])))
            self.assertIn(f"| `{self.RATIO}` | {value} | ≥ 0.5 {verdict}", page)
            self.assertIn(f"| `rate` | {value} | one round | 1/s |", page)

    def test_a_busy_machine_is_said(self):
        run = written("rate", 1.0, self.RATIO)
        self.assertNotIn("busy", "\n".join(tables.page(run)))
        run["load_average_at_start"] = 1.5
        self.assertIn("busy", "\n".join(tables.page(run)))

    def test_the_first_of_two_runs_counts(self):
        both = tables.merged([written("rate", 1.0, self.RATIO), written("rate", 2.0, self.RATIO),
                              written("other", 3.0, "another")])
        self.assertEqual([row["median"] for row in both["results"]], [1.0, 3.0])
        self.assertEqual(both["ratios"], {self.RATIO: 1.0, "another": 3.0})


class Running(unittest.TestCase):
    def measure(self, scenarios, rounds):
        with contextlib.redirect_stderr(io.StringIO()):
            figures, self.failures = bench.measure(scenarios, context(), rounds)
        return figures

    def test_every_round_of_every_scenario(self):
        self.assertEqual(self.measure([scenario(values=(1.0, 2.0))], 2), {"rate": [1.0, 2.0]})

    def test_a_long_scenario_may_have_fewer_rounds(self):
        self.assertEqual(self.measure([scenario(ROUNDS_MAX=1)], 5), {"rate": [1.0]})

    def test_a_figure_without_a_unit_is_a_failure(self):
        unknown = scenario()
        unknown.UNITS = {}
        self.assertEqual(self.measure([unknown], 1), {})
        self.assertIn("rate", self.failures["fake"])

    def test_a_failure_stops_no_other_and_keeps_what_was_measured(self):
        def fail(_context):
            raise measuring.BenchError("no disk")

        broken = scenario("broken")
        broken.round = fail
        figures = self.measure([broken, scenario(values=(1.0, 2.0))], 2)
        self.assertEqual(figures, {"rate": [1.0, 2.0]})
        self.assertEqual(self.failures, {"broken": "no disk"})

    def test_who_is_chosen(self):
        everyone = {"usual": scenario("usual"), "long": scenario("long", BY_DEFAULT=False),
                    "unable": scenario("unable", unavailable=lambda _context: "not here")}
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            usual = [module.NAME for module in bench.chosen(everyone, None, context())]
            named = [module.NAME for module in bench.chosen(everyone, ["long"], context())]
        self.assertEqual((usual, named), (["usual"], ["long"]))
        self.assertIn("UNAVAILABLE: unable: not here", said.getvalue())

    def test_every_scenario_keeps_to_the_interface(self):
        figures = set()
        for module in bench.load_scenarios().values():
            self.assertTrue(module.TITLE)
            self.assertEqual(module.ratios({}), {}, module.NAME)
            self.assertFalse(figures & set(module.UNITS), f"{module.NAME}: a figure of another one")
            figures |= set(module.UNITS)


if __name__ == "__main__":
    unittest.main()
