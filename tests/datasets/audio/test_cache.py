"""The cache of decoded sound: killed, damaged, contended, and files that vanish."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest

from zoo.datasets import audio_folder
from zoo.datasets.audio import cache as audio_cache
from zoo.datasets.audio import fill_cache

OPTIONS = {"sample_rate": 6000, "seconds": 0.5}


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# Imports once, then forks: TensorFlow alone takes seconds.
FORKING = """
import os, random, signal, sys, time
from zoo.datasets.audio import fill_cache
from zoo.datasets.audio.folder import audio_folder

original = fill_cache.read_sound
def slow(path, *rest):
    time.sleep(0.004)
    with open(sys.argv[2] + "/decoded", "a") as file:
        file.write(path.name + chr(10))
    return original(path, *rest)
fill_cache.read_sound = slow

def build(cache):
    os.environ["CONVZOO_CACHE"] = sys.argv[2] + "/" + cache
    child = os.fork()
    if child == 0:
        try:
            audio_folder(sys.argv[1], sample_rate=6000, seconds=0.5)
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
    return child

def ended(child):
    return os.waitpid(child, 0)[1]
"""
KILLING = """
begin = time.monotonic()
assert ended(build("one")) == 0
whole = time.monotonic() - begin
for seed in range(2):
    random.seed(seed)
    for _ in range(40):
        child = build(f"killed-{seed}")
        time.sleep(random.uniform(0.05, 0.6) * whole)
        os.kill(child, signal.SIGKILL)
        status = ended(child)
        if status == 0:
            break
        assert os.WIFSIGNALED(status), status
        names = [n for _, _, ns in os.walk(os.environ["CONVZOO_CACHE"]) for n in ns]
        finished = sum(name.startswith("sounds") and ".json" in name for name in names)
        print(finished, any(".tmp" in name for name in names))
    assert ended(build(f"killed-{seed}")) == 0
