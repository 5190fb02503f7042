"""Linear programs by HiGHS: one call a question, and a status other than optimal is never taken for an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safercities.model.errors import SafercitiesError, problem

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
#: How far a solution may be off a row or a bound.
TOLERANCE = 1e-6


class Infeasible(Exception):
    """No solution exists: what is claimed to be known contradicts itself."""


@dataclass(frozen=True)
class Solution:
    """What was found.

    Parameters
    ----------
    x
        Values of the columns.
    value
        Of the objective.
    dual
        Of the rows: how much the objective changes with each row's bound.
    """

    x: Floats
    value: float
    dual: Floats


class Program:
    """min cost·x subject to lower ≤ matrix·x ≤ upper, least ≤ x ≤ most; asked again and again with other costs.

    Parameters
    ----------
    matrix
        Shape (rows, columns).
    whole
        Whether every column must be a whole number.
    interior
        Whether to use the interior-point method: quick on large programs.
    corner
        Whether its answers must be corners, as the simplex method gives them: few columns differ from their bounds.
        Otherwise they lie inside the face of the optimal ones.

    Raises
    ------
    SafercitiesError
        If the solver ends with anything but an optimal solution.
    Infeasible
        If there is no solution at all.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> both = Program(sp.csr_array(np.ones((1, 2))), np.array([5.0]), np.array([5.0]), np.zeros(2), np.full(2, 9.0))
    >>> both.minimise(np.array([0.0, -1.0])).value
    -5.0
    """

    def __init__(
        self,
        matrix: csr_array,
        lower: Floats,
        upper: Floats,
        least: Floats,
        most: Floats,
        *,
        whole: bool = False,
        interior: bool = False,
        corner: bool = False,
    ) -> None:
        import highspy

        self._columns = np.arange(matrix.shape[1], dtype=np.int32)
        self._whole, self._interior = whole, interior
        self._highs: Any = highspy.Highs()
        options: dict[str, Any] = {
            "output_flag": False,
            "threads": 1,
            "random_seed": 1,
            "mip_rel_gap": 0.0,
            "mip_abs_gap": 0.5,  # objectives of whole numbers are whole numbers
            **({"solver": "ipm", "run_crossover": "on" if corner else "off"} if interior else {}),
        }
        for name, value in options.items():
            self._highs.setOptionValue(name, value)
        rows = matrix.tocsr()
        program = highspy.HighsLp()
        program.num_row_, program.num_col_ = rows.shape
        program.col_cost_ = np.zeros(rows.shape[1])
        program.col_lower_, program.col_upper_ = least.astype(float), most.astype(float)
        program.row_lower_, program.row_upper_ = lower.astype(float), upper.astype(float)
        program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        program.a_matrix_.start_, program.a_matrix_.index_ = rows.indptr, rows.indices
        program.a_matrix_.value_ = rows.data.astype(float)
        if whole:
            program.integrality_ = [highspy.HighsVarType.kInteger] * rows.shape[1]
        self._highs.passModel(program)

    def minimise(self, cost: Floats) -> Solution:
        """The least value of cost·x."""
        import highspy

        self._highs.changeColsCost(len(self._columns), self._columns, np.asarray(cost, dtype=float))
        self._highs.run()
        status = self._highs.getModelStatus()
        if self._interior and status == highspy.HighsModelStatus.kUnknown:  # the simplex method knows more often
            status = self._by_simplex()
        if status == highspy.HighsModelStatus.kInfeasible:
            raise Infeasible
        if status != highspy.HighsModelStatus.kOptimal:
            name = str(status).rpartition(".")[2]
            raise SafercitiesError(problem("attack-unsolved", status=name))
        found = self._highs.getSolution()
        info = self._highs.getInfo()
        value = info.mip_dual_bound if self._whole else info.objective_function_value
        return Solution(np.array(found.col_value), float(value), np.array(found.row_dual))

    def _by_simplex(self) -> object:
        """Ask once more by the other method."""
        self._highs.setOptionValue("solver", "simplex")
        self._highs.run()
        self._highs.setOptionValue("solver", "ipm")
        return self._highs.getModelStatus()

    def limit(self, least: Floats, most: Floats) -> None:
        """Other bounds of all columns."""
        self._highs.changeColsBounds(len(self._columns), self._columns, least.astype(float), most.astype(float))
