"""What a key is, and what is kept of it."""

import hashlib
from datetime import UTC, datetime, timedelta

from service.api.auth.key import API_KEY_JSON, ApiKey, digest_of, new_secret

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def test_secrets_are_long_and_never_alike() -> None:
    secrets = {new_secret() for _ in range(1000)}
    assert len(secrets) == 1000
    assert all(secret.startswith("pellucid_") and len(secret) == 52 for secret in secrets)


def test_only_the_digest_is_kept() -> None:
    secret = new_secret()
    key = ApiKey(digest=digest_of(secret), name="a", created=NOW)
    written = API_KEY_JSON.dump_json(key).decode()
    assert secret not in written
    assert hashlib.sha256(secret.encode()).hexdigest() in written
    assert API_KEY_JSON.validate_json(written) == key


def test_later_fields_are_not_needed() -> None:
    written = f'{{"digest":"{digest_of("k")}","name":"a","created":"2026-01-31T00:00:00Z","new":1}}'
    assert API_KEY_JSON.validate_json(written) == ApiKey(
        digest=digest_of("k"), name="a", created=NOW
    )


def test_any_given_text_has_a_digest() -> None:
    assert digest_of("\udcff") != digest_of("\udcfe")


def test_key_is_valid_until_it_expires_or_is_revoked() -> None:
    end = NOW + timedelta(days=1)
    key = ApiKey(digest=digest_of("k"), name="a", created=NOW, expires=end)
    assert key.is_valid(end - timedelta(seconds=1))
    assert not key.is_valid(end)
    assert not ApiKey(digest=digest_of("k"), name="a", created=NOW, revoked=NOW).is_valid(NOW)