"""
CONTENDING = """
children = [build("both") for _ in range(2)]
assert [ended(child) for child in children] == [0, 0]
"""


def run_forking(code, *arguments):
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(sounds, tmp_path):
    sounds.fill(count=40)
    (sounds.folder / "cat" / "bad.wav").write_bytes(b"no sound")
    left = run_forking(KILLING, sounds.folder, tmp_path)
    # Some kill came in the middle: with shards finished, or one half written.
    assert any(line not in ("0 False", "8 False") for line in left), left
    whole = tree(tmp_path / "one")
    assert sum(name.endswith(".tfrecord") for name in whole) == 8
    for seed in range(2):
        assert tree(tmp_path / f"killed-{seed}") == whole


def test_two_processes_decode_once(sounds, tmp_path):
    sounds.fill()
    run_forking(CONTENDING, sounds.folder, tmp_path)
    assert len((tmp_path / "decoded").read_text().split()) == 20


def test_finished_shards_are_not_decoded_again(sounds, fresh_cache, monkeypatch):
    sounds.fill(count=20)
    original = fill_cache.read_sound
    decoded = []

    def failing(path, *rest):
        decoded.append(path)
        if len(decoded) > 22:
            raise KeyboardInterrupt
        return original(path, *rest)

    monkeypatch.setattr(fill_cache, "read_sound", failing)
    with pytest.raises(KeyboardInterrupt):
        audio_folder(sounds.folder, **OPTIONS)
    (folder,) = (path for path in (fresh_cache / "sounds").iterdir() if path.is_dir())
    finished = len(list(folder.glob("*.json")))
    assert 1 <= finished <= 4
    decoded.clear()
    monkeypatch.setattr(
        fill_cache,
        "read_sound",
        lambda path, *rest: decoded.append(path) or original(path, *rest),
    )
    clips = audio_folder(sounds.folder, **OPTIONS)
    assert len(decoded) == 40 - 5 * finished
    assert clips.folder == folder


def remove_shard(folder):
    next(folder.glob("*.tfrecord")).unlink()


def cut_shard(folder):
    path = next(folder.glob("*.tfrecord"))
    path.write_bytes(path.read_bytes()[:-9])


def flip_a_bit(folder):
    path = next(folder.glob("*.tfrecord"))
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)


def other_facts(folder):
    path = next(folder.glob("sounds*.json"))
    path.write_text(json.dumps({"sha256": "0", "sounds": []}))


def remove_list(folder):
    (folder / "rejected.csv").unlink()


def remove_manifest(folder):
    (folder / "manifest.json").unlink()


def everything(folder):
    for path in folder.iterdir():
        path.write_bytes(b"")


@pytest.mark.parametrize(
    "damage",
    [
        remove_shard,
        cut_shard,
        flip_a_bit,
        other_facts,
        remove_list,
        remove_manifest,
        everything,
    ],
)
def test_a_damaged_cache_is_mended(sounds, fresh_cache, damage):
    sounds.fill()
    clips = audio_folder(sounds.folder, **OPTIONS)
    before = tree(clips.folder)
    damage(clips.folder)
    assert tree(clips.folder) != before
    audio_folder(sounds.folder, **OPTIONS)
    assert tree(clips.folder) == before


def test_an_intact_cache_is_left_alone(sounds, fresh_cache):
    sounds.fill()
    clips = audio_folder(sounds.folder, **OPTIONS)
    times = {path: path.stat().st_mtime_ns for path in clips.folder.iterdir()}
    audio_folder(sounds.folder, **OPTIONS)
    assert times == {path: path.stat().st_mtime_ns for path in clips.folder.iterdir()}


def test_a_file_in_place_of_the_cache(sounds, fresh_cache):
    sounds.fill()
    fresh_cache.write_text("")
    with pytest.raises(ValueError, match="set CONVZOO_CACHE to a folder that can be"):
        audio_folder(sounds.folder, **OPTIONS)


def test_a_file_that_vanishes_while_it_is_prepared(sounds, fresh_cache, monkeypatch):
    sounds.fill()
    original = fill_cache.read_sound
    gone = sounds.folder / "cat" / "3.wav"
    content = gone.read_bytes()

    def vanishing(path, *rest):
        if path == gone:
            gone.unlink(missing_ok=True)
        return original(path, *rest)

    monkeypatch.setattr(fill_cache, "read_sound", vanishing)
    with pytest.warns(UserWarning, match="1 of 20 files can't be used: cat/3.wav"):
        clips = audio_folder(sounds.folder, **OPTIONS)
    assert clips.rejected == {"cat/3.wav": "vanished while the cache was made"}
    assert sum(clips.info.splits.values()) == 19
    # The same cache serves the next run; and the file is welcome when it is back.
    after = audio_folder(sounds.folder, **OPTIONS)
    assert (after.folder, after.rejected) == (clips.folder, {})
    monkeypatch.setattr(fill_cache, "read_sound", original)
    gone.write_bytes(content)
    assert sum(audio_folder(sounds.folder, **OPTIONS).info.splits.values()) == 20


def test_a_file_that_changes_while_it_is_prepared(sounds, fresh_cache, monkeypatch):
    sounds.fill()
    original = fill_cache.read_sound
    changed = []

    def changing(path, *rest):
        if path.name == "3.wav" and len(changed) < times:
            changed.append(path)
            sounds.write("cat/3.wav", 777 + times + len(changed))
        return original(path, *rest)

    monkeypatch.setattr(fill_cache, "read_sound", changing)
    times = 1
    clips = audio_folder(sounds.folder, **OPTIONS)
    assert clips.rejected == {}
    assert sum(clips.info.splits.values()) == 20
    times = 99
    changed.clear()
    sounds.write("cat/3.wav", 5)
    with pytest.raises(ValueError, match="wait until nothing writes to them"):
        audio_folder(sounds.folder, **OPTIONS)


def test_the_cache_is_small_and_in_several_files(sounds, fresh_cache):
    sounds.fill(count=20)
    clips = audio_folder(sounds.folder, sample_rate=sounds.rate, seconds=0.25)
    shards = list(clips.folder.glob("*.tfrecord"))
    assert len(shards) == 8
    size = sum(path.stat().st_size for path in shards)
    # 16 bits a sample, 8 bytes of ours and 16 of TFRecord a sound.
    assert size == 40 * (4000 * 2 + 8 + 16)


def test_a_bar_only_on_a_terminal(sounds, fresh_cache, monkeypatch, capfd):
    sounds.fill(count=2)
    audio_folder(sounds.folder, **OPTIONS)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "decoding" not in captured.err

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    audio_folder(sounds.folder, sample_rate=5000, seconds=0.25)
    assert "decoding" in screen.getvalue()
    assert "4/4" in screen.getvalue()


def test_large_sets_have_more_shards(sounds, monkeypatch):
    monkeypatch.setattr(fill_cache, "SHARD_BYTES", 20_000)
    sounds.fill(count=20)
    clips = audio_folder(sounds.folder, **OPTIONS)
    assert len(list(clips.folder.glob("*.tfrecord"))) == -(-40 * 8044 // 20_000)


def test_records_are_what_is_written_about_them(sounds):
    """Read without TensorFlow, by the description of the format."""
    sounds.fill(count=4)
    clips = audio_folder(sounds.folder, sample_rate=sounds.rate, seconds=0.25)
    found = {}
    for path in sorted(clips.folder.glob("*.tfrecord")):
        content = path.read_bytes()
        names = {
            fact["index"]: fact["name"]
            for fact in json.loads(path.with_suffix(".json").read_text())["sounds"]
        }
        while content:
            length = int.from_bytes(content[:8], "little")
            index, scale = audio_cache.HEAD.unpack(content[12:20])
            found[names[index]] = np.frombuffer(content[20 : 12 + length], "<i2")
            assert scale == 2**-15
            content = content[16 + length :]
    assert len(found) == 8
    for number, name in enumerate(("cat", "dog")):
        for index in range(4):
            random = np.random.default_rng(1000 * number + index)
            whole = random.integers(-9000, 9000, 4000, np.int16)
            np.testing.assert_array_equal(found[f"{name}/{index}.wav"], whole)
