"""The command line: the same verbs as the engine, for people and for scripts.

app         the command `bespeak` and its exit status, made on_demand: imported when called
start       init, apply, config          running     serve, work, doctor
data        import, export, rejects      archive     backup, restore
people      profile, segment, privacy    demo        demo; storefront serves it
decisions   decide                       simulate    simulate
offers      offers                       project     which project a command acts on
options     what several commands take
learning/   train, report, evaluate, benchmark
trying/     experiment, policy, replay
measuring/  measure: statistics on data from outside
output      data on stdout, everything else on stderr; pages: HTML documents that are written
"""

from bespeak.cli.app import main

__all__ = ["main"]
