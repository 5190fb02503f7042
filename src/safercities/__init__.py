"""safercities: monitor, understand and improve urban safety. `safercities.open(folder)` is the way in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"
__all__ = [
    "Design",
    "Estimates",
    "Observatory",
    "SafercitiesError",
    "UsageError",
    "__version__",
    "aggregate",
    "open",
    "survey",
]

if TYPE_CHECKING:
    from safercities.measure.upward import aggregate
    from safercities.model.errors import SafercitiesError, UsageError
    from safercities.model.estimates import Estimates
    from safercities.observatory import Observatory, open
    from safercities.sampling.design import Design, survey

_HOMES = {
    "open": "safercities.observatory",
    "Observatory": "safercities.observatory",
    "aggregate": "safercities.measure.upward",
    "Design": "safercities.sampling.design",
    "survey": "safercities.sampling.design",
    "Estimates": "safercities.model.estimates",
    "SafercitiesError": "safercities.model.errors",
    "UsageError": "safercities.model.errors",
}


def __getattr__(name: str) -> Any:
    """Load on first use, so that the command line starts at once."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
