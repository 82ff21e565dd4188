"""The expected request for the sample's command line, written by hand."""

from tests.launching.conftest import REGION

BUCKET = f"sagemaker-{REGION}-123456789012"
HYPERPARAMETERS = {
    "data_dir": "/opt/ml/input/data/training/albert_data",
    "output_dir": (
        "/opt/ml/input/data/training/runs/albert-pretrain-myfirstjob"
    ),
    "resume": "true",
    "name": "myfirstjob",
    "model_type": "albert",
    "model_size": "base",
    "load_from": "scratch",
    "initialize_embeddings": "corpus",
    "load_optimizer_state": "true",
    "hidden_dropout_prob": "0.0",
    "attention_probs_dropout_prob": "0.0",
    "pre_layer_norm": "false",
    "skip_mlm": "false",
    "skip_sop": "false",
    "max_seq_length": "512",
    "masked_lm_prob": "0.15",
    "short_seq_prob": "0.1",
    "first_seq_steps": "0",
    "seed": "42",
    "batch_size": "32",
    "gradient_accumulation_steps": "2",
    "total_steps": "125000",
    "warmup_steps": "3125",
    "optimizer": "lamb",
    "learning_rate": "0.00176",
    "end_learning_rate": "0.0",
    "learning_rate_decay_power": "1.0",
    "weight_decay": "0.01",
    "beta_1": "0.9",
    "beta_2": "0.999",
    "epsilon": "1e-06",
    "bias_correction": "true",
    "max_grad_norm": "1.0",
    "gradient_compression": "none",
    "precision": "float32",
    "remat": "false",
    "skip_xla": "true",
    "eager": "false",
    "squad_frequency": "0",
    "log_frequency": "10",
    "validation_frequency": "2000",
    "validation_steps": "50",
    "checkpoint_frequency": "5000",
    "keep_checkpoints": "5",
}


VOLUME = {
    "FileSystemId": "fs-0123456789abcdef0",
    "FileSystemAccessMode": "rw",
    "FileSystemType": "FSxLustre",
    "DirectoryPath": "/fmqyxbmv",
}


def expected_request(name):
    """The request of a job with the name that SageMaker's SDK gave it."""
    uploads = f"s3://{BUCKET}/albert-pretrain-8xp3dn/{name}/input"
    results = f"s3://{BUCKET}/albert-pretrain-myfirstjob"

    def uploaded(channel):
        source = {
            "S3DataType": "S3Prefix",
            "S3Uri": f"{uploads}/{channel}",
            "S3DataDistributionType": "FullyReplicated",
        }
        return {
            "ChannelName": channel,
            "DataSource": {"S3DataSource": source},
            "InputMode": "File",
        }

    return {
        "TrainingJobName": name,
        "RoleArn": "arn:aws:iam::123456789012:role/albert",
        "ResourceConfig": {
            "InstanceType": "ml.p3dn.24xlarge",
            "InstanceCount": 8,
            "VolumeSizeInGB": 30,
        },
        "InputDataConfig": [
            {
                "ChannelName": "training",
                "DataSource": {"FileSystemDataSource": VOLUME},
            },
            uploaded("code"),
            uploaded("sm_drivers"),
        ],
        "VpcConfig": {
            "SecurityGroupIds": ["sg-0a1", "sg-0b2"],
            "Subnets": ["subnet-0a1"],
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 2419200},
        "CheckpointConfig": {
            "S3Uri": f"{results}/checkpoints",
            "LocalPath": "/opt/ml/checkpoints",
        },
        "OutputDataConfig": {
            "S3OutputPath": f"{results}/output",
            "CompressionType": "GZIP",
        },
        "TensorBoardOutputConfig": {
            "S3OutputPath": f"{results}/tensorboard",
            "LocalPath": "/opt/ml/output/tensorboard",
        },
        "EnableManagedSpotTraining": False,
        "HyperParameters": HYPERPARAMETERS,
        "Environment": {
            "PYTHONPATH": "/opt/ml/input/data/code",
            "PYTHONUNBUFFERED": "1",
        },
    }
