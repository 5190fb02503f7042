"""Django's settings, from the table of `options.py`. Nothing here is to be edited on a server: set the variables."""

from __future__ import annotations

from typing import Any, Literal

import dj_database_url
from csp.constants import NONE, SELF

from safercities.hub import options
from safercities.hub.languages import compile_catalogues

OPTIONS: dict[str, Any] = options.read_options()
HOME = options.make_home(OPTIONS["HUB_HOME"])

DEBUG: bool = OPTIONS["DEBUG"]
DEMO: bool = OPTIONS["DEMO"]
SIGN_UP: bool = OPTIONS["SIGN_UP"]
MAIL = bool(OPTIONS["EMAIL_URL"])
TWO_PERSON: bool = OPTIONS["TWO_PERSON"]
BASEMAP: str = OPTIONS["BASEMAP"]
METRICS_TOKEN: str = OPTIONS["METRICS_TOKEN"]
SECURITY_CONTACT: str = OPTIONS["SECURITY_CONTACT"]
TRUSTED_PROXIES: tuple[str, ...] = OPTIONS["TRUSTED_PROXIES"]
UPLOAD_MAX_BYTES: int = OPTIONS["UPLOAD_MAX_MB"] * 1024 * 1024
ALLOWED_HOSTS = list(OPTIONS["ALLOWED_HOSTS"])
SECRET_KEY: str = OPTIONS["SECRET_KEY"] or options.secret_key(HOME, OPTIONS["SECRET_KEY_FILE"])
#: Whether other machines reach the hub: then only by https.
REACHED_BY_OTHERS = not set(ALLOWED_HOSTS) <= set(options.LOOPBACK)
HTTPS = REACHED_BY_OTHERS and not OPTIONS["PLAIN_HTTP"] and not DEBUG

INSTALLED_APPS = [
    "safercities.hub",  # first: its templates and texts stand before those of the others
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "csp",
    "django_htmx",
    "django_tasks",
    "django_tasks_db",
    "rules",
]
MIDDLEWARE = [
    "safercities.hub.middleware.TrustedProxies",
    "safercities.hub.middleware.Requests",
    "safercities.hub.operate.metrics.Measured",
    "safercities.hub.kept.Kept",
    "django.middleware.security.SecurityMiddleware",
    "safercities.hub.middleware.Headers",
    "csp.middleware.CSPMiddleware",
    "safercities.hub.api.machines.Machines",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "safercities.hub.middleware.ChosenLanguage",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "safercities.hub.urls"
WSGI_APPLICATION = "safercities.hub.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "safercities.hub.middleware.about_hub",
            ],
        },
    },
]


def _database(url: str) -> dict[str, Any]:
    """PostgreSQL where it is named, else SQLite that readers and one writer share without tripping."""
    if url:
        try:
            return dict(dj_database_url.parse(url, conn_max_age=60, conn_health_checks=True))
        except ValueError:  # its message would repeat a part of the password
            raise options.OptionError(options.WRONG_DATABASE) from None
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(HOME / "hub.sqlite3"),
        "CONN_MAX_AGE": 60,  # opening it costs more than most questions
        "OPTIONS": {
            "timeout": 20,
            # a transaction that begins by reading and then writes would fail at once where another one wrote between
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;",
        },
    }


