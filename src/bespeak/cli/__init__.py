"""The command line: the same verbs as the engine, for people and for scripts.

app         the command `bespeak` and its exit status
start       init, apply, config
data        import, export, rejects
training    train, report
decisions   decide
people      profile, segment, privacy
running     serve, work, doctor
archive     backup, restore
demo        demo; storefront serves it
simulate    simulate
measure     measure compare; measure_columns and measure_file read, measure_report says what was found
            measure_lifetime: measure lifetime; measure_replay: measure replay
replay      replay; replay_report says what it and measure replay found
project     which project a command acts on
output      data on stdout, everything else on stderr
"""

from bespeak.cli.app import main

__all__ = ["main"]
