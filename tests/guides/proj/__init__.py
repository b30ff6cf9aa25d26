"""The project of the guides' reader."""
