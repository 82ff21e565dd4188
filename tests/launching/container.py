"""Runs a training job on this machine as in SageMaker's container.

Each host is a set of Linux namespaces, with its own mounts (the job's folder at
/opt/ml, a copy of /etc, and the image's files), process ids (the job's bash is
process 1), host name and network.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VENV = Path(sys.prefix)
INTERFACE = "eth0"

_SETUP = """
set -e
mount --make-rprivate /
mkdir -p {host}/scratch {host}/scratch/sbin {host}/scratch/home
cp -a /etc {host}/scratch/etc
mount -t tmpfs tmpfs /opt
mkdir -p /opt/ml /opt/scratch
mount --bind {host}/ml /opt/ml
mount --bind {host}/scratch /opt/scratch
mount --bind /usr/sbin /opt/scratch/sbin
mount --bind /opt/scratch/etc /etc
mount -t tmpfs tmpfs /usr/sbin
ln -s /opt/scratch/sbin/* /usr/sbin/
ln -s /opt/scratch/sbin/sshd /usr/sbin/sshd.distrib
ln -sf {root}/docker/sagemaker/sshd /usr/sbin/sshd
rm -f /etc/ssh/ssh_host_*
# Leftovers of an earlier job's driver; only /tmp is shared.
rm -f /tmp/done.algo-* /tmp/ready.algo-*
cp {root}/docker/sagemaker/ssh_config /etc/ssh/ssh_config.d/job.conf
sed -i 's#^root:\\(.*\\):/root:#root:\\1:/opt/scratch/home:#' /etc/passwd
: > /etc/environment
printf '%s\\n' {hosts} > /etc/hosts
mount -t proc proc /proc
hostname {name}
ip link set lo up
{network}
exec env -i {environment} /bin/bash -c {command}
"""


def why_not():
    """The reason why a job cannot run here, or None."""
    for program in ("mpirun", "/usr/sbin/sshd", "unshare", "ip"):
        if shutil.which(program) is None:
            return (
                f"{program} is missing; on Debian: apt-get install "
                "openmpi-bin libopenmpi-dev openssh-server iproute2"
            )
    if os.geteuid() != 0:
        return "namespaces for a container need root"
    tried = subprocess.run(
        [*_unshare(), "sh", "-c", "mount -t tmpfs tmpfs /opt"],
        capture_output=True,
    )
    if tried.returncode:
        return f"namespaces are not allowed here: {tried.stderr.decode()}"
    import horovod.tensorflow as horovod

    if not horovod.mpi_built():
        return "Horovod was built without MPI; run make setup again"
    return None


def lay_out(job, objects, directory, data, hosts=("algo-1",)):
    """Creates a job's files like SageMaker; returns the folder of each host.

    Args:
        job: Description of the job by DescribeTrainingJob.
        objects: Function that returns the files below an S3 location.
        directory: Directory for the hosts' folders.
        data: Directory that represents the volume.
        hosts: Names of the hosts.
    """
    folders = {}
    for name in hosts:
        folders[name] = directory / name
        ml = folders[name] / "ml"
        for folder in ("input/config", "checkpoints", "model", "output/data"):
            (ml / folder).mkdir(parents=True)
        for channel in job["InputDataConfig"]:
            target = ml / "input" / "data" / channel["ChannelName"]
            target.mkdir(parents=True)
            source = channel["DataSource"].get("S3DataSource")
            for path, content in objects(source["S3Uri"]) if source else ():
                (target / path).parent.mkdir(parents=True, exist_ok=True)
                (target / path).write_bytes(content)
        _write_config(ml / "input" / "config", job, name, hosts)
        # All hosts share one volume.
        volume = ml / "input" / "data" / "training"
        volume.rmdir()
        volume.symlink_to(data)
    return folders


def start(job, folders, name):
    """Starts the container of a host, with its output in one pipe."""
    environment = {
        "PATH": f"{VENV}/bin:/usr/local/bin:/usr/sbin:/usr/bin:/bin",
        "HOME": "/opt/scratch/home",
        # Avoids compiling the kernels again.
        "XDG_CACHE_HOME": os.environ.get(
            "XDG_CACHE_HOME", str(Path.home() / ".cache")
        ),
        "BASH_ENV": f"{ROOT}/docker/sagemaker/pass_on_sigterm.sh",
        "TRAINING_JOB_NAME": job["TrainingJobName"],
        "TF_CPP_MIN_LOG_LEVEL": "3",
        **job["Environment"],
    }
    algorithm = job["AlgorithmSpecification"]
    assert algorithm["ContainerEntrypoint"] == ["/bin/bash"]
    flag, command = algorithm["ContainerArguments"]
    assert flag == "-c"
    script = _SETUP.format(
        host=folders[name],
        root=ROOT,
        name=name,
        hosts=" ".join(f"'{line}'" for line in _hosts(folders)),
        network=_network(folders, name),
        environment=" ".join(f"{k}='{v}'" for k, v in environment.items()),
        command=f"'{command}'",
    )
    return subprocess.Popen(
        [*_unshare(), "/bin/bash", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def connect(one, other):
    """Connects the containers of two hosts by a network."""
    ends = [str(_first_process(container)) for container in (one, other)]
    command = "ip link add eth0 netns {} type veth peer name eth0 netns {}"
    subprocess.run(command.format(*ends).split(), check=True)


def tell_to_stop(container):
    """Sends SIGTERM to the container's process 1, as SageMaker does."""
    os.kill(_first_process(container), signal.SIGTERM)


def _first_process(container):
    children = Path(f"/proc/{container.pid}/task/{container.pid}/children")
    wait_for(children.read_text, container)
    (pid,) = children.read_text().split()
    return int(pid)


def end(container):
    """Ends all processes of a container."""
    container.kill()  # also kills process 1 and thereby all others
    container.wait()
    container.stdout.close()


def wait_for(condition, container, timeout=300):
    """Waits until `condition()` is true."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline and container.poll() is None:
        if condition():
            return
        time.sleep(0.1)
    pytest.fail(f"the condition was not met:\n{container.stdout.read()}")


def _unshare():
    spaces = ("--mount", "--uts", "--pid", "--net", "--fork", "--kill-child")
    return ["unshare", *spaces]


def _network(folders, name):
    """Commands that set up `eth0`: the loopback, or the end of `connect`."""
    if len(folders) == 1:
        return f"ip link set lo name {INTERFACE}"
    address = f"10.99.0.{1 + list(folders).index(name)}/24"
    return (
        f"until ip link show {INTERFACE} >/dev/null 2>&1; do sleep 0.1; done\n"
        f"ip address add {address} dev {INTERFACE}\n"
        f"ip link set {INTERFACE} up"
    )


def _hosts(folders):
    if len(folders) == 1:
        return ["127.0.0.1 localhost algo-1"]
    addresses = [f"10.99.0.{i + 1} {name}" for i, name in enumerate(folders)]
    return ["127.0.0.1 localhost", *addresses]


def _write_config(directory, job, name, hosts):
    values = {
        "hyperparameters": job["HyperParameters"],
        "resourceconfig": {
            "current_host": name,
            "hosts": list(hosts),
            "current_instance_type": job["ResourceConfig"]["InstanceType"],
            "network_interface_name": INTERFACE,
        },
        "inputdataconfig": {
            channel["ChannelName"]: {"TrainingInputMode": "File"}
            for channel in job["InputDataConfig"]
        },
    }
    for file, content in values.items():
        (directory / f"{file}.json").write_text(json.dumps(content))
