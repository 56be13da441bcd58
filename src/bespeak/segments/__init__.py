"""Segments: named rules over the profile, with membership that is kept live.

definitions  a segment, parsed and ordered so that each comes after those it names
membership   who is in now, until when that holds without an event, and what moved
"""
