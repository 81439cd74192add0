#!/usr/bin/env python3
"""What reads perf's samples and callgrind's counts, on texts of theirs."""

import pathlib
import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
import flame_graph  # noqa: E402
import instruction_counts  # noqa: E402

PERF = """\
taskpipe-broker 4711
\t    55d0 taskpipe::broker::State::find(taskpipe::UniqueId<taskpipe::TaskTag> const&) const (/bin/broker)
\t    55d1 std::function<void (int)>::operator()(int) const (/bin/broker)
\t    7f00 [unknown] (/usr/lib/libzmq.so.5.2.4)
\t    7f01 [unknown] (/usr/lib/libzmq.so.5.2.4)
\t    7f02 start_thread+0x2f2 (/usr/lib/libc.so.6)

ZMQbg/IO/0  4712
\tffff81 do_syscall_64 ([kernel.kallsyms])
\t    7f02 start_thread (/usr/lib/libc.so.6)

"""
DOCUMENT = """\
# Benchmarks

## Instruction counts

Words.

| piece | instructions per task |
|---|---|
| `encode` | 1,000 |
| `gone` | 5 |

More words.

## Another section
| `encode` | 7 |
"""


class FlameGraph(unittest.TestCase):
    def setUp(self):
        self.samples = flame_graph.parse(PERF)

    def test_a_sample_is_read_from_its_thread_to_where_it_was(self):
        self.assertEqual(self.samples, [
            ("taskpipe-broker", "start_thread", "[libzmq.so.5.2.4]", "std::function<>::operator()",
             "broker::State::find"),
            ("ZMQbg/IO/0", "start_thread", "do_syscall_64")])

    def test_names_lose_what_makes_them_long(self):
        self.assertEqual(flame_graph.short("void taskpipe::(anonymous namespace)::f<int>(char*)"),
                         "f<>")
        self.assertEqual(flame_graph.short("taskpipe::operator<<(std::ostream&, int)"), "operator<<")

    def test_shares_are_of_all_samples(self):
        rows = {row[0]: row[1:] for row in flame_graph.hottest(self.samples, 10)}
        self.assertEqual(rows["start_thread"], (0.0, 1.0))
        self.assertEqual(rows["broker::State::find"], (0.5, 0.5))

    def test_the_picture_is_xml_and_has_each_box(self):
        root = xml.etree.ElementTree.fromstring(flame_graph.render(self.samples, "a < b"))
        titles = [node.text for node in root.iter("{http://www.w3.org/2000/svg}title")]
        self.assertIn("all: 100.0%", titles)
        self.assertIn("std::function<>::operator(): 50.0%", titles)


class InstructionCounts(unittest.TestCase):
    def test_the_table_is_that_of_its_section(self):
        self.assertEqual(instruction_counts.recorded(DOCUMENT), {"encode": 1000, "gone": 5})

    def test_an_update_replaces_the_rows_and_nothing_else(self):
        text = instruction_counts.updated(DOCUMENT, {"encode": 1234, "new": 9})
        self.assertEqual(text, DOCUMENT.replace("| `encode` | 1,000 |\n| `gone` | 5 |\n",
                                                "| `encode` | 1,234 |\n| `new` | 9 |\n"))

    def test_growth_beyond_a_tenth_is_refused(self):
        self.assertEqual(instruction_counts.complaints({"a": 1100}, {"a": 1000}), [])
        self.assertEqual(instruction_counts.complaints({"a": 500}, {"a": 1000}), [])
        (complaint,) = instruction_counts.complaints({"a": 1101}, {"a": 1000})
        self.assertIn("./run counts --update", complaint)

    def test_pieces_that_one_side_lacks_are_refused(self):
        self.assertEqual(len(instruction_counts.complaints({"a": 1}, {"b": 1})), 2)


if __name__ == "__main__":
    unittest.main()
