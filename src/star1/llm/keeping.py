"""Keep replies: remember them, pay them from the budget, hold refusals back until the stage has ended."""

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from star1.errors import UserError
from star1.llm.budget import Budget, rates
from star1.llm.endpoints.url import KEPT, OF_THE_ROW, Malformed, refusal, whole, without_key
from star1.llm.requests import Request, model_of
from star1.llm.store import Store

if TYPE_CHECKING:
    from star1.llm.settings import Sending, Teacher

OUTAGE = 10  # requests in a row without a reply: then the endpoint is down, or the params are at fault


class Keeper:
    """The replies of one stage's requests to one role: what is kept of them, and what they cost."""

    def __init__(self, store: Store, stage: str, role: str, teacher: "Teacher", sending: "Sending") -> None:
        self.store, self.stage, self.role, self.teacher, self.sending = store, stage, role, teacher, sending
        self.endpoint = sending.of(role)
        self.model = model_of(teacher)
        self.rates = rates(store, stage, role, self.model, self.endpoint)
        self.budget = Budget(self.rates, sending.budget_usd, store)
        self.again: dict[str, dict[str, Any]] = {}  # by key: the reply that failed and is asked for again
        self.refused: dict[str, dict[str, Any]] = {}  # by key; remembered when the stage has ended well
        self.lost = 0  # requests that were under way, or replies that came, when the run was stopped
        self._unanswered: dict[str, Request] = {}
        self._unread: set[str] = set()  # keys of a batch's lines that could not be read
        self._in_a_row: Counter[bool] = Counter()  # requests without a reply, by whether the endpoint refused the row
        self._replied: bool | None = None  # whether requests like these have had a reply; None: not looked up yet

    def keep(self, request: Request, reply: dict[str, Any]) -> None:
        """Remember a reply. Refusals wait until the stage has ended well: an outage must not be remembered."""
        error = None if "choices" in reply else reply["error"]
        if error is None or error["code"] == "content_filter":
            self._remember(request, reply)
            self.again.pop(request.key, None)
            self.refused.pop(request.key, None)
            self._unanswered.pop(request.key, None)
            return
        self.again.pop(request.key, None)
        self.refused[request.key] = reply
        self._unanswered[request.key] = request

    def _remember(self, request: Request, reply: dict[str, Any]) -> None:
        """Put a reply into the store, in place of an error; an error itself takes no reply's place, which is paid."""
        self.store.drop_error(request.key)
        self.store.put(request, reply, self.stage, replace="choices" in reply and request.key in self.again)

    def replied_meanwhile(self, request: Request) -> dict[str, Any] | None:
        """Return the reply that another run got to a request which this one was about to ask again; None if none."""
        reply = self.store.get(request)
        if reply is None or json.dumps(reply) == json.dumps(self.again[request.key]):  # NaN is not equal to itself
            return None
        del self.again[request.key]
        return reply

    def stop_in_outage(self, request: Request, reply: dict[str, Any]) -> None:
        """Raise UserError if this is one more reply in a row that the endpoint itself must be the cause of."""
        error = None if "choices" in reply else reply["error"]
        if error is None or error["code"] == "content_filter":
            self._in_a_row.clear()
            self._replied = self._replied or error is None
            return
        refused = error["status"] in OF_THE_ROW
        if refused and self._has_replied(request):
            self._in_a_row.clear()  # it answered: a run that goes on meets the refused rows of the last one in a row
            return
        self._in_a_row[refused] += 1
        # A row is refused at once and a reply takes its time: of the first requests in flight, the refused come first.
        most = OUTAGE + (self.endpoint.concurrency - 1 if refused else 0)
        if self._in_a_row[refused] >= most:
            raise UserError(
                f"{self.role}: {most} requests in a row got no reply from {self.teacher.base_url} "
                f"({error['message'][:300]}); {KEPT}."
            )

    def _has_replied(self, request: Request) -> bool:
        """Say whether the endpoint has answered with these parameters, now or earlier: then they are not at fault."""
        if self._replied is None:
            wanted = _params({**request.body, "endpoint": request.endpoint})
            self._replied = any(_params(body) == wanted for body in self.store.answered(self.role, self.model))
        return self._replied

    def reply_of(self, line: bytes, client: Any) -> tuple[str, dict[str, Any]] | None:
        """Return the key in a line of a batch's output, and the reply in the form of an endpoint's `send`.

        None where a retry may help: also if the line, or the reply in it, cannot be read for the first time.
        """
        try:
            row = json.loads(line)
            key, response = str(row["custom_id"]), row.get("response") or {}
            status, body = response.get("status_code"), response.get("body")
            if status == 200:
                return key, whole(without_key(json.dumps(body), client))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, Malformed):
            return self._odd(line)
        if status not in OF_THE_ROW:
            return None
        error = body.get("error") if isinstance(body, dict) else body
        if not isinstance(error, dict):
            error = {"message": error or f"the endpoint answered {status}"}
        return key, refusal(status, error, client)

    def _odd(self, line: bytes) -> tuple[str, dict[str, Any]] | None:
        """Return key and reply of a line that cannot be read, from the second time on: each try costs a batch."""
        found = re.search(rb'"custom_id": ?"(\w+)"', line)
        key = found[1].decode() if found else ""
        if not key or key not in self._unread:
            self._unread.add(key)
            return None
        return key, {"error": {"status": None, "code": None, "message": "the endpoint's reply was no chat completion"}}

    def remember_unanswered(self) -> None:
        """Remember the refusals: a later run does not ask for them again unless told to."""
        for key, request in self._unanswered.items():
            self._remember(request, self.refused[key])


def _params(body: dict[str, Any]) -> dict[str, Any]:
    """Return what requests of one stage have in common."""
    return {name: value for name, value in body.items() if name not in ("messages", "keyed", "seed")}
