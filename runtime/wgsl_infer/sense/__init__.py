"""Does an answer make sense? It is parsed and its types are worked out, the types of its operands being open.

`expressions` and `syntax` read WGSL into trees, `types` knows how types combine, `builtins` what each built-in function
takes, `values` and `program` go through the trees, and `check` looks for types of the free names with which the whole
fits together. It is no compiler: what compiles makes sense, and what makes sense nearly always compiles.
"""

from .check import fault

__all__ = ["fault"]
