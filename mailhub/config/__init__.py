"""The configuration: one TOML file, read once, validated whole.

``kinds`` says what a value may be, ``schema`` lists the settings, ``location`` finds
the line a key stands on, ``loading`` puts file, environment and options together,
``text`` writes a configuration for people.  Nothing here imports Twisted.
"""
