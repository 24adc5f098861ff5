# SPDX-License-Identifier: Apache-2.0
"""The model store: what is committed stays, whichever byte of an operation the power dies at."""

import random
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import store_device
from store_device import (
    BAD_ARGUMENT,
    BAD_CHECKSUM,
    FOREVER,
    INCOMPLETE,
    NO_SPACE,
    NOT_FOUND,
    OK,
    PORT_FAILED,
    REFUSED,
    TEARS,
    TOO_MANY,
    Flash,
    Store,
)

ERASE, PROGRAM, HEAD = 512, 4, 192
GEOMETRIES = [(256, 1), (512, 4), (256, 64), (1024, 256)]
MOST = 1024  # names


@pytest.fixture(scope="module")
def native(native_lib: Any) -> Any:
    return store_device.build(native_lib)


def package(seed: int, size: int) -> bytes:
    """Bytes with stretches of ff and 00, as weights have."""
    rng = random.Random(seed)
    data = bytearray(rng.randbytes(size))
    for _ in range(size // 256):
        at = rng.randrange(size)
        data[at:at + rng.randrange(150)] = rng.choice([b"\xff", b"\0"]) * 100
    return bytes(data[:size]).ljust(size, b"\xff")


@pytest.fixture
def flash(native: Any) -> Flash:
    return Flash(native, 16 * ERASE, ERASE, PROGRAM)


# -- without power cuts --------------------------------------------------------------------------


def test_what_is_committed_is_found_listed_and_there_after_a_mount(flash: Flash) -> None:
    store = Store(flash)
    models = {"a.efm": package(1, 1000), "b": package(2, 1), "c" * 32: package(3, 2000)}
    for name, data in models.items():
        assert store.write(name, data, piece=77) == OK
        assert store.find(name) == data
    assert store.all() == Store(flash).all() == models
    assert Store(flash).find("d") is None
    assert flash.nor.forbidden == 0


def test_an_empty_flash_is_an_empty_store(flash: Flash) -> None:
    store = Store(flash)
    assert store.mounted == OK and store.all() == {}
    assert store.space().free == store.space().bytes == 16 * ERASE
    assert store.space().largest == 16 * ERASE - HEAD


def test_a_package_is_not_there_before_its_commit(flash: Flash) -> None:
    store, data = Store(flash), package(1, 900)
    assert store.begin("a", data) == (OK, 0)
    assert store.append(data[:500]) == OK
    assert store.commit() == INCOMPLETE
    assert store.all() == Store(flash).all() == {}
    assert store.append(data[500:]) == OK
    assert store.all() == {}
    assert store.commit() == OK
    assert store.all() == {"a": data}


def test_a_package_of_no_bytes_is_a_package(flash: Flash) -> None:
    assert Store(flash).write("a", b"") == OK
    assert Store(flash).all() == {"a": b""}


def test_the_old_package_stays_until_the_new_one_is_committed(flash: Flash) -> None:
    store, old, new = Store(flash), package(1, 1000), package(2, 1500)
    assert store.write("a", old) == OK
    assert store.begin("a", new) == (OK, 0)
    assert store.append(new) == OK
    assert store.find("a") == old
    assert store.commit() == OK
    assert store.all() == Store(flash).all() == {"a": new}


def test_bytes_of_another_crc_are_never_committed(flash: Flash) -> None:
    store, data = Store(flash), package(1, 700)
    assert store.write("a", b"old") == OK
    assert store.begin("a", data) == (OK, 0)
    assert store.append(data[:-1] + bytes([data[-1] ^ 1])) == OK
    assert store.commit() == BAD_CHECKSUM
    assert store.all() == Store(flash).all() == {"a": b"old"}
    assert store.append(b"") == store.commit() == BAD_ARGUMENT


def test_what_makes_no_sense_is_refused(flash: Flash) -> None:
    store = Store(flash)
    assert store.append(b"") == store.commit() == BAD_ARGUMENT
    assert store.abort() == OK
    assert store.remove("a") == NOT_FOUND
    assert store.begin("", b"data")[0] == store.begin("n" * 33, b"data")[0] == BAD_ARGUMENT
    assert store.begin("a", b"data") == (OK, 0)
    assert store.append(b"data!") == BAD_ARGUMENT
    assert store.append(b"data") == store.commit() == OK


@pytest.mark.parametrize("change", [
    {"erase_bytes": 500}, {"erase_bytes": 128}, {"program_bytes": 3}, {"program_bytes": 512},
    {"program_bytes": 0}, {"erase_bytes": 0}, {"size": 16 * ERASE + 4}, {"size": 0},
    {"erase_bytes": 32 * ERASE}])
def test_flash_of_impossible_sizes_is_not_mounted(flash: Flash, change: dict[str, int]) -> None:
    for name, value in change.items():
        setattr(flash.nor, name, value)
    assert Store(flash).mounted == BAD_ARGUMENT


def test_removing_frees_the_room_and_nothing_else(flash: Flash) -> None:
    store, models = Store(flash), {name: package(i, 900) for i, name in enumerate("abcd")}
    for name, data in models.items():
        assert store.write(name, data) == OK
    free = store.space().free
    assert store.remove("b") == OK
    del models["b"]
    assert store.space().free - free == 3 * ERASE
    assert store.all() == Store(flash).all() == models
    assert store.remove("b") == NOT_FOUND


def test_another_write_drops_the_unfinished_one(flash: Flash) -> None:
    store, data = Store(flash), package(1, 2000)
    assert store.begin("a", data) == (OK, 0)
    assert store.append(data[:1500]) == OK
    assert store.write("b", b"other") == OK
    assert store.all() == {"b": b"other"}
    assert store.begin("a", data) == (OK, 0)


def test_an_interrupted_write_goes_on_where_it_stopped(flash: Flash) -> None:
    store, data = Store(flash), package(1, 2000)
    assert store.begin("a", data) == (OK, 0)
    assert store.append(data[:1501]) == OK
    assert store.begin("a", data) == (OK, 1501)
    store = Store(flash)  # a reset
    status, start = store.begin("a", data)
    assert status == OK and 0 < start <= 1501 and 1501 - start < 2 * ERASE
    assert store.append(data[start:]) == store.commit() == OK
    assert store.all() == {"a": data}


@pytest.mark.parametrize(("name", "data"), [("b", b"1" * 2000), ("a", b"2" * 2000),
                                            ("a", b"1" * 2001)])
def test_a_write_of_another_name_size_or_crc_begins_anew(flash: Flash, name: str,
                                                         data: bytes) -> None:
    store = Store(flash)
    assert store.begin("a", b"1" * 2000) == (OK, 0)
    assert store.append(b"1" * 1500) == OK
    store = Store(flash)
    assert store.begin(name, data) == (OK, 0)
    assert store.append(data) == store.commit() == OK
    assert store.all() == {name: data}


def test_df_tells_the_truth(flash: Flash) -> None:
    """What it says fits, fits; one byte more does not. Free room is what removing gives back."""
    rng, store, models = random.Random(5), Store(flash), {}
    for step in range(200):
        name = rng.choice("abcdef")
        if rng.random() < 0.4:
            store.remove(name)
            models.pop(name, None)
        else:
            data = package(step, rng.randrange(2500))
            if store.write(name, data) == OK:
                models[name] = data
        space = store.space()
        held = sum(-(-(len(data) + HEAD) // ERASE) for data in models.values())
        assert space.free == (16 - held) * ERASE
        assert store.begin("probe", bytes(space.largest + 1))[0] == NO_SPACE
        if space.largest:
            saved, tried = flash.save(), Store(flash)
            assert tried.write("probe", bytes(space.largest)) == OK
            flash.restore(saved)
    assert store.all() == models


def test_a_package_that_never_fits_is_refused_and_nothing_is_lost(flash: Flash) -> None:
    store = Store(flash)
    assert store.write("a", b"old") == OK
    for size in (16 * ERASE - HEAD + 1, 16 * ERASE, 20 * ERASE):
        for replace in (False, True):
            assert store.begin("a", bytes(size), replace)[0] == NO_SPACE
    assert Store(flash).all() == {"a": b"old"}


def test_two_that_cannot_coexist_need_to_be_told(flash: Flash) -> None:
    store, old, new = Store(flash), package(1, 10 * ERASE), package(2, 10 * ERASE)
    assert store.write("other", b"kept") == store.write("a", old) == OK
    assert store.write("a", new) == REFUSED
    assert store.write("b", new) == store.write("b", new, replace=True) == NO_SPACE
    assert store.find("a") == old
    assert store.write("a", new, replace=True) == OK
    assert store.all() == Store(flash).all() == {"other": b"kept", "a": new}


def test_replace_removes_nothing_where_both_fit(flash: Flash) -> None:
    store, old, new = Store(flash), package(1, 1000), package(2, 1000)
    assert store.write("a", old) == OK
    assert store.begin("a", new, replace=True) == (OK, 0)
    assert store.find("a") == old


def test_a_package_whose_block_would_read_as_a_head_is_refused(flash: Flash) -> None:
    """It would come to life as a package of its own when the one around it is removed."""
    store = Store(flash)
    assert store.write("evil", b"x") == OK
    forged = bytearray(flash.image()[:HEAD])
    for block in range(2, 6):
        forged[8:12] = block.to_bytes(4, "little")
        forged[60:64] = zlib.crc32(forged[:60]).to_bytes(4, "little")
        store.state.cursor = 1
        assert store.write("a", bytes((block - 1) * ERASE - HEAD) + forged + bytes(99)) == REFUSED
        assert store.write("a", bytes((block - 1) * ERASE - HEAD + 1) + forged) == OK
        assert store.remove("a") == OK
    assert Store(flash).all() == {"evil": b"x"}


def test_flash_that_does_not_hold_what_was_written_is_told(native: Any, flash: Flash) -> None:
    store = Store(flash)
    assert store.write("a", b"old") == OK
    flash.fill(flash.image()[:ERASE] + bytes(15 * ERASE))  # worn out: nothing is erased any more
    flash.nor.left, flash.nor.tear = 0, 4
    assert store.write("a", package(1, 2000)) == PORT_FAILED
    flash.power()
    assert Store(flash).all() == {"a": b"old"}


def test_a_write_that_could_not_be_dropped_never_comes_back(flash: Flash) -> None:
    store, data, other = Store(flash), package(1, 5 * ERASE), package(2, 900)
    assert store.begin("a", data) == (OK, 0)
    assert store.append(data[:4 * ERASE]) == OK
    flash.cut_after(0, tear=4)  # the flash fails for a while; the device goes on
    assert store.write("b", other) == PORT_FAILED
    flash.power()
    store.state.cursor = 1  # inside the extent of "a"
    assert store.write("b", other) == OK
    assert Store(flash).all() == {"b": other}
    assert Store(flash).begin("a", data) == (OK, 0)


def test_wear_is_spread_over_the_blocks_and_counted(flash: Flash) -> None:
    store = Store(flash)
    assert store.write("fixed", package(0, 700)) == OK
    for step in range(300):
        if step % 7 == 0:
            store = Store(flash)  # also over restarts
        assert store.write("a", package(step, 100 + 337 * step % 2000)) == OK
    assert min(flash.erases()) == 1  # the package that stays
    spread = [count for count in flash.erases() if count > 1]
    assert len(spread) == 14
    assert max(spread) <= 1.5 * sum(spread) / len(spread)
    assert max(spread) <= store.space().erases <= 2 * max(spread)


def test_a_small_file_that_comes_and_goes_wears_no_block_more_than_another(native: Any) -> None:
    flash = Flash(native, 200 * ERASE, ERASE, PROGRAM)
    store = Store(flash)
    for cycle in range(150):
        assert store.write("a", package(cycle, 100)) == store.remove("a") == OK
        if cycle % 40 == 0:
            store = Store(flash)
    assert flash.erases() == [1] * 150 + [0] * 50
    assert store.space().erases == 1
    for _ in range(250):
        assert store.write("a", b"data") == store.remove("a") == OK
    assert flash.erases() == [2] * 200
    assert store.space().erases == 2


def test_the_count_of_erases_is_never_below_the_true_one(native: Any) -> None:
    """Also where small packages take the place of a part of a large one, whose head goes first."""
    for seed in range(20):
        rng, flash = random.Random(seed), Flash(native, 24 * ERASE, ERASE, PROGRAM)
        store = Store(flash)
        for _ in range(100):
            name, blocks = rng.choice("abcde"), rng.choice([1, 1, 2, 7])
            if rng.random() < 0.5:
                store.remove(name)
            store.write(name, bytes(blocks * ERASE - HEAD))
            if rng.random() < 0.1:
                store = Store(flash)
            assert max(flash.erases()) <= store.space().erases <= 2 * max(flash.erases()) + 1


# -- many packages -------------------------------------------------------------------------------


def _filled(native: Any, count: int, blocks: int) -> Flash:
    """Packages `0`, `1`, ... of a block each on flash of `blocks` blocks."""
    flash = Flash(native, blocks * 256, 256, 4)
    store = Store(flash)
    for number in range(count):
        assert store.write(str(number), b"%d" % number) == OK
    return flash


def _heads(native: Any, operation: Callable[[], object]) -> int:
    """How many heads an operation looks at."""
    before = native.lib.heads
    operation()
    return int(native.lib.heads - before)


def test_every_operation_looks_at_each_head_a_few_times_only(native: Any) -> None:
    count = 200
    flash = _filled(native, count, 256)
    store = Store(flash)
    operations: dict[str, tuple[int, Callable[[], object]]] = {
        "mount": (3, lambda: Store(flash)),
        "list": (1, store.all),
        "measure": (2, store.space),
        "find": (1, lambda: store.find("199")),
        "write": (8, lambda: store.write("new", b"data")),
        "replace": (7, lambda: store.write("7", b"data")),
        "remove": (3, lambda: store.remove("198"))}
    for name, (times, operation) in operations.items():
        assert _heads(native, operation) <= times * (count + 10), name
    assert len(store.all()) == count


def test_one_name_more_than_the_limit_is_refused_before_anything_is_written(native: Any) -> None:
    flash = _filled(native, MOST, MOST + 8)
    store, image = Store(flash), flash.image()
    for replace in (False, True):
        assert store.begin("one more", b"data", replace) == (TOO_MANY, 0)
        assert Store(flash).begin("one more", b"data", replace) == (TOO_MANY, 0)
    assert flash.image() == image
    assert store.write("7", b"another seven") == OK  # a name that is there
    assert store.remove("8") == OK
    assert store.write("one more", b"data") == OK
    assert store.begin("two more", b"data")[0] == TOO_MANY
    assert len(store.all()) == MOST


def test_a_store_above_the_limit_is_listed_read_and_can_be_emptied(native: Any) -> None:
    """Firmware that knew no limit may have filled it."""
    flash, image = Flash(native, (MOST + 16) * 256, 256, 4), b""
    for block in range(MOST + 9):
        image += _extent(block, str(block), b"%d" % block, block, 256).ljust(256, b"\xff")
    flash.fill(image.ljust(flash.nor.size, b"\xff"))
    store = Store(flash)
    assert store.all() == {str(block): b"%d" % block for block in range(MOST + 9)}
    assert store.write("new", b"data") == TOO_MANY
    assert store.write("1", b"another") == OK
    for block in range(10):
        assert store.remove(str(block)) == OK
    assert store.write("new", b"data") == OK
    assert len(store.all()) == MOST


def test_random_operations_do_what_a_dictionary_does(native: Any) -> None:
    for seed, (erase, program) in enumerate(GEOMETRIES * 3):
        rng, flash = random.Random(seed), Flash(native, 24 * erase, erase, program)
        store, models = Store(flash), {}
        for step in range(150):
            _random_step(rng, store, models, erase, step)
            if rng.random() < 0.2:
                store = Store(flash)
            assert store.all() == models
        assert flash.nor.forbidden == 0


def _random_step(rng: random.Random, store: Store, models: dict[str, bytes], erase: int,
                 step: int) -> None:
    name, kind = rng.choice(["a", "bb", "model.efm", "x" * 32]), rng.random()
    if kind < 0.3:
        assert store.remove(name) == (OK if name in models else NOT_FOUND)
        models.pop(name, None)
    elif kind < 0.4:
        assert store.abort() == OK
    elif kind < 0.6:
        data = package(step, rng.randrange(1, 6 * erase))
        status, start = store.begin(name, data)
        if status == OK:
            assert store.append(data[start:rng.randrange(start, len(data) + 1)]) == OK
    else:
        data, replace = package(step % 5, rng.randrange(8 * erase)), rng.random() < 0.5
        status = store.write(name, data, replace, rng.randrange(1, 999))
        assert status in (OK, NO_SPACE) or (status == REFUSED and not replace)
        if status == OK:
            models[name] = data


# -- power cuts ----------------------------------------------------------------------------------

Operation = Callable[[Store], int]


def _written(flash: Flash, operation: Operation) -> int:
    """Bytes that an operation erases and programs; it must succeed."""
    before = flash.nor.spent
    assert operation(Store(flash)) == OK
    return flash.nor.spent - before


def _every_cut(flash: Flash, operation: Operation, allowed: list[dict[str, bytes]],
               after: Callable[[Store], None] | None = None) -> int:
    """Cut the power after every byte of an operation; returns how many cuts there were."""
    start = flash.save()
    total = _written(flash, operation)
    done = Store(flash).all()
    assert done in allowed
    for count in range(total):
        for tear in (count % TEARS, (count + 3) % TEARS):
            flash.restore(start)
            flash.cut_after(count, tear, 1 + count * 2654435761 % 2**32)
            operation(Store(flash))
            assert flash.nor.cut
            flash.power()
            found = Store(flash).all()
            assert found in allowed, (count, tear)
            assert Store(flash).all() == found  # what mount repaired is repaired
            if after is not None:
                after(Store(flash))
            assert flash.nor.forbidden == 0, (count, tear)
    return total


def _stocked(native: Any, geometry: tuple[int, int]) -> tuple[Flash, dict[str, bytes]]:
    """A used flash: every block was written before, three packages are there."""
    erase, program = geometry
    flash = Flash(native, 14 * erase, erase, program)
    rng = random.Random(erase)
    flash.fill(rng.randbytes(14 * erase))
    store = Store(flash)
    models = {"a": package(1, erase + 100), "b": package(2, 2 * erase), "c": package(3, 50)}
    for name, size in (("x", 5), ("y", 6), ("x", 4)):
        assert store.write(name, package(size, size * erase // 2)) == OK
    assert store.remove("x") == store.remove("y") == OK
    for name, data in models.items():
        assert store.write(name, data) == OK
    return flash, models


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_power_cut_at_any_byte_of_a_first_write(native: Any, geometry: tuple[int, int]) -> None:
    flash, models = _stocked(native, geometry)
    new = package(9, 2 * geometry[0] + 30)

    def again(store: Store) -> None:
        assert store.write("n", new) == OK
        assert store.all() == {**models, "n": new}

    _every_cut(flash, lambda store: store.write("n", new), [models, {**models, "n": new}], again)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_power_cut_at_any_byte_leaves_the_old_package_or_the_new(
        native: Any, geometry: tuple[int, int]) -> None:
    flash, models = _stocked(native, geometry)
    new = package(9, 2 * geometry[0] + 30)

    def again(store: Store) -> None:
        assert store.write("b", new) == OK
        assert store.all() == {**models, "b": new}

    _every_cut(flash, lambda store: store.write("b", new), [models, {**models, "b": new}], again)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_power_cut_at_any_byte_of_a_removal(native: Any, geometry: tuple[int, int]) -> None:
    flash, models = _stocked(native, geometry)
    left = {name: data for name, data in models.items() if name != "b"}
    _every_cut(flash, lambda store: store.remove("b"), [models, left])


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_power_cut_at_any_byte_of_a_replacement_loses_no_other(
        native: Any, geometry: tuple[int, int]) -> None:
    flash, models = _stocked(native, geometry)
    name, new = next((name, package(9, blocks * geometry[0])) for blocks in range(13, 1, -1)
                     for name in models
                     if Store(flash).begin(name, bytes(blocks * geometry[0]))[0] == REFUSED)
    left = {other: data for other, data in models.items() if other != name}
    _every_cut(flash, lambda store: store.write(name, new, replace=True),
               [models, left, {**left, name: new}])


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_power_cut_at_any_byte_of_a_resumed_write(native: Any, geometry: tuple[int, int]) -> None:
    """The first cut is somewhere in the third block, the second at every byte of the rest."""
    flash, models = _stocked(native, geometry)
    new, erase = package(9, 4 * geometry[0]), geometry[0]
    flash.cut_after(5 * erase + 77, tear=2, seed=3)
    assert Store(flash).write("b", new) == PORT_FAILED
    flash.power()
    resumed = []

    def again(store: Store) -> None:
        if store.find("b") == new:
            return
        status, start = store.begin("b", new)
        resumed.append(start)
        assert status == OK and store.append(new[start:]) == store.commit() == OK
        assert store.all() == {**models, "b": new}

    _every_cut(flash, lambda store: store.write("b", new), [models, {**models, "b": new}], again)
    assert sum(start > 0 for start in resumed) > len(resumed) / 2


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_power_cut_at_any_byte_of_dropping_a_write(native: Any, geometry: tuple[int, int]) -> None:
    flash, models = _stocked(native, geometry)
    store = Store(flash)
    assert store.begin("b", package(9, 999)) == (OK, 0)
    assert store.append(package(9, 900)) == OK
    _every_cut(flash, lambda store: store.abort(), [models])


def test_power_cut_at_any_byte_of_the_repair_at_mount(native: Any) -> None:
    """Between the commit and the removal of the package before, both are there."""
    new = package(9, 700)
    for geometry in GEOMETRIES:
        flash, models = _stocked(native, geometry)
        saved = flash.save()
        total = _written(flash, lambda store: store.write("b", new))
        flash.restore(saved)
        flash.cut_after(total - max(geometry[1], 64))
        Store(flash).write("b", new)
        flash.power()
        _every_cut(flash, lambda store: OK, [{**models, "b": new}])


def test_random_operations_with_power_cuts_lose_nothing(native: Any) -> None:
    """Also many cuts in a row, and operations on what a cut left behind."""
    cuts = 0
    for seed, (erase, program) in enumerate(GEOMETRIES * 6):
        rng, flash = random.Random(seed), Flash(native, 16 * erase, erase, program)
        flash.fill(rng.randbytes(16 * erase))
        models: dict[str, bytes] = {}
        for _ in range(150):
            name, data = rng.choice("abcd"), package(rng.randrange(6), rng.randrange(5 * erase))
            remove = rng.random() < 0.3
            flash.cut_after(rng.randrange(6 * erase) if rng.random() < 0.7 else FOREVER,
                            rng.randrange(TEARS), rng.randrange(1, 2**32))
            status = Store(flash).remove(name) if remove else Store(flash).write(name, data)
            cut, found = flash.nor.cut, _after_power(flash)
            done = {key: value for key, value in models.items() if key != name}
            done.update({} if remove else {name: data})
            assert found in ([done] if status == OK else [models, done] if cut else [models])
            models, cuts = found, cuts + cut
        assert flash.nor.forbidden == 0
    assert cuts > 500


def _after_power(flash: Flash) -> dict[str, bytes]:
    flash.power()
    return Store(flash).all()


# -- garbage -------------------------------------------------------------------------------------


def test_garbage_is_an_empty_store_that_works(native: Any) -> None:
    for seed, (erase, program) in enumerate(GEOMETRIES * 5):
        rng, flash = random.Random(seed), Flash(native, 16 * erase, erase, program)
        flash.fill(rng.choice([rng.randbytes(16 * erase), bytes(16 * erase),
                               b"EFMS" * (4 * erase)]))
        store = Store(flash)
        assert store.all() == {}
        assert store.write("a", package(seed, 999)) == OK
        assert Store(flash).all() == {"a": package(seed, 999)}


def test_damaged_images_are_mounted_and_can_be_written(native: Any) -> None:
    """Whatever is found has its CRC or not, but it lies inside the flash and nothing crashes."""
    flash, _ = _stocked(native, (512, 4))
    image = flash.image()
    for seed in range(300):
        rng, damaged = random.Random(seed), bytearray(image)
        for _ in range(rng.randrange(1, 30)):
            damaged[rng.randrange(14) * 512 + rng.randrange(200)] ^= rng.randrange(256)
        flash.fill(bytes(damaged))
        store = Store(flash)
        names = [name for name, _ in store.entries(sound=False)]
        assert len(names) <= 14
        if store.write("new", b"data") == OK:
            assert store.find("new") == b"data"
        for name in names:
            assert store.remove(name) == OK


def _extent(block: int, name: str, data: bytes, sequence: int, erase: int) -> bytes:
    """The pages and bytes of a committed package, as the store writes them."""
    head = struct.pack("<4sIIIIIBBBB32s", b"EFMS", sequence, block, len(data), zlib.crc32(data), 1,
                       erase.bit_length() - 1, 6, len(name), 255, name.encode().ljust(32, b"\xff"))
    check = struct.pack("<I", zlib.crc32(head))
    return head + check + b"\xff" * 64 + (b"EFMC" + check).ljust(64, b"\xff") + data


def _forge(flash: Flash, *extents: tuple[int, str, int, int]) -> None:
    """Packages behind the store's back: block, name, bytes, sequence. A later one lies on top."""
    image = bytearray(flash.image())
    for block, name, size, sequence in extents:
        found = _extent(block, name, package(sequence, size), sequence, ERASE)
        image[block * ERASE:block * ERASE + len(found)] = found
    flash.fill(bytes(image))


@pytest.mark.parametrize("forged", [
    pytest.param([(1, "a", 100, 1)], id="as new as the write that goes on"),
    pytest.param([(5, "x", 1000, 0), (7, "a", 100, 9)], id="newer, in one that begins in this"),
    pytest.param([(9, "x", 2000, 0), (11, "a", 100, 9)], id="newer, in another"),
    pytest.param([(9, "a", 2000, 0), (11, "a", 100, 9)], id="newer, in an older of the name"),
    pytest.param([(9, "x", 1000, 0), (11, "x", 2000, 9)], id="newer, reaching beyond the other"),
])
def test_what_is_committed_on_forged_flash_is_found_and_stays(
        flash: Flash, forged: list[tuple[int, str, int, int]]) -> None:
    """Nothing that comes to light later is newer, and nothing comes to lie over it."""
    data, store = package(1, 1500), Store(flash)
    assert store.write("first", b"") == OK
    store.state.cursor = 2
    assert store.begin("a", data) == (OK, 0)  # in blocks 2 to 5
    assert store.append(data[:1000]) == OK
    _forge(flash, *forged)
    store = Store(flash)
    status, start = store.begin("a", data)
    assert status == store.append(data[start:]) == OK
    flash.cut_after(64, tear=4)  # once the commit is programmed
    assert store.commit() == OK
    flash.power()
    store = Store(flash)
    for name in ("x", "first", "y"):
        assert store.find("a") == Store(flash).find("a") == data
        assert store.remove(name) in (OK, NOT_FOUND)
        assert store.write("z", package(3, 1000)) in (OK, NO_SPACE)
    assert store.find("a") == Store(flash).find("a") == data
    assert store.remove("a") == OK
    assert store.find("a") is Store(flash).find("a") is None


def test_a_name_that_forged_flash_holds_twice_goes_as_a_whole_the_newest_last(flash: Flash) -> None:
    _forge(flash, (1, "a", 100, 7), (3, "a", 100, 5), (5, "b", 100, 8), (7, "a", 100, 6))
    newest = package(7, 100)
    start = flash.save()
    assert Store(flash).find("a") == newest
    assert Store(flash).write("a", b"new") == OK
    assert sorted(Store(flash).entries()) == [("a", b"new"), ("b", package(8, 100))]
    flash.restore(start)
    for count in range(_written(flash, lambda store: store.remove("a"))):
        flash.restore(start)
        flash.cut_after(count, tear=count % TEARS)
        Store(flash).remove("a")
        flash.power()
        assert Store(flash).find("a") in (newest, None)
    flash.restore(start)
    assert Store(flash).remove("a") == OK
    assert Store(flash).all() == {"b": package(8, 100)}


# -- flash that fails ----------------------------------------------------------------------------


def test_a_package_that_could_not_be_marked_as_replaced_is_gone_all_the_same(flash: Flash) -> None:
    store, old, new = Store(flash), package(1, 700), package(2, 900)
    assert store.write("other", b"kept") == store.write("a", old) == OK
    assert store.begin("a", new) == (OK, 0)
    assert store.append(new) == OK
    flash.cut_after(64, tear=4)  # the commit is programmed, then the flash fails for a while
    assert store.commit() == OK
    kept = {"other": b"kept", "a": new}
    assert store.all() == kept
    assert store.write("b", b"data") == store.remove("a") == store.remove("other") == PORT_FAILED
    assert store.all() == kept
    flash.power()
    assert store.remove("a") == OK
    assert store.all() == Store(flash).all() == {"other": b"kept"}
    assert store.write("b", b"data") == OK


# -- code ----------------------------------------------------------------------------------------

STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]


def _compile(root: Path, command: list[str], folder: Path) -> Iterator[Path]:
    includes = [f"-I{root / path}" for path in ("native/src", "native/include", "firmware/common")]
    for source in store_device.FILES:
        target = folder / f"{source.stem}.o"
        subprocess.run([*command, *STRICT, *includes, "-c", str(source), "-o", str(target)],
                       check=True)
        yield target


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_strict_compilers_have_nothing_to_say(root: Path, need: Callable[[str], str],
                                              tmp_path: Path, compiler: str) -> None:
    assert len(list(_compile(root, [need(compiler)], tmp_path))) == len(store_device.FILES)


def test_stack_and_size_are_small_and_nothing_is_global(root: Path, need: Callable[[str], str],
                                                        tmp_path: Path) -> None:
    command = [need("arm-none-eabi-gcc"), "-Os", "-mcpu=cortex-m4", "-mthumb", "-ffreestanding",
               "-fstack-usage"]
    code = 0
    for target in _compile(root, command, tmp_path):
        usage = [line.split("\t") for line in target.with_suffix(".su").read_text().splitlines()]
        assert usage and all(int(size) <= 256 and kind == "static" for _, size, kind in usage)
        sizes = subprocess.run(["arm-none-eabi-size", str(target)], check=True, text=True,
                               capture_output=True).stdout.splitlines()[1].split()
        assert sizes[1:3] == ["0", "0"]
        code += int(sizes[0])
    assert code <= 3072
