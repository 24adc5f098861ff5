# SPDX-License-Identifier: Apache-2.0
"""Where sections come to lie, and what the header says of them."""

from edgefm.package.container import read_header
from edgefm.package.read import read_info
from edgefm.package.records import HEADER, RECORD_BYTES, Section
from edgefm.package.write import Description, with_rate, write_package
from tests.golden.edit import start, table
from tests.support.small_package import plan_of, small_network, small_package


def test_sections_do_not_overlap_and_are_aligned() -> None:
    data = small_package()
    end = HEADER.size + 16 * len(table(data))
    for section in read_info(data).sections:
        assert section.offset % 16 == 0
        assert section.offset >= end
        end = section.offset + section.bytes
    assert end == len(data)


def test_sections_of_records_are_the_head() -> None:
    data = small_package()
    head_bytes = read_header(data, "small").head_bytes
    for number, (_, content) in table(data).items():
        inside = start(data, number) + len(content) <= head_bytes
        assert inside == (RECORD_BYTES[Section(number)] > 1), number


def test_a_version_of_the_model_is_read_back() -> None:
    graph = small_network()
    program, plan = plan_of(graph)
    data = write_package(graph, program, plan, {}, Description("", version=7))
    assert read_info(data).version == 7 and read_info(small_package()).version == 0
    assert read_header(with_rate(data, plan, {}), "net").version == 7
