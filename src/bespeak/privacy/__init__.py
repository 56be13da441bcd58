"""Protection of people: consent by purpose, pseudonyms, and the protocol that every holder of personal data implements.

consent     which purposes hold for an event      subjects    holds / export / erase
pseudonyms  keyed hashes                          ledger      erasures that a restore must repeat
"""
