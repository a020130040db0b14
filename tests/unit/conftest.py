"""Lets the tests of every folder here import the helper modules beside it."""
