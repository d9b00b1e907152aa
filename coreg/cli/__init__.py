"""The ``coreg`` command. Its modules import what is heavy inside their commands, so that help is quick."""
