"""Broken on purpose: a plugin whose library is not there."""

import a_library_that_nobody_has  # noqa: F401 - the import error is the point
