"""Rate limits of the local Discord, and the faults that a test asks for."""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from tests.discord_rules import Refused
from tests.discord_state import Json

Scope = Literal["user", "global", "shared"]
VIA = "1.1 google"
CLOUDFLARE_PAGE = "<!DOCTYPE html><html><title>{0} | discord.com | Cloudflare</title></html>"


class Limited(Refused):
    """429. Without *via* it is Cloudflare's: discord.py then gives up at once."""

    def __init__(
        self,
        retry_after: float,
        scope: Scope,
        *,
        via: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        what = "The resource is" if scope == "shared" else "You are"
        super().__init__(429, message=f"{what} being rate limited.")
        self.retry_after, self.scope = max(retry_after, 0.001), scope
        self.headers = {
            **(headers or {}),
            "Retry-After": str(math.ceil(self.retry_after)),
            "X-RateLimit-Scope": scope,
            **({"X-RateLimit-Global": "true"} if scope == "global" else {}),
            **({"Via": VIA} if via else {}),
        }

    def json(self) -> Json:
        return {
            "message": self.message, "retry_after": round(self.retry_after, 3),
            "global": self.scope == "global",
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rate:
    limit: int
    seconds: float


USUAL: Mapping[str, Rate] = {
    "POST /channels/{channel_id}/messages": Rate(5, 5.0),
    "PATCH /channels/{channel_id}/messages/{message_id}": Rate(5, 5.0),
    "DELETE /channels/{channel_id}/messages/{message_id}": Rate(5, 1.0),
    "GET /channels/{channel_id}/messages": Rate(5, 1.0),
    "PATCH /channels/{channel_id}": Rate(5, 15.0),
    "POST /webhooks/{webhook_id}/{webhook_token}": Rate(5, 2.0),
}
"""As seen in the wild; the documentation gives no numbers, and they may change at any time."""
OTHERS = Rate(50, 1.0)
GLOBAL = 50  # requests a second, whatever they ask (docs: topics/rate-limits)
MAJOR = ("channel_id", "guild_id", "webhook_id", "webhook_token")  # each has buckets of its own


@dataclass
class Rates:
    """Windows per bucket; *limits* by route, *others* for the rest, *at_once* for all together.

    ``Rates.generous()`` lets everything pass, with headers that say so. *timer* counts seconds;
    the default is the real time, since discord.py waits in it.
    """

    timer: Callable[[], float] = time.monotonic
    limits: dict[str, Rate] = field(default_factory=lambda: dict(USUAL))
    others: Rate = OTHERS
    at_once: int = GLOBAL
    _windows: dict[tuple[str, ...], tuple[float, int]] = field(default_factory=dict)
    _lately: deque[float] = field(default_factory=deque)

    @classmethod
    def generous(cls) -> Self:
        return cls(limits={}, others=Rate(100_000, 1.0), at_once=100_000)

    def take(self, route: str, params: Mapping[str, str], *, exempt: bool) -> dict[str, str]:
        """The headers of the answer; raises `Limited`. *exempt*: from the limit for all together."""
        now = self.timer()
        if not exempt:
            while self._lately and now - self._lately[0] >= 1.0:
                self._lately.popleft()
            if len(self._lately) >= self.at_once:
                raise Limited(1.0 - (now - self._lately[0]), "global")
            self._lately.append(now)
        rate = self.limits.get(route, self.others)
        bucket = (route, *(params[name] for name in MAJOR if name in params))
        started, used = self._windows.get(bucket, (now, 0))
        if now - started >= rate.seconds:
            started, used = now, 0
        left = rate.seconds - (now - started)
        headers = {
            "X-RateLimit-Limit": str(rate.limit),
            "X-RateLimit-Remaining": str(max(rate.limit - used - 1, 0)),
            "X-RateLimit-Reset": f"{time.time() + left:.3f}",
            "X-RateLimit-Reset-After": f"{left:.3f}",
            "X-RateLimit-Bucket": hashlib.md5(route.encode(), usedforsecurity=False).hexdigest(),
        }
        if used >= rate.limit:
            raise Limited(left, "user", headers=headers)
        self._windows[bucket] = (started, used + 1)
        return headers


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a request. *after_effect*: the request has had its effect before."""

    kind: Literal["none", "reset", "hang", "held", "refused", "page"] = "none"
    after_effect: bool = False
    answer: Refused = field(default_factory=lambda: Refused(200))
    page: str = ""
    until: asyncio.Event | None = None

    @classmethod
    def reset(cls, *, after_effect: bool = False) -> Self:
        """Break the line."""
        return cls("reset", after_effect)

    @classmethod
    def hang(cls, *, after_effect: bool = False) -> Self:
        """Never answer; the client's own time limit must end it."""
        return cls("hang", after_effect)

    @classmethod
    def held(cls, until: asyncio.Event, *, after_effect: bool = False) -> Self:
        """Go on as usual once *until* is set."""
        return cls("held", after_effect, until=until)

    @classmethod
    def status(cls, status: int, *, after_effect: bool = False) -> Self:
        """500, 502, 503, 504 as Discord's own servers answer them."""
        said = f"{status}: Internal Server Error" if status == 500 else "upstream error"
        return cls("refused", after_effect, Refused(status, 0, said))

    @classmethod
    def refused(cls, status: int, code: int, *, after_effect: bool = False) -> Self:
        """E.g. 403, 50013; 404, 10003; 400, 50035."""
        return cls("refused", after_effect, Refused(status, code))

    @classmethod
    def rate_limited(cls, retry_after: float = 0.2, scope: Scope = "user") -> Self:
        return cls("refused", answer=Limited(retry_after, scope))

    @classmethod
    def cloudflare(cls, status: int, *, after_effect: bool = False) -> Self:
        """A page in HTML, without Discord's ``Via``: 429 (banned for a while), 403, 502."""
        page = CLOUDFLARE_PAGE.format(status)
        return cls("page", after_effect, Refused(status), page)

    @classmethod
    def garbage(cls, *, after_effect: bool = False) -> Self:
        """200 with half a JSON."""
        return cls("page", after_effect, page='{"id": "12')


@dataclass
class Planned:
    """A fault for the requests of a *route* after the next *skip*, *times* of them."""

    route: str
    fault: Fault
    times: int | None
    skip: int
    when: Callable[[Any], bool]

    def strikes(self, route: str, request: object) -> bool:
        if route != self.route or self.times == 0 or not self.when(request):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True
