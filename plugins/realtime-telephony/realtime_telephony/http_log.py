"""aiohttp's log of the HTTP port, without what strangers send."""

from __future__ import annotations

import logging
from typing import Any, Final, final

from aiohttp.http import HttpProcessingError
from aiohttp.web import RequestPayloadError

from realtime_telephony.seldom import Seldom

__all__ = ["HttpLog"]

_OF_PEERS: Final = (HttpProcessingError, RequestPayloadError, ConnectionError)


@final
class HttpLog(logging.LoggerAdapter[logging.Logger]):
    """
    Writes to `aiohttp.server`.

    Of a request that cannot be read aiohttp logs the line it stumbled over, in which a secret may stand, and a traceback each
    time; a traceback also of a peer that is gone before it is answered. Here it is the kind of the error, and not every time.
    """

    def __init__(self) -> None:
        super().__init__(logging.getLogger("aiohttp.server"), {})
        self._seldom = Seldom(self.logger)

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a message."""
        error = kwargs.get("exc_info")
        if not isinstance(error, _OF_PEERS):
            super().log(level, msg, *args, **kwargs)
            return
        message = f"{msg}: %s"
        if level >= logging.WARNING:
            self._seldom.warn(message, *args, type(error).__name__)
        else:
            self.logger.log(level, message, *args, type(error).__name__)
