"""Texts that Kubernetes takes as names, keys and values, and those that it does not: an API server is asked of both."""

from __future__ import annotations

KEYS = {
    "pool": True,
    "nvidia.com/gpu": True,
    "a.B_c-9": True,
    "a" * 63: True,
    "sub.example.com/Name": True,
    "a" * 64: False,
    "a b": False,
    "-a": False,
    "a/b/c": False,
    "/a": False,
    "Example.com/a": False,
    "nvidia.com/gpu=present": False,
}
"""Keys of labels and taints."""
ANNOTATION_KEYS = {**KEYS, "Example.com/a": True}
"""Keys of annotations: Kubernetes looks at them in small letters."""
LABEL_VALUES = {"a": True, "A_b.C-9": True, "9" * 63: True, "9" * 64: False, "c d": False, "a-": False, "a/b": False}
OBJECT_NAMES = {"nvidia": True, "alicloud-nas.fast": True, "9": True, "a" * 253: True, "a" * 254: False,
                "NVIDIA": False, "Fast Disk": False, "a_b": False, "a.": False}  # fmt: skip
"""Names of a storage class and of a runtime class."""
