"""The authorization server for mail programs (OAuth 2.0), and what somebody allowed.

::

    GET  /.well-known/oauth-authorization-server   what there is (RFC 8414 §3)
    POST /oauth/register                           a program makes itself known (RFC 7591 §3)
    GET  /oauth/authorize                          to the page that asks (RFC 6749 §4.1.1)
    POST /oauth/token                              tokens for a code or a refresh token (RFC 6749 §3.2)
    POST /oauth/revoke                             RFC 7009 §2.1
    POST /api/v1/me/grants/ask                     what a program wants, for that page
    POST /api/v1/me/grants                         what was answered
    GET  /api/v1/me/grants                         DELETE .../{id}
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler
from msgspec import Meta, Struct

from postroad.model import InvalidId, Scope, format_id, parse_id
from postroad.service.grants import Grants, OauthError
from postroad.web.body import decoded, small_body
from postroad.web.people import People
from postroad.web.problem import Problem
from postroad.web.services import Services

_HIDDEN: dict[str, Any] = {"include_in_schema": False}
_MAX_FIELDS = 20


class Registration(Struct):
    """What a program says of itself (RFC 7591 §2); other fields are passed over."""

    client_name: str = ""
    redirect_uris: Annotated[list[str], Meta(max_length=20)] = []


class Program(Struct, frozen=True):
    """What somebody allowed. Times are seconds since 1970."""

    id: str
    name: str
    scopes: list[str]
    granted_at: float
    used_at: float


def routes(services: Services) -> Sequence[ControllerRouterHandler]:
    """Return the routes, none where programs may not ask."""
    signing_in = services.signing_in
    if signing_in is None or signing_in.grants is None:
        return []
    found = _Routes(signing_in.grants, signing_in.people, services.settings.jmap_url)
    return [*found.programs(), *found.owner()]


class _Routes:
    def __init__(self, grants: Grants, people: People, url: str) -> None:
        self.grants = grants
        self.people = people
        self.url = url

    def issuer(self, request: Request[Any, Any, Any]) -> str:
        """Return who we are: where this server is for that client."""
        host = request.headers.get("host", "")
        return self.url or f"{request.scope['scheme']}://{host}"

    def programs(self) -> list[ControllerRouterHandler]:
        """Return what programs ask."""

        @get("/.well-known/oauth-authorization-server", **_HIDDEN)
        async def metadata(request: Request[Any, Any, Any]) -> Response[Any]:
            issuer = self.issuer(request)
            return _json(
                {
                    "issuer": issuer,
                    "authorization_endpoint": f"{issuer}/oauth/authorize",
                    "token_endpoint": f"{issuer}/oauth/token",
                    "registration_endpoint": f"{issuer}/oauth/register",
                    "revocation_endpoint": f"{issuer}/oauth/revoke",
                    "scopes_supported": [scope.value for scope in Scope],
                    "response_types_supported": ["code"],
                    "grant_types_supported": ["authorization_code", "refresh_token"],
                    "token_endpoint_auth_methods_supported": ["none"],
                    "revocation_endpoint_auth_methods_supported": ["none"],
                    "code_challenge_methods_supported": ["S256"],
                    "authorization_response_iss_parameter_supported": True,
                }
            )

        @post("/oauth/register", status_code=201, **_HIDDEN)
        async def register(request: Request[Any, Any, Any]) -> Response[Any]:
            try:
                given = await decoded(request, Registration)
                number = self.grants.register(given.client_name, given.redirect_uris)
            except msgspec.DecodeError as error:
                return _refused(OauthError("invalid_client_metadata", str(error)))
            except OauthError as error:
                return _refused(error)
            told = {
                "client_id": number,
                "client_name": given.client_name.strip(),
                "redirect_uris": given.redirect_uris,
                "token_endpoint_auth_method": "none",
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
            }
            return _json(told, 201)

        @get("/oauth/authorize", **_HIDDEN)
        async def authorize(request: Request[Any, Any, Any]) -> Response[None]:
            # The page asks for a login first, where one is needed; what is asked is judged there.
            query = request.scope["query_string"].decode("latin-1")
            headers = {"Location": f"/account/allow?{query}"}
            return Response(None, status_code=302, headers=headers)

        @post("/oauth/token", status_code=200, **_HIDDEN)
        async def token(request: Request[Any, Any, Any]) -> Response[Any]:
            try:
                return _json(await self.tokens(await _form(request)))
            except OauthError as error:
                return _refused(error)

        @post("/oauth/revoke", status_code=200, **_HIDDEN)
        async def revoke(request: Request[Any, Any, Any]) -> Response[Any]:
            try:
                await self.grants.revoke((await _form(request)).get("token", ""))
            except OauthError as error:
                return _refused(error)
            return _json({})

        return [metadata, register, authorize, token, revoke]

    async def tokens(self, form: Mapping[str, str]) -> Any:
        """Return tokens. Raises `OauthError`."""
        kind, client = form.get("grant_type", ""), form.get("client_id", "")
        if kind == "authorization_code":
            return await self.grants.exchange(
                form.get("code", ""),
                client,
                form.get("redirect_uri", ""),
                form.get("code_verifier", ""),
            )
        if kind == "refresh_token":
            return await self.grants.refresh(form.get("refresh_token", ""), client)
        raise OauthError("unsupported_grant_type", "authorization_code and refresh_token are known")

    def owner(self) -> list[ControllerRouterHandler]:
        """Return what the owner of an account asks and answers."""
        path = "/api/v1/me/grants"

        @post(f"{path}/ask", status_code=200, **_HIDDEN)
        async def ask(request: Request[Any, Any, Any]) -> dict[str, Any]:
            await self.people.need(request)
            try:
                wanted = self.grants.look(await decoded(request, dict[str, str]))
            except OauthError as error:
                raise Problem(400, "oauth", str(error)) from None
            scopes = [scope.value for scope in wanted.scopes]
            return {"name": wanted.client.name, "host": wanted.host, "scopes": scopes}

        @post(path, status_code=200, **_HIDDEN)
        async def answer(request: Request[Any, Any, Any]) -> dict[str, str]:
            given = await decoded(request, dict[str, str | bool])
            present = await self.people.need(request)
            asked = {key: value for key, value in given.items() if isinstance(value, str)}
            issuer = self.issuer(request)
            try:
                wanted = self.grants.look(asked)
            except OauthError as error:
                raise Problem(400, "oauth", str(error)) from None
            if given.get("allow") is not True:
                return {"redirect": self.grants.deny(wanted, issuer)}
            await self.people.need_fresh(request)
            return {"redirect": await self.grants.give(present.account, wanted, issuer)}

        @get(path, **_HIDDEN)
        async def programs(request: Request[Any, Any, Any]) -> list[Program]:
            present = await self.people.need(request)
            return [
                Program(
                    format_id(each.id),
                    each.name,
                    [scope.value for scope in each.scopes],
                    each.granted_at,
                    each.used_at,
                )
                for each in await self.grants.list(present.account)
            ]

        @delete(f"{path}/{{number:str}}", **_HIDDEN)
        async def end(request: Request[Any, Any, Any], number: FromPath[str]) -> None:
            present = await self.people.need(request)
            try:
                await self.grants.end(present.account.id, parse_id(number))
            except InvalidId:
                raise Problem(404, "no-grant", "there is no such grant") from None

        return [ask, answer, programs, end]


async def _form(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Return the fields of a form. Raises `OauthError`; none may be there twice (RFC 6749 §3.2)."""
    text = (await small_body(request)).decode("latin-1")
    try:
        pairs = parse_qsl(text, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise OauthError("invalid_request", "too many fields") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise OauthError("invalid_request", "a field is there twice")
    return found


def _json(told: Any, status: int = 200) -> Response[Any]:
    headers = {"Cache-Control": "no-store"}
    return Response(told, status_code=status, media_type="application/json", headers=headers)


def _refused(error: OauthError) -> Response[Any]:
    """Answer as RFC 6749 §5.2 has it."""
    status = 401 if error.kind == "invalid_client" else 400
    return _json({"error": error.kind, "error_description": str(error)}, status)
