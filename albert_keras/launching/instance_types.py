"""Amazon SageMaker's instance types for training, with their GPUs.

From https://aws.amazon.com/sagemaker/ai/pricing/ and the pages of the EC2
families. The g4dn, g5, g6 and g6e sizes with one GPU differ in CPU cores.
"""

import dataclasses

# By family: GPU, its memory in GB, and number of GPUs by size.
_GPU_FAMILIES = {
    "p3": ("V100", 16, {"2xlarge": 1, "8xlarge": 4, "16xlarge": 8}),
    "p3dn": ("V100", 32, {"24xlarge": 8}),
    "p4d": ("A100", 40, {"24xlarge": 8}),
    "p4de": ("A100", 80, {"24xlarge": 8}),
    "p5": ("H100", 80, {"4xlarge": 1, "48xlarge": 8}),
    "p5e": ("H200", 141, {"48xlarge": 8}),
    "p5en": ("H200", 141, {"48xlarge": 8}),
    "g4dn": (
        "T4",
        16,
        {
            **dict.fromkeys(
                ("xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge"), 1
            ),
            "12xlarge": 4,
        },
    ),
    **{
        family: (
            gpu,
            memory,
            {
                **dict.fromkeys(
                    ("xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge"), 1
                ),
                "12xlarge": 4,
                "24xlarge": 4,
                "48xlarge": 8,
            },
        )
        for family, gpu, memory in (
            ("g5", "A10G", 24),
            ("g6", "L4", 24),
            ("g6e", "L40S", 48),
        )
    },
}
# For trial jobs; training on them is slow.
_CPU_FAMILIES = {
    "m5": ("large", "xlarge", "2xlarge", "4xlarge", "12xlarge", "24xlarge"),
    "c5": ("xlarge", "2xlarge", "4xlarge", "9xlarge", "18xlarge"),
}
# The AWS sample's names of jobs.
_SHORT_NAMES = {"p3dn24": "p3dn", "g4dn12": "g4dn"}


@dataclasses.dataclass(frozen=True)
class InstanceType:
    """An instance type, such as `ml.p4d.24xlarge`.

    Attributes:
        name: SageMaker's name.
        num_gpus: Number of GPUs, or 0.
        gpu: Type of the GPUs.
        gpu_memory: Memory of each GPU in GB.
    """

    name: str
    num_gpus: int = 0
    gpu: str = ""
    gpu_memory: int = 0

    @property
    def short_name(self) -> str:
        """`p3dn`, `p316` or `p548`, for a job's name."""
        _, family, size = self.name.split(".")
        short = family + (size.removesuffix("xlarge") or "1")
        return _SHORT_NAMES.get(short, short)


INSTANCE_TYPES = {
    instance.name: instance
    for instance in (
        *(
            InstanceType(f"ml.{family}.{size}", num_gpus, gpu, memory)
            for family, (gpu, memory, sizes) in _GPU_FAMILIES.items()
            for size, num_gpus in sizes.items()
        ),
        *(
            InstanceType(f"ml.{family}.{size}")
            for family, sizes in _CPU_FAMILIES.items()
            for size in sizes
        ),
    )
}


def instance_type(name: str) -> InstanceType:
    """The instance type of a name.

    Raises:
        ValueError: If the name is unknown; the message lists the known ones.
    """
    if name not in INSTANCE_TYPES:
        raise ValueError(
            f"`instance_type` {name!r} is unknown. Pass one of: "
            f"{', '.join(INSTANCE_TYPES)}."
        )
    return INSTANCE_TYPES[name]
