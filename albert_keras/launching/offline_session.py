"""A session of SageMaker's SDK that cannot reach AWS."""

import boto3
from botocore.exceptions import ClientError
from sagemaker.core.helper.session_helper import Session


class OfflineSession(Session):
    """A session that returns the locations of uploads without uploading.

    Args:
        region: Region of the job.
        bucket: Bucket for code and results.
    """

    def __init__(self, region, bucket):
        # Dummy keys: otherwise boto3 would look for real ones on the network.
        boto_session = boto3.Session(
            aws_access_key_id="offline",
            aws_secret_access_key="offline",
            region_name=region,
        )
        boto_session.events.register("before-call", _refuse)
        super().__init__(boto_session=boto_session, default_bucket=bucket)

    def default_bucket(self) -> str:
        return self._default_bucket_name_override

    def upload_data(self, path, bucket, key_prefix, **kwargs):
        """The location that the files would be uploaded to."""
        return f"s3://{bucket}/{key_prefix}"


def _refuse(model, **kwargs):
    raise ClientError(
        {"Error": {"Code": "AccessDenied", "Message": "This is a dry run."}},
        model.name,
    )
