"""Sign-in by the office (OpenID Connect): the answer is checked whole, whatever the way by which it came.

allauth checks state, PKCE, issuer, audience and expiry. That the id token is signed it believes the connection, it
sends no nonce, and it does not compare whom the two parts of an answer speak of: that is done here (OpenID Connect Core
1.0, 3.1.3.7 and 5.3.2).
"""

from __future__ import annotations

import logging
from typing import Any

from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.oauth2.client import OAuth2Client, OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils.crypto import constant_time_compare, salted_hmac
from requests import RequestException

log = logging.getLogger(__name__)


def nonce_of(state: str) -> str:
    """The nonce that goes with a state: states are random, kept in the session, and good once."""
    return salted_hmac("safercities.office.nonce", state, algorithm="sha256").hexdigest()


class OfficeClient(OAuth2Client):  # type: ignore[misc]
    """Sends people to the office's sign-in, with a nonce."""

    def get_redirect_url(self, authorization_url: str, scope: list[str], extra_params: dict[str, str]) -> str:
        """The address there."""
        nonce = {"nonce": nonce_of(str(self.state))}
        return str(super().get_redirect_url(authorization_url, scope, {**extra_params, **nonce}))


class OfficeAdapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """Reads what the office's sign-in answers."""

    client_class = OfficeClient

    def complete_login(self, request: HttpRequest, app: Any, token: SocialToken, **kwargs: Any) -> SocialLogin:
        """Who it is.

        Raises
        ------
        OAuth2Error
            If the answer is not signed by the office, not an answer to this question, or speaks of two people.
        """
        self.did_fetch_access_token = False  # allauth looks at the signature then
        try:
            login = super().complete_login(request, app, token, **kwargs)
            _check(login.account.extra_data, nonce_of(request.GET["state"]))
        except (OAuth2Error, LookupError, TypeError, ValueError) as error:
            # of the reason its kind only: messages repeat what was sent
            log.warning("the office's sign-in was refused: %s", type(error.__cause__ or error).__name__)
            raise OAuth2Error("refused") from error
        for each in login.email_addresses:  # some say it by a word: "false" must not count as true
            each.verified = str(each.verified).lower() == "true"
        return login


class WrongAnswer(OAuth2Error):  # type: ignore[misc]
    """Signed, but not an answer to what was asked."""


def _check(data: dict[str, Any], nonce: str) -> None:
    said, told = data["id_token"], data.get("userinfo")
    if not constant_time_compare(str(said.get("nonce", "")), nonce):
        raise WrongAnswer("nonce")
    if told is not None and told["sub"] != said["sub"]:
        raise WrongAnswer("sub")


def login(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """Asks whether to go to the office's sign-in, and sends people there."""
    return _answered(OAuth2LoginView, request, provider_id)


def callback(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """Where the office's sign-in sends people back to."""
    return _answered(OAuth2CallbackView, request, provider_id)


def _answered(view: Any, request: HttpRequest, provider_id: str) -> HttpResponseBase:
    adapter = OfficeAdapter(request, provider_id)
    try:
        answer: HttpResponseBase = view.adapter_view(adapter)(request)
    except SocialApp.DoesNotExist:
        raise Http404 from None
    except (RequestException, KeyError) as error:  # it is away, or does not say where its doors are
        log.warning("the office's sign-in does not answer: %s", type(error).__name__)
        answer = render_authentication_error(request, adapter.get_provider(), exception=error)
    return answer
