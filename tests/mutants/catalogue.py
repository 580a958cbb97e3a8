"""All mutants: each module of ``areas`` names those of one part of the product in ``MUTANTS``."""

from importlib import import_module
from pkgutil import iter_modules

from tests.mutants import areas
from tests.mutants.mutant import Mutant


def catalogue() -> list[Mutant]:
    """Return all mutants in the order of the files that they change."""
    modules = [import_module(f"{areas.__name__}.{found.name}") for found in iter_modules(areas.__path__)]
    return sorted((mutant for module in modules for mutant in module.MUTANTS), key=lambda each: (each.file, each.name))
