"""``python -m dialer.carriers.simulation``: the carrier without Django's settings."""

import logging
from argparse import ArgumentParser

from dialer.carriers.simulation.service import DEFAULTS, Options, add_arguments, run

logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
parser = ArgumentParser(prog="python -m dialer.carriers.simulation", description="A telephone network in a box.")
add_arguments(parser, DEFAULTS)
run(Options.of(vars(parser.parse_args())))
