"""From the shards of a sound cache to clips in memory, or as a stream."""

import numpy as np
import tensorflow as tf

from zoo.datasets.audio.cache import HEAD
from zoo.datasets.pipeline.memory import MemorySource
from zoo.datasets.pipeline.order import epoch_order, epoch_seed, steps_of_files

# A larger split is read from the shards every epoch.
MEMORY_LIMIT = 2**31
# Bytes of clips that a stream mixes, and how many shards it reads from at a time.
SHUFFLE_BYTES = 2**28
OPEN_SHARDS = 16
CLIPS_AT_A_TIME = 32
MIXED_BY_SOUND = 1.25
# Below these a clip is as good as silent, and is not blown up: -60 and -80 dB.
PEAK_FLOOR = 1e-3
RMS_FLOOR = 1e-4
# What normalize="rms" brings a clip to, -20 dB: our choice.
RMS_LEVEL = 0.1


def clip_count(frames, samples):
    """How many clips a sound gives: a last one counts if it is at least half full.

    Args:
        frames: length of the sound, at least 1.
        samples: length of a clip.

    Returns:
        An integer, at least 1: a short sound is one clip.
    """
    whole, rest = divmod(frames, samples)
    return max(1, whole + (2 * rest >= samples))


class Clips:
    """The clips of one split, in the order of the shards.

    Args:
        cache: a `SoundCache`.
        chosen: numbers of the sounds in `cache.sounds` that belong to the split, in
            order.
        targets: array (len(chosen), ...), the target of each.
        samples: length of a clip.
        normalize: None, "peak" or "rms".
    """

    def __init__(self, cache, chosen, targets, samples, normalize):
        self.cache = cache
        self.samples = samples
        self.normalize = normalize
        frames = np.array([cache.sounds[number]["frames"] for number in chosen], int)
        counts = [clip_count(length, samples) for length in frames.tolist()]
        # For each clip: which of the chosen sounds it is of, and where it starts.
        self.sound = np.repeat(np.arange(len(chosen)), counts)
        self.start = np.concatenate(
            [np.arange(count) * samples for count in counts] or [np.zeros(0, int)]
        )
        self.length = np.minimum(samples, frames[self.sound] - self.start)
        self.chosen = np.array(chosen, int)
        self.targets = targets

    def __len__(self):
        return len(self.sound)

    def bytes(self):
        """What the clips take in memory."""
        return len(self) * self.samples * self.cache.channels * 2

    def dataset(self, batch_size, seed, training):
        """A `tf.data.Dataset` of (waveform, target)."""
        if self.files() is None:
            return self._in_memory(batch_size, seed, training)
        dataset = self._streamed(self._shards(), batch_size, seed, training)
        # In the scope of a strategy each worker reads its own shards, and not so many.
        if tf.distribute.has_strategy():
            return dataset
        count = -(-len(self) // (batch_size or 1))
        return dataset.apply(tf.data.experimental.assert_cardinality(count))

    def files(self):
        """How many shards are read every epoch; None where the clips are in memory."""
        return len(self._shards()) if self.bytes() > MEMORY_LIMIT else None

    def source(self):
        """What `Epochs` reads from."""
        if self.files() is None:
            return MemorySource(len(self), self._reader())
        return _ShardSource(self)

    def _in_memory(self, batch_size, seed, training):
        # Places are shuffled, and batched, not clips: quick, and no second copy. A
        # Dataset.cache() of the clips would be cut short for good by a loop that
        # stops in its first epoch (TensorFlow 2.21, over a parallel map).
        dataset = tf.data.Dataset.range(len(self))
        if training:
            dataset = dataset.shuffle(len(self), seed, reshuffle_each_iteration=True)
        if batch_size is not None:
            dataset = dataset.batch(batch_size)
        return dataset.map(self._reader(), num_parallel_calls=tf.data.AUTOTUNE)

    def _reader(self):
        """A function from places to (waveform, target), of clips in memory."""
        # On the host also where there is a GPU: tf.data works there.
        with tf.device("CPU:0"):
            pieces, scales = map(tf.constant, self._read())
            lengths = tf.constant(self.length, tf.int32)
            targets = tf.constant(self.targets[self.sound])

        def read(place):
            waveform = self._waveform(
                tf.gather(pieces, place),
                tf.gather(scales, place),
                tf.gather(lengths, place),
            )
            return waveform, tf.gather(targets, place)

        return read

    def _read(self):
        """int16 (clips, samples, channels), zero behind the end, and the scales."""
        pieces = np.zeros((len(self), self.samples, self.cache.channels), np.int16)
        scales = np.zeros(len(self), np.float32)
        place = {self.cache.sounds[n]["index"]: i for i, n in enumerate(self.chosen)}
        first = np.searchsorted(self.sound, np.arange(len(self.chosen) + 1))
        for record in tf.data.TFRecordDataset(self._shards()).as_numpy_iterator():
            index, scale = HEAD.unpack_from(record)
            if index not in place:
                continue
            sound = np.frombuffer(record, "<i2", offset=HEAD.size)
            sound = sound.reshape(-1, self.cache.channels)
            for clip in range(*first[place[index] : place[index] + 2]):
                start, length = self.start[clip], self.length[clip]
                pieces[clip, :length] = sound[start : start + length]
                scales[clip] = scale
        return pieces, scales

    def _streamed(self, shards, batch_size, seed, training, epoch=None, first=0):
        """Clips from the shards: reshuffled by themselves, or in the order of an epoch.

        Args:
            shards: paths, in the order of the epoch if there is one.
            batch_size: None for single clips.
            seed: of the order.
            training: whether there is another order than that of the shards.
            epoch: None, or a number: then seed and it alone decide the order.
            first: number of the first clip.
        """

        def mixed(dataset, buffer):
            if epoch is None:
                return dataset.shuffle(buffer, seed, reshuffle_each_iteration=True)
            return dataset.shuffle(
                buffer, epoch_seed(seed, epoch), reshuffle_each_iteration=False
            )

        highest = max(sound["index"] for sound in self.cache.sounds)
        # For each sound of the cache, by its index: its place among the chosen, and
        # how many clips it gives; none if it is not chosen.
        place, clips = np.zeros((2, highest + 1), np.int32)
        chosen = [self.cache.sounds[number]["index"] for number in self.chosen]
        place[chosen] = np.arange(len(chosen))
        clips[chosen] = np.bincount(self.sound, minlength=len(chosen))
        most = int(clips.max())
        # Many short sounds at a time, or one long one.
        sounds_at_a_time = max(1, CLIPS_AT_A_TIME // most)
        with tf.device("CPU:0"):
            place, clips, targets = map(tf.constant, (place, clips, self.targets))

        def heads(records):
            head = tf.io.decode_raw(records, tf.int32, fixed_length=HEAD.size)
            return head[:, 0], tf.bitcast(head[:, 1], tf.float32)

        def of_split(records):
            index, _ = heads(records)
            return tf.boolean_mask(records, tf.gather(clips, index) > 0)

        def cut(records):
            """All clips of some records, one behind the other."""
            index, scale = heads(records)
            count = tf.gather(clips, index)
            longest = 1 if most == 1 else tf.reduce_max(count)
            frames = longest * self.samples
            # As long as the longest of them: zeros behind the others.
            values = HEAD.size // 2 + frames * self.cache.channels
            words = tf.io.decode_raw(records, tf.int16, fixed_length=2 * values)
            pieces = tf.reshape(
                words[:, HEAD.size // 2 :],
                (-1, self.samples, self.cache.channels),
            )
            size = tf.strings.length(records) - HEAD.size
            start = tf.range(longest) * self.samples
            rest = (size // 2 // self.cache.channels)[:, tf.newaxis] - start
            rest = tf.reshape(rest, [-1])
            if most > 1 and sounds_at_a_time > 1:
                theirs = tf.reshape(tf.sequence_mask(count, longest), [-1])
                pieces = tf.boolean_mask(pieces, theirs)
                rest = tf.boolean_mask(rest, theirs)
            return (
                pieces,
                tf.repeat(scale, count),
                tf.minimum(self.samples, rest),
                tf.repeat(tf.gather(place, index), count),
            )

        dataset = tf.data.Dataset.from_tensor_slices(shards)
        if training and epoch is None:
            dataset = mixed(dataset, len(shards))
        dataset = dataset.interleave(
            tf.data.TFRecordDataset,
            cycle_length=min(OPEN_SHARDS, len(shards)) if training else 1,
            num_parallel_calls=tf.data.AUTOTUNE if training else None,
        )
        # To call a function for each short record costs more than to read it.
        dataset = dataset.batch(sounds_at_a_time).map(of_split).unbatch()
        size = self.samples * self.cache.channels * 2
        buffer = max(1, min(len(self), SHUFFLE_BYTES // size))
        # Where few sounds give several clips it is enough, and quicker, to mix sounds.
        by_sound = len(self) <= MIXED_BY_SOUND * len(self.chosen)
        if training and by_sound:
            dataset = mixed(dataset, buffer)
        clips_at_a_time = batch_size or CLIPS_AT_A_TIME
        if most == 1:
            # The least copies: a batch is decoded as it is.
            dataset = dataset.skip(first).batch(clips_at_a_time)
        else:
            dataset = dataset.batch(sounds_at_a_time)
        dataset = dataset.map(cut, num_parallel_calls=tf.data.AUTOTUNE)
        if training and not by_sound:
            dataset = mixed(dataset.unbatch(), buffer).skip(first)
            dataset = dataset.batch(clips_at_a_time)
        elif most > 1 and first:
            dataset = dataset.unbatch().skip(first).batch(clips_at_a_time)
        elif most > 1:
            dataset = dataset.rebatch(clips_at_a_time)
        dataset = dataset.map(
            lambda pieces, scales, lengths, numbers: (
                self._waveform(pieces, scales, lengths),
                tf.gather(targets, numbers),
            ),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        return dataset.unbatch() if batch_size is None else dataset

    def clips_of_shards(self):
        """{path of a shard: how many of the clips it holds}, in order."""
        counts = dict.fromkeys(self._shards(), 0)
        clips = np.bincount(self.sound, minlength=len(self.chosen))
        for number, count in zip(self.chosen, clips.tolist(), strict=True):
            counts[self.cache.shards[self.cache.sounds[number]["shard"]]] += count
        return counts

    def _shards(self):
        """Paths of the shards with a sound of the split in them, in order."""
        numbers = {self.cache.sounds[number]["shard"] for number in self.chosen}
        return [self.cache.shards[number] for number in sorted(numbers)]

    def _waveform(self, pieces, scales, lengths):
        """float32 (..., samples, channels) from int16, with its level set.

        Silence behind the end of a sound does not count for its level.
        """
        waveform = tf.cast(pieces, tf.float32) * scales[..., tf.newaxis, tf.newaxis]
        if self.normalize == "peak":
            peak = tf.reduce_max(tf.abs(waveform), (-2, -1), keepdims=True)
            return waveform / tf.maximum(peak, PEAK_FLOOR)
        if self.normalize == "rms":
            energy = tf.reduce_sum(tf.square(waveform), (-2, -1), keepdims=True)
            values = tf.cast(lengths, tf.float32) * self.cache.channels
            rms = tf.sqrt(energy / values[..., tf.newaxis, tf.newaxis])
            return RMS_LEVEL * waveform / tf.maximum(rms, RMS_FLOOR)
        return waveform


class _ShardSource:
    """Clips in shards, for `Epochs`: each process reads its own shards."""

    def __init__(self, clips):
        self._clips = clips
        self._shards = list(clips.clips_of_shards().items())
        self.count = len(clips)

    def by_files(self, share):
        return True

    def steps(self, batch_size, share):
        if share.workers > len(self._shards):
            raise ValueError(
                f"The clips lie in {len(self._shards)} files, too few for "
                f"{share.workers} workers to have one each. Take fewer workers."
            )
        counts = [self._own(share, rank)[1] for rank in range(share.workers)]
        return steps_of_files(counts, batch_size, share)

    def left_out(self, batch_size, share):
        return max(0, self.count - self.steps(batch_size, share) * batch_size)

    def dataset(self, epoch, first_step, batch_size, seed, share):
        own, _ = self._own(share, share.rank)
        order = epoch_order(len(own), seed, epoch, again=share.rank)
        dataset = self._clips._streamed(
            [own[place][0] for place in order],
            batch_size // share.slices,
            seed,
            training=True,
            epoch=epoch,
            first=first_step * (batch_size // share.workers),
        )
        if not share.drops_rest:
            return dataset
        steps = self.steps(batch_size, share) - first_step
        return dataset.take(steps * share.replicas)

    def _own(self, share, rank):
        """The shards of a process, and how many clips it has in them."""
        shards = self._shards[rank :: share.workers]
        return shards, sum(count for _, count in shards)
