"""Agents made with a framework, run as they are: which framework it is, and an adapter for each.

An adapter is the only module that knows its framework, and is imported only by the process of a run whose agent is
made with it: docs/frameworks.md.
"""
