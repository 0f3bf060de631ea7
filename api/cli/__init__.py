"""The commands of `foxing`. Their modules import what is heavy inside their functions, so that help answers at once."""
