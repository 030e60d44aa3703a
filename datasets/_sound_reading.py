"""From the shards of a sound cache to clips in memory, or as a stream."""

import numpy as np
import tensorflow as tf

from zoo.datasets._sound_cache import HEAD

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
        if self.bytes() > MEMORY_LIMIT:
            return self._streamed(batch_size, seed, training)
        return self._in_memory(batch_size, seed, training)

    def _in_memory(self, batch_size, seed, training):
        # On the host also where there is a GPU: tf.data works there.
        with tf.device("CPU:0"):
            pieces, scales = map(tf.constant, self._read())
            lengths = tf.constant(self.length, tf.int32)
            targets = tf.constant(self.targets[self.sound])
        # Places are shuffled, and batched, not clips: quick, and no second copy. A
        # Dataset.cache() of the clips would be cut short for good by a loop that
        # stops in its first epoch (TensorFlow 2.21, over a parallel map).
        dataset = tf.data.Dataset.range(len(self))
        if training:
            dataset = dataset.shuffle(len(self), seed, reshuffle_each_iteration=True)
        if batch_size is not None:
            dataset = dataset.batch(batch_size)
        return dataset.map(
            lambda place: (
                self._waveform(
                    tf.gather(pieces, place),
                    tf.gather(scales, place),
                    tf.gather(lengths, place),
                ),
                tf.gather(targets, place),
            ),
            num_parallel_calls=tf.data.AUTOTUNE,
        )

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

    def _streamed(self, batch_size, seed, training):
        highest = max(sound["index"] for sound in self.cache.sounds)
        # For each sound of the cache, by its index: its place among the chosen, and
        # how many clips it gives; none if it is not chosen.
        place, clips = np.zeros((2, highest + 1), np.int32)
        chosen = [self.cache.sounds[number]["index"] for number in self.chosen]
        place[chosen] = np.arange(len(chosen))
        clips[chosen] = np.bincount(self.sound, minlength=len(chosen))
        most = int(clips.max())
        with tf.device("CPU:0"):
            place, clips, targets = map(tf.constant, (place, clips, self.targets))

        def cut(records):
            """All clips of some records, one behind the other."""
            head = tf.io.decode_raw(records, tf.int32, fixed_length=HEAD.size)
            index, scale = head[:, 0], tf.bitcast(head[:, 1], tf.float32)
            count = tf.gather(clips, index)
            longest = tf.reduce_max(count)
            frames = longest * self.samples
            # As long as the longest of them: zeros behind the others.
            values = HEAD.size // 2 + frames * self.cache.channels
            words = tf.io.decode_raw(records, tf.int16, fixed_length=2 * values)
            pieces = tf.reshape(
                words[:, HEAD.size // 2 :],
                (tf.size(count), longest, self.samples, self.cache.channels),
            )
            size = tf.strings.length(records) - HEAD.size
            start = tf.range(longest) * self.samples
            rest = (size // 2 // self.cache.channels)[:, tf.newaxis] - start
            theirs = tf.sequence_mask(count, longest)
            return (
                tf.boolean_mask(pieces, theirs),
                tf.repeat(scale, count),
                tf.minimum(self.samples, tf.boolean_mask(rest, theirs)),
                tf.repeat(tf.gather(place, index), count),
            )

        shards = self._shards()
        dataset = tf.data.Dataset.from_tensor_slices(shards)
        if training:
            dataset = dataset.shuffle(len(shards), seed, reshuffle_each_iteration=True)
        dataset = dataset.interleave(
            tf.data.TFRecordDataset,
            cycle_length=min(OPEN_SHARDS, len(shards)) if training else 1,
            num_parallel_calls=tf.data.AUTOTUNE if training else None,
        )
        size = self.samples * self.cache.channels * 2
        buffer = max(1, min(len(self), SHUFFLE_BYTES // size))
        # Where few sounds give several clips it is enough, and quicker, to mix sounds.
        by_sound = len(self) <= MIXED_BY_SOUND * len(self.chosen)
        if training and by_sound:
            dataset = dataset.shuffle(buffer, seed, reshuffle_each_iteration=True)
        # Many short sounds at a time, or one long one.
        dataset = dataset.batch(max(1, CLIPS_AT_A_TIME // most))
        dataset = dataset.map(cut, num_parallel_calls=tf.data.AUTOTUNE)
        if training and not by_sound:
            dataset = dataset.unbatch()
            dataset = dataset.shuffle(buffer, seed, reshuffle_each_iteration=True)
            dataset = dataset.batch(batch_size or CLIPS_AT_A_TIME)
        else:
            dataset = dataset.rebatch(batch_size or CLIPS_AT_A_TIME)
        dataset = dataset.map(
            lambda pieces, scales, lengths, numbers: (
                self._waveform(pieces, scales, lengths),
                tf.gather(targets, numbers),
            ),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        if batch_size is None:
            dataset, batch_size = dataset.unbatch(), 1
        # In the scope of a strategy each worker reads its own shards, and not so many.
        if tf.distribute.has_strategy():
            return dataset
        count = -(-len(self) // batch_size)
        return dataset.apply(tf.data.experimental.assert_cardinality(count))

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
