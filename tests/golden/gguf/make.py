#!/usr/bin/env python3
"""Files by the real gguf package (0.19.0; NumPy): make.py."""
import sys
from pathlib import Path

import gguf
import numpy as np

sys.dont_write_bytecode = True


def finish(writer, tensors):
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


writer = gguf.GGUFWriter(Path(__file__).with_name("model.gguf"), "test")
writer.add_string("general.name", "digits")
writer.add_uint32("test.count", 7)
writer.add_array("test.texts", ["a", "bc"])
writer.add_array("test.numbers", [1, 2, 3])
writer.add_float32("test.rate", 1.5)
finish(writer, {
    "blk.0.weight": np.arange(6, dtype=np.float32).reshape(2, 3) / 4,
    "blk.0.bias": np.arange(3, dtype=np.float16),
    "count": np.array([5], np.int64)})

# Neither the header nor the first tensor ends at a multiple of 256.
writer = gguf.GGUFWriter(Path(__file__).with_name("aligned.gguf"), "test")
writer.add_custom_alignment(256)
finish(writer, {"bias": np.arange(3, dtype=np.float32),
                "count": np.array([5, 6, 7], np.int64)})
