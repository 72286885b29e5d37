"""Operators for training on a CPU, channels last, on the oneDNN that MindSpore's wheel brings.

MindSpore keeps maps in the order (N, C, H, W), for which that oneDNN has no AVX-512 kernels. `source/` has operators
for (N, H, W, C), `library.py` builds them once per machine, `operators.py` shows them to MindSpore, and
`channels_last.py` lets a network that was built as ever take them.
"""
