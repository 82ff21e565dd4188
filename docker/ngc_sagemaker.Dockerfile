# For training on GPUs, on Amazon SageMaker and elsewhere.
#
#     docker build --file docker/ngc_sagemaker.Dockerfile \
#         --tag albert-keras:ngc-25.02 .
#
# NVIDIA's last line of TensorFlow images (2.17, Python 3.12, CUDA 12.8), with
# Horovod and Open MPI built for NCCL, which nobody else ships any more.
FROM nvcr.io/nvidia/tensorflow:25.02-tf2-py3

# sshd, by which `mpirun` starts the ranks of other hosts. 9.6 is Ubuntu
# 24.04's; what follows the version are its security updates.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        openssh-client=1:9.6p1-* \
        openssh-server=1:9.6p1-* \
    && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*

# EFA, the network of p3dn, p4d and p5: libfabric, and NCCL's plugin for it,
# which the installer has since 1.39. (1.40 fails in containers:
# aws/aws-ofi-nccl#872.) The kernel's part is the host's.
ARG EFA_VERSION=1.39.0
WORKDIR /tmp/efa
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN curl --fail --silent --show-error --location --retry 3 \
        "https://efa-installer.amazonaws.com/aws-efa-installer-${EFA_VERSION}.tar.gz" \
        | tar --extract --gzip --strip-components 1 \
    && apt-get update \
    && ./efa_installer.sh --yes --skip-kmod --skip-limit-conf --no-verify \
    && rm -rf /tmp/efa/* /var/lib/apt/lists/*
# The image's own Open MPI, which Horovod was built with, stays first in PATH.
ENV LD_LIBRARY_PATH=/opt/amazon/ofi-nccl/lib/x86_64-linux-gnu:/opt/amazon/efa/lib:${LD_LIBRARY_PATH}

# PIP_CONSTRAINT is NVIDIA's, and holds Keras back. --use-pep517: seqeval comes
# as source, which older pips build without what its building needs.
WORKDIR /opt/albert_keras
COPY docker/requirements.txt docker/requirements.txt
RUN PIP_CONSTRAINT="" pip install --no-cache-dir --use-pep517 --requirement docker/requirements.txt
COPY . .
RUN PIP_CONSTRAINT="" pip install --no-cache-dir --no-deps .

# What SageMaker starts: keys are made when a job starts, and SIGTERM reaches
# the ranks. In a container there is no login to account for (pam_loginuid).
RUN ln --symbolic /opt/albert_keras/docker/sagemaker /usr/local/lib/albert_keras \
    && cp docker/sagemaker/ssh_config /etc/ssh/ssh_config.d/albert_keras.conf \
    && dpkg-divert --add --rename --divert /usr/sbin/sshd.distrib /usr/sbin/sshd \
    && ln --symbolic /usr/local/lib/albert_keras/sshd /usr/sbin/sshd \
    && sed --in-place 's/^session\s*required\s*pam_loginuid.so/#&/' /etc/pam.d/sshd
ENV BASH_ENV=/usr/local/lib/albert_keras/pass_on_sigterm.sh \
    # Lustre has no locks for HDF5 unless its clients are told to.
    HDF5_USE_FILE_LOCKING=FALSE \
    NCCL_DEBUG=WARN \
    TF_CPP_MIN_LOG_LEVEL=2

# The user is root: SageMaker's driver writes /etc/environment and starts sshd
# on port 22. docker/cpu.Dockerfile has an unprivileged user.
