# The image for training on GPUs, on Amazon SageMaker and elsewhere.
#
#     docker build --file docker/ngc_sagemaker.Dockerfile \
#         --tag albert-keras:ngc-25.02 .
#
# From NVIDIA's last series of TensorFlow images (2.17, Python 3.12, CUDA 12.8),
# which include Horovod and Open MPI built for NCCL; no other image still does.
FROM nvcr.io/nvidia/tensorflow:25.02-tf2-py3

# sshd, through which `mpirun` starts the ranks of other hosts. Ubuntu 24.04
# has 9.6; the suffix admits its security updates.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        openssh-client=1:9.6p1-* \
        openssh-server=1:9.6p1-* \
    && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*

# EFA, the network of p3dn, p4d and p5: libfabric and NCCL's plugin for it,
# which the installer includes since 1.39. (1.40 fails in containers:
# aws/aws-ofi-nccl#872.) The host provides the kernel module.
ARG EFA_VERSION=1.39.0
WORKDIR /tmp/efa
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN curl --fail --silent --show-error --location --retry 3 \
        "https://efa-installer.amazonaws.com/aws-efa-installer-${EFA_VERSION}.tar.gz" \
        | tar --extract --gzip --strip-components 1 \
    && apt-get update \
    && ./efa_installer.sh --yes --skip-kmod --skip-limit-conf --no-verify \
    && rm -rf /tmp/efa/* /var/lib/apt/lists/*
# The image's own Open MPI, with which Horovod was built, stays first in PATH.
ENV LD_LIBRARY_PATH=/opt/amazon/ofi-nccl/lib/x86_64-linux-gnu:/opt/amazon/efa/lib:${LD_LIBRARY_PATH}

# NVIDIA's PIP_CONSTRAINT pins an older Keras. --use-pep517: seqeval is a source
# distribution, and older pips do not install its build requirements.
WORKDIR /opt/albert_keras
COPY docker/requirements.txt docker/requirements.txt
RUN PIP_CONSTRAINT="" pip install --no-cache-dir --use-pep517 --requirement docker/requirements.txt
COPY . .
RUN PIP_CONSTRAINT="" pip install --no-cache-dir --no-deps .

# Hooks for SageMaker: a job makes its SSH keys when it starts, and SIGTERM
# reaches the ranks. Containers have no logins for pam_loginuid to record.
RUN ln --symbolic /opt/albert_keras/docker/sagemaker /usr/local/lib/albert_keras \
    && cp docker/sagemaker/ssh_config /etc/ssh/ssh_config.d/albert_keras.conf \
    && dpkg-divert --add --rename --divert /usr/sbin/sshd.distrib /usr/sbin/sshd \
    && ln --symbolic /usr/local/lib/albert_keras/sshd /usr/sbin/sshd \
    && sed --in-place 's/^session\s*required\s*pam_loginuid.so/#&/' /etc/pam.d/sshd
ENV BASH_ENV=/usr/local/lib/albert_keras/pass_on_sigterm.sh \
    # Lustre does not support HDF5's file locks by default.
    HDF5_USE_FILE_LOCKING=FALSE \
    NCCL_DEBUG=WARN \
    TF_CPP_MIN_LOG_LEVEL=2

# The user is root, because SageMaker's driver writes /etc/environment and
# starts sshd on port 22. docker/cpu.Dockerfile has an unprivileged user.
