"""What boto3 raises, as findings. It is imported by whoever asks a bucket, and needs boto3."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError
from botocore.exceptions import ConnectionError as NoConnection

from pulumi_llm._backup.refusals import refused, unreachable
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal


@contextlib.contextmanager
def told(where: str) -> Iterator[None]:
    """Turn what boto3 raises into a Refusal, without a signed address or a key in it."""
    try:
        yield
    except NoCredentialsError:
        hint = _("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, with OSS's or COS's own key pair for their buckets")
        raise Refusal(
            [Finding("backup.no-credentials", _("there are no credentials for {where}", where=where), hint)]
        ) from None
    except ClientError as wrong:
        error = wrong.response.get("Error", {})
        raise refused(where, f"{error.get('Code', '')}: {error.get('Message', '')}") from None
    except (NoConnection, HTTPClientError) as wrong:
        raise unreachable(where, type(wrong).__name__) from None
    except BotoCoreError as wrong:
        raise refused(where, type(wrong).__name__) from None
