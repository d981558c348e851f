"""Kernels in C, built on first use; see `build`."""