DATABASES = {"default": _database(OPTIONS["DATABASE_URL"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {  # rate limits have to be known to all processes
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": str(HOME / "cache"),
        "OPTIONS": {"MAX_ENTRIES": 50_000},  # with few, whoever makes many would push out what is counted of others
    }
}
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default"]}}

# Who one is
AUTH_USER_MODEL = "hub.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
# Argon2 is memory-hard: graphics cards gain little on a stolen table. The second one reads what Django may have made.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
_VALIDATION = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"{_VALIDATION}.UserAttributeSimilarityValidator", "OPTIONS": {"user_attributes": ("email", "name")}},
    {"NAME": f"{_VALIDATION}.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": f"{_VALIDATION}.CommonPasswordValidator"},
    {"NAME": f"{_VALIDATION}.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "safercities.hub.accounts.AccountAdapter"
SOCIALACCOUNT_ADAPTER = "safercities.hub.accounts.SocialAccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if OPTIONS["EMAIL_URL"] else "optional"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_SESSION_REMEMBER = None
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
ACCOUNT_EMAIL_SUBJECT_PREFIX = "safercities: "
ACCOUNT_RATE_LIMITS = {
    "login": f"{OPTIONS['RATE_SIGN_IN']}/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "signup": f"{OPTIONS['RATE_SIGN_IN']}/ip",
    "reset_password": "20/m/ip,5/m/key",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "safercities"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not REACHED_BY_OTHERS
# Without mail nobody can prove an address, and a second factor is worth more than that proof.
MFA_ALLOW_UNVERIFIED_EMAIL = not OPTIONS["EMAIL_URL"]
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False  # an address that another sign-in claims opens nobody's account
SOCIALACCOUNT_LOGIN_ON_GET = False
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "office",
                "name": OPTIONS["OIDC_NAME"] or "OpenID Connect",
                "client_id": OPTIONS["OIDC_CLIENT_ID"],
                "secret": OPTIONS["OIDC_CLIENT_SECRET"],
                "settings": {"server_url": OPTIONS["OIDC_SERVER"]},
            }
        ]
        if OPTIONS["OIDC_SERVER"]
        else [],
    }
}
DEFAULT_FROM_EMAIL: str = OPTIONS["EMAIL_FROM"]
SERVER_EMAIL: str = OPTIONS["EMAIL_FROM"]
globals().update(options.mail(OPTIONS["EMAIL_URL"]))

# What the browser may do
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:", *options.origins(BASEMAP)],
        "connect-src": [SELF, *options.origins(BASEMAP)],
        "font-src": [SELF],
        "manifest-src": [SELF],
        "worker-src": [SELF],
        "frame-ancestors": [NONE],
        "form-action": [SELF, *options.origins(OPTIONS["OIDC_SERVER"])],
        "base-uri": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]  # asked on the machine itself
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
# Preloading speaks for a whole domain, for years: that is for the city to decide, not for the hub.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")  # TrustedProxies drops it where anybody else says it
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
_LAX: Literal["Lax"] = "Lax"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = _LAX
SESSION_COOKIE_AGE = 14 * 24 * 3600
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_NAME = "language"
CSRF_FAILURE_VIEW = "safercities.hub.errors.csrf_failure"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000
DATA_UPLOAD_MAX_NUMBER_FILES = 20
FILE_UPLOAD_TEMP_DIR = str(options.make_home(HOME / "uploads"))
FILE_UPLOAD_PERMISSIONS = 0o600

# Files of the pages
STATIC_URL = "/static/"
STATIC_ROOT = options.make_home(HOME / "static")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "safercities.hub.storage.StaticFiles"
    },
}
WHITENOISE_USE_FINDERS = True  # also before `collectstatic`, which `serve` runs
#: What Vite built, and what `collectstatic` named, have hashes in their names.
WHITENOISE_IMMUTABLE_FILE_TEST = r"/hub/built/.+-[\w-]{8}\.\w+$|\.[0-9a-f]{12}\."

# Languages
LANGUAGE_CODE = "en"
LANGUAGES = [
    ("en", "English"),
    ("fr", "Français"),
    ("es", "Español"),
    ("ar", "العربية"),
    ("zh-hans", "中文"),
    ("ru", "Русский"),
]
LOCALE_PATHS = [compile_catalogues(HOME / "locale")]
FORMAT_MODULE_PATH = "safercities.hub.formats"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
USE_THOUSAND_SEPARATOR = True

# Logs: one JSON object a line, without personal data
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "safercities.hub.logs.JsonFormatter"}},
    "handlers": {"lines": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["lines"], "level": OPTIONS["LOG_LEVEL"]},
    "loggers": {
        "django": {"handlers": [], "level": OPTIONS["LOG_LEVEL"], "propagate": True},
        # every request has its line already; these would name paths
        "django.request": {"level": "ERROR", "propagate": True},
        "django.server": {"handlers": ["lines"], "level": "ERROR", "propagate": False},
    },
}
