"""The pytest plugin of Gesso: a real coordinator, store and worker for the tests of a project.

A package of its own, since pytest loads the plugin in every run: importing anything of `gesso` imports gRPC. What
needs that is imported when a fixture is used.
"""
