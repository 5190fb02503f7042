"""What is published, ready to be asked: an index made from verified releases only, and quick questions to it."""

from safercities.hub.figures.building import build as build
from safercities.hub.figures.figures import Figures as Figures
from safercities.hub.figures.query import Query as Query
from safercities.hub.figures.writing import WRITERS as WRITERS
from safercities.hub.figures.writing import export as export
