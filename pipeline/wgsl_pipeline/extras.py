"""The packages of the [train] extra that the pipeline cannot do without."""

NEEDED = ("click", "lark", "matplotlib", "onnx", "pyarrow", "safetensors", "torch", "tqdm")
INSTALL = 'pip install "wgsl-infer[train]"'
