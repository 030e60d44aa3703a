"""Speaks with espeak-ng: a program of its own, one voice a run.

espeak-ng keeps the state of its voices and of its noise in the process, so what it
says depends on what it has said before. A fresh process a voice makes the samples
depend on the arguments alone. Only the standard library, so that it starts quickly.

Standard input is JSON: `library`, `data`, `voice`, and `utterances`, a list of
(text, rate, pitch, range). Standard output is, for each, the number of samples and the
samples: int16 at 22,050 Hz.
"""

import ctypes
import json
import struct
import sys

SAMPLE_RATE = 22050
# Constants of speak_lib.h.
_SYNCHRONOUS = 2
_RATE, _PITCH, _RANGE = 1, 3, 4
_POSITION_CHARACTER = 1
_UTF8 = 1


def main():
    task = json.load(sys.stdin)
    library = ctypes.CDLL(task["library"])
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, task["data"].encode(), 0)
    if rate != SAMPLE_RATE:
        sys.exit(f"espeak_Initialize gave {rate} instead of {SAMPLE_RATE}")
    samples = bytearray()

    @ctypes.CFUNCTYPE(
        ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
    )
    def keep(wave, count, _):
        if wave and count > 0:
            samples.extend(ctypes.string_at(wave, 2 * count))
        return 0

    library.espeak_SetSynthCallback(keep)
    # It seeds what makes its noise by the clock: its own generator since 1.52, C's
    # before.
    seed = getattr(library, "espeak_ng_SetRandSeed", _c_library().srand)
    seed(1)
    for text, rate, pitch, pitch_range in task["utterances"]:
        samples.clear()
        _must(library.espeak_SetVoiceByName(task["voice"].encode()), "no such voice")
        for parameter, value in (
            (_RATE, rate),
            (_PITCH, pitch),
            (_RANGE, pitch_range),
        ):
            _must(library.espeak_SetParameter(parameter, value, 0), "no such value")
        encoded = text.encode()
        _must(
            library.espeak_Synth(
                encoded,
                ctypes.c_size_t(len(encoded) + 1),
                0,
                _POSITION_CHARACTER,
                0,
                _UTF8,
                None,
                None,
            ),
            "it can't say that",
        )
        _must(library.espeak_Synchronize(), "it was interrupted")
        sys.stdout.buffer.write(struct.pack("=i", len(samples) // 2) + samples)


def _c_library():
    return ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)


def _must(status, fault):
    if status:
        sys.exit(f"{fault} (status {status})")


if __name__ == "__main__":
    main()
