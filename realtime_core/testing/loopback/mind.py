"""The vendor's side of one session, without a socket: client events in, server events out."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable

from attrs import evolve

from .conversation import Conversation
from .dialects import DialectFacts
from .ear import Ear
from .faults import Faults
from .frames import Event, Ids, Rewrite
from .pending import Pending
from .performance import Performance
from .refusal import Refusal, Violation
from .reply import Reply, Speech, Turn, Voice
from .session_config import defaults
from .settings import Settings, TurnDetection, read_settings
from .stage import Stage
from .transcription import UserTranscript
from .usage import Meter
from .wireformat import WireFormat

__all__ = ["Mind"]

# A request that crosses a change no older than this on the wire is an innocent race.
_RACE_S = 1.0
_MAX_WAITING = 20_000  # events the client did not read; a vendor would have cut it off long before


class Mind:
    """
    Everything the vendor knows and does in one session.

    Args:
        facts: The dialect.
        model: The model asked for.
        number: The session's number on this server.
        voice: Answers where nothing is scripted.
        level_dbfs: Level of speech, None to hear none.
        faults: The faults.
        replies: The scripted answers.
        rewrite: The scripted change of what is sent.
        invalid_turns: Numbers of the turns not meant for the model.
        speed: Pace of audio, times real time; None for one burst.
        clock: Monotonic seconds.
        report: Told of each violation and whether it is only an innocent race.
    """

    def __init__(
        self,
        facts: DialectFacts,
        model: str,
        number: int,
        *,
        voice: Voice,
        level_dbfs: float | None,
        faults: Faults,
        replies: Iterable[Reply] = (),
        rewrite: Rewrite | None = None,
        invalid_turns: frozenset[int] = frozenset(),
        speed: float | None,
        clock: Callable[[], float],
        report: Callable[[Violation, bool], None],
    ) -> None:
        self.facts = facts
        self.ids: Ids = Ids(number)
        self.invalid_turns = invalid_turns
        self.faults = faults
        self.clock = clock
        self.session_id: str = self.ids.new("sess")
        self.config: Event = defaults(facts, model, self.session_id)
        self.settings: Settings = read_settings(self.config, facts)
        self.ear: Ear = Ear(self.settings.heard, level_dbfs)
        self.conversation: Conversation = Conversation(facts, self.ids.new("conv"))
        self.meter: Meter = Meter(facts)
        self.pending: Pending = Pending()
        self.running: list[Performance] = []
        self.turns: list[Turn] = []
        self.updates = 0
        self.turn_count = 0
        self.configured = False
        self.heard_audio = False
        self.spoke: bool = False
        self.finishing = False
        self.close_wanted: tuple[int, str] | None = None
        self.moments: dict[str, float] = {}
        self.user_item: str | None = None
        self.on_open: Callable[[], None] = lambda: None
        self.on_overrun: Callable[[], None] = lambda: None
        self.on_audio: Callable[[bytes], None] = lambda audio: None
        self.on_turn: Callable[[Turn], None] | None = None
        self._number = number
        self._voice = voice
        self._speed = speed
        self._report = report
        self._replies = deque(replies)
        self._rewrite = rewrite
        self._waiting: deque[Event] = deque()
        self._ready: deque[Event] = deque()
        self._sent: Counter[str] = Counter()

    # -- sending -------------------------------------------------------------------------------

    def emit(self, kind: str, **fields: object) -> None:
        """Queue one event."""
        self.extend([{"type": kind, **fields}])

    def extend(self, events: Iterable[Event]) -> None:
        """Queue events; each gets its `event_id` when its turn comes."""
        self._waiting.extend(events)
        if len(self._waiting) > _MAX_WAITING:
            self._waiting.clear()
            self.on_overrun()

    def next_event(self) -> Event | None:
        """Return the next event to send; None when there is none now (see `wake_at`)."""
        while not self._ready:
            event = self._waiting.popleft() if self._waiting else self._performed()
            if event is None:
                return None
            kind = event["type"]
            if kind in self.faults.withhold:
                continue
            event = {"type": kind, "event_id": self.ids.new("event"), **event}
            rewrite = self._rewrite
            self._ready.extend([event] if rewrite is None else rewrite(event, self._sent[kind]))
            self._sent[kind] += 1
        return self._ready.popleft()

    def _performed(self) -> Event | None:
        now = self.clock()
        for performance in tuple(self.running):
            event = performance.step(now)
            if performance.over:
                self.running.remove(performance)
            if event is not None:
                self._watch(performance)
                return event
        return None

    def _watch(self, performance: Performance) -> None:
        self.spoke = self.spoke or performance.spoke
        if performance.status != "in_progress" and performance.in_conversation:
            self.moments["response done"] = self.clock()

    def wake_at(self) -> float | None:
        """Return the time at which a resting response goes on, None when none rests."""
        times = [at for at in (run.resume_at for run in self.running) if at is not None]
        return min(times, default=None)

    # -- judging -------------------------------------------------------------------------------

    def refuse(self, refusal: Refusal, event: Event) -> None:
        """Answer *event* with an error, and record what was wrong with it."""
        client_id = event.get("event_id")
        code, message = refusal.code, refusal.message
        if not self.facts.openai:
            # Model Studio has one code for them all: invalid_value.
            code = "invalid_value" if code else code
        error: Event = {
            "type": "invalid_request_error",
            "code": code,
            "message": message,
            "param": refusal.param,
        }
        if self.facts.openai or client_id is not None:
            error["event_id"] = client_id
        self.emit("error", error=error)
        self.record(refusal.rule, refusal.expected, event, benign=refusal.benign)

    def record(self, rule: str, expected: str, event: Event, *, benign: bool = False) -> None:
        """Record a violation, or a benign race, without an answer."""
        kind = event.get("type")
        violation = Violation(
            session=self._number,
            dialect=self.facts.name,
            rule=rule,
            expected=expected,
            got=_shown(event),
            event_type=kind if isinstance(kind, str) else None,
            event_id=event.get("event_id"),
        )
        self._report(violation, benign)

    def recent(self, moment: str) -> bool:
        """Return whether a moment is so near that the client cannot have known of it."""
        return self.clock() - self.moments.get(moment, -_RACE_S * 2) < _RACE_S

    # -- answering -----------------------------------------------------------------------------

    @property
    def active(self) -> Performance | None:
        """The response in progress in the default conversation."""
        for performance in self.running:
            if performance.in_conversation and performance.status == "in_progress":
                return performance
        return None

    def next_reply(self) -> Reply | None:
        """Return the scripted reply that comes next, without using it up."""
        return self._replies[0] if self._replies else None

    def answer(self, request: Event | None = None, *, settings: Settings | None = None) -> None:
        """Begin the response that is due: to all that came since the last one."""
        settings = settings or self.settings
        if (request or {}).get("conversation") == "none":
            # Out of band: it answers its own input and leaves the conversation's turn alone.
            turn, owed = Turn(heard=self.settings.heard, spoken=settings.spoken), None
        else:
            turn, owed = self.pending.collect(self.settings.heard, settings.spoken)
        if self.on_turn is not None:
            self.pending.owed = owed
            self.turns.append(turn)
            self.on_turn(turn)
            return
        reply = self._replies.popleft() if self._replies else self._voice(turn)
        self.respond(reply, turn, request=request, settings=settings, owed=owed)

    def respond(
        self,
        reply: Reply,
        turn: Turn | None = None,
        *,
        request: Event | None = None,
        settings: Settings | None = None,
        owed: UserTranscript | None = None,
    ) -> Performance:
        """Begin a response; `response.created` is queued at once."""
        settings = settings or self.settings
        if turn is None:
            turn = (
                self.turns[-1] if self.turns else Turn(heard=settings.heard, spoken=settings.spoken)
            )
            owed, self.pending.owed = self.pending.owed, None
        else:
            self.turns.append(turn)
        del self.turns[:-1000]
        stage = Stage(
            facts=self.facts,
            ids=self.ids,
            conversation=self.conversation,
            meter=self.meter,
            settings=settings,
            config=self.config,
            speed=self._speed,
            in_conversation=(request or {}).get("conversation") != "none",
        )
        reply = self._complete(reply, turn)
        performance = Performance(stage, reply, turn, transcript=owed, request=request)
        self.running.append(performance)
        created = performance.step(self.clock())
        if created is not None:
            self.extend([created])
        self.moments["response created"] = self.clock()
        return performance

    def _complete(self, reply: Reply, turn: Turn) -> Reply:
        """Let the voice fill in what a scripted `Speech` leaves open."""
        parts = list(reply.parts)
        for place, part in enumerate(parts):
            if isinstance(part, Speech) and part.audio is None and part.ms is None:
                own = self._voice(turn).parts[0]
                if isinstance(own, Speech):
                    words = part.transcript if part.transcript is not None else own.transcript
                    parts[place] = evolve(part, audio=own.audio, ms=own.ms, transcript=words)
        return evolve(reply, parts=tuple(parts))

    def cancel(self, performance: Performance, reason: str) -> None:
        """Stop a response and queue the events that end it."""
        self.extend(performance.cancel(reason))
        self.running.remove(performance)
        self._watch(performance)

    def settle(self) -> None:
        """Bring every response to its end at once."""
        for performance in self.running:
            self.extend(performance.finish_now())
        self.running.clear()

    def listen(self, heard: WireFormat, turns: TurnDetection | None) -> None:
        """Follow a change of input format or turn detection."""
        if heard != self.settings.heard:
            self.ear.reformat(heard)
        elif (turns is None) != (self.settings.turns is None):
            self.ear.begin_listening()


def _shown(event: Event) -> str:
    shown = {
        key: f"<{len(value)} characters>" if key in ("audio", "image") and isinstance(value, str)
        else value
        for key, value in event.items()
    }  # fmt: skip
    return repr(shown)[:500]
