"""A DNS that is a table: a `ports.Resolver` for tests, which counts what it is asked."""

from collections.abc import Mapping, Sequence

from postroad.ports import Answer, AnswerStatus

Records = Mapping[str, Mapping[str, Sequence[str]]]


class FakeDns:
    """Answers from ``{name: {rdtype: records}}``, following CNAMEs. A name without the type is NO_DATA,
    any other name NO_NAME; an ``"!"`` among the records, or a `failing` (name, rdtype), fails.
    """

    def __init__(self, records: Records, failing: Sequence[tuple[str, str]] = ()) -> None:
        self._records = {name.lower(): dict(types) for name, types in records.items()}
        self._failing = set(failing)
        self.asked: list[tuple[str, str]] = []

    async def lookup(self, name: str, rdtype: str) -> Answer:
        self.asked.append((name, rdtype))
        wanted = name.lower().replace("\\\\", "\\")
        for _ in range(8):
            types = self._records.get(wanted)
            if types is None or "CNAME" not in types or rdtype in types:
                break
            wanted = types["CNAME"][0].removesuffix(".").lower()
        else:
            return Answer(name, rdtype, AnswerStatus.FAILED, detail="CNAME loop")
        if (wanted, rdtype) in self._failing or (types and "!" in types.get(rdtype, ())):
            return Answer(name, rdtype, AnswerStatus.FAILED, detail="no answer within 15 s")
        if types is None:
            below = any(other.endswith(f".{wanted}") for other in self._records)
            status = AnswerStatus.NO_DATA if below else AnswerStatus.NO_NAME
            return Answer(name, rdtype, status)
        found = tuple(types.get(rdtype, ()))
        return Answer(name, rdtype, AnswerStatus.FOUND if found else AnswerStatus.NO_DATA, found)
