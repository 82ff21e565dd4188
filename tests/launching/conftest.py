"""A mocked AWS account, and the environment of the launchers."""

import boto3
import botocore.client
import pytest
from moto import mock_aws

REGION = "us-east-1"
VARIABLES = {
    "SAGEMAKER_ROLE": "arn:aws:iam::123456789012:role/albert",
    "SAGEMAKER_IMAGE_NAME": (
        f"123456789012.dkr.ecr.{REGION}.amazonaws.com/albert-keras:ngc-25.02"
    ),
    "SAGEMAKER_FSX_ID": "fs-0123456789abcdef0",
    "SAGEMAKER_FSX_MOUNT_NAME": "fmqyxbmv",
    "SAGEMAKER_SUBNET_IDS": "subnet-0a1",
    "SAGEMAKER_SECURITY_GROUP_IDS": "sg-0a1,sg-0b2",
}


class Account:
    """The calls made to AWS, and the resulting jobs and objects."""

    def __init__(self):
        self.calls = []

    def requests(self, operation):
        return [request for name, request in self.calls if name == operation]

    def describe(self, job):
        """SageMaker's description of a job, with the fields that moto omits."""
        client = boto3.client("sagemaker", region_name=REGION)
        described = client.describe_training_job(TrainingJobName=job)
        (request,) = (
            request
            for request in self.requests("CreateTrainingJob")
            if request["TrainingJobName"] == job
        )
        return {**described, "Environment": request["Environment"]}

    def objects(self, location):
        """Yields names and contents of the objects below an S3 location."""
        bucket, _, prefix = location.removeprefix("s3://").partition("/")
        client = boto3.client("s3", region_name=REGION)
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=f"{prefix}/"
        )
        for page in pages:
            for item in page.get("Contents", ()):
                body = client.get_object(Bucket=bucket, Key=item["Key"])["Body"]
                yield item["Key"][len(prefix) + 1 :], body.read()


@pytest.fixture
def account(monkeypatch):
    """An empty account, mocked in this process."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    # moto does not implement SimulatePrincipalPolicy.
    monkeypatch.setenv("SAGEMAKER_VALIDATE_ROLE", "false")
    account = Account()
    make_call = botocore.client.BaseClient._make_api_call

    def record(client, operation, parameters):
        account.calls.append((operation, parameters))
        return make_call(client, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", record)
    with mock_aws():
        yield account


@pytest.fixture
def variables(monkeypatch):
    """Sets the environment variables of an existing volume and image."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def no_variables(monkeypatch):
    """Unsets the environment variables."""
    for name in (*VARIABLES, "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
