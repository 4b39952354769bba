"""Owns declared layouts: how a tensor is made of stored ones, as an expression that nothing has to be built for.

`expressions` has the six of them, `steps` what may be done to a value; `pieces`, `merging` and `compiled` work one out
to boxes of strides, from which `runs`, rows and rectangles come; `algebra` has the inverse, composition and the normal
form (`written`), and `mutations` the rival layouts that a wrong file may have.
"""

from model_contracts.layout.algebra import inverse, inverses, leaves, simplify, substitute
from model_contracts.layout.compiled import Compiled, compiled, normal, same
from model_contracts.layout.expressions import (
    Apply,
    Concat,
    Expr,
    LayoutError,
    NotInvertible,
    Permute,
    Reshape,
    Stored,
    Take,
    steps_of,
    stored,
)
from model_contracts.layout.mutations import mutations
from model_contracts.layout.pieces import Digit, LayoutPiece
from model_contracts.layout.runs import ValueRun
from model_contracts.layout.steps import ValueStep

__all__ = [
    "Apply",
    "Compiled",
    "Concat",
    "Digit",
    "Expr",
    "LayoutError",
    "LayoutPiece",
    "NotInvertible",
    "Permute",
    "Reshape",
    "Stored",
    "Take",
    "ValueRun",
    "ValueStep",
    "compiled",
    "inverse",
    "inverses",
    "leaves",
    "mutations",
    "normal",
    "same",
    "simplify",
    "steps_of",
    "stored",
    "substitute",
]
