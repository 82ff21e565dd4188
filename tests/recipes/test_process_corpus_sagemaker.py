"""The launched jobs have valid requests and working command lines."""

import json
import shlex

import pytest

from albert_keras.data import TokenStore

FLAGS = [
    *("--input", "s3://bucket/texts"),
    *("--output", "s3://bucket/corpus"),
    *("--vocabulary", "s3://bucket/models/my.model"),
    *("--role", "arn:aws:iam::123456789012:role/Corpus"),
    *("--image", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/image:1"),
    *("--instance_count", "3", "--workers", "1", "--dry_run"),
]


@pytest.fixture
def request_of(recipe, capsys):
    def run(*more):
        capsys.readouterr()
        recipe("process_corpus_sagemaker").main([*FLAGS, *more])
        return json.loads(capsys.readouterr().out)

    return run


def test_the_request_is_what_sagemaker_takes(request_of):
    model = pytest.importorskip(
        "botocore.session", reason="botocore knows the request's shape"
    )
    from botocore.validate import ParamValidator

    service = model.get_session().get_service_model("sagemaker")
    shape = service.operation_model("CreateProcessingJob").input_shape
    for more in ([], ["--merge"]):
        report = ParamValidator().validate(request_of(*more), shape)
        assert not report.has_errors(), report.generate_report()


def test_instances_share_the_text_out_and_one_merges(request_of):
    encode, merge = request_of(), request_of("--merge")

    def paths(request):
        ends = [
            *(i["S3Input"] for i in request["ProcessingInputs"]),
            *(
                o["S3Output"]
                for o in request["ProcessingOutputConfig"]["Outputs"]
            ),
        ]
        return {end["LocalPath"].rsplit("/")[-1]: end["S3Uri"] for end in ends}

    assert paths(encode) == {
        "code": "s3://bucket/corpus/code",
        "texts": "s3://bucket/texts",
        "vocabulary": "s3://bucket/models/my.model",
        "parts": "s3://bucket/corpus/parts",
    }
    assert paths(merge) == {
        "code": "s3://bucket/corpus/code",
        "parts": "s3://bucket/corpus/parts",
        "corpus": "s3://bucket/corpus",
    }
    counts = [
        r["ProcessingResources"]["ClusterConfig"]["InstanceCount"]
        for r in (encode, merge)
    ]
    assert counts == [3, 1]


def test_the_commands_of_the_instances_make_a_corpus(
    request_of, recipe, tmp_path, text_file, corpus
):
    """Runs them here, in a folder that replaces the container's."""
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.txt").write_bytes(text_file.read_bytes())
    (tmp_path / "vocabulary").mkdir()
    (tmp_path / "vocabulary/my.model").write_bytes(
        (corpus / "vocabulary.model").read_bytes()
    )

    def run(request, index):
        line = request["AppSpecification"]["ContainerEntrypoint"][2]
        assert "pip install" in line
        line = line.split("prepare_corpus.py ")[1]
        line = line.split("$(python")[0] + (str(index) if index >= 0 else "")
        argv = shlex.split(line.replace("/opt/ml/processing", str(tmp_path)))
        recipe("prepare_corpus").main(argv)

    for index in range(3):
        run(request_of("--arguments=--shard_megabytes 0.02"), index)
    run(request_of("--merge"), -1)
    store = TokenStore(tmp_path / "corpus")
    assert store.manifest["num_documents"] == 300


def test_what_is_not_in_s3_is_refused(recipe):
    with pytest.raises(SystemExit, match="--input must begin with s3://"):
        recipe("process_corpus_sagemaker").main([*FLAGS, "--input", "texts"])
