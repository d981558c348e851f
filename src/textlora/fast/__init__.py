"""The fast encoder: packed sequences, low precision, hand-written backward.

Knows tensors and nothing else: no settings, no PEFT, no file names. The readable
reference is the Transformers forward; this package computes the same function and
can be removed: `model/backends/`, which alone imports it, then takes the plain path.

    packing        sequences without padding
    weights        what the encoder is made of; frozen products, laid out for the processor
    attention      one signature: batched products here, kernels in native
    elementwise    dropout, LayerNorm, GELU and the low-rank updates, one signature each
    native         attention, elementwise operations and updates in C
    kernels        which of them are used where
    layer          one transformer layer, forward and backward
    encoder        all layers as one autograd function; several adapters in one batch
    frozen_layers  the layers below the lowest adapter, run once
"""
