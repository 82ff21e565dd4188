# An image for machines without GPUs, to try the package.
#
#     docker build --file docker/cpu.Dockerfile --tag albert-keras:cpu .
#     docker run --rm albert-keras:cpu \
#         python /opt/albert_keras/recipes/pretrain.py --help
#
# With `--target sagemaker` it runs on SageMaker's instances without GPUs.
# Debian 12 has Python 3.11 and Open MPI 4, which SageMaker's driver requires.
FROM python:3.11.13-slim-bookworm AS wheels

RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        g++=4:12.2.* \
        libopenmpi-dev=4.1.4-* \
        make=4.3-* \
    && rm -rf /var/lib/apt/lists/*
# 2.18 is the newest TensorFlow with which Horovod 0.28.1, the last Horovod,
# builds; CMake 4 and newer setuptools cannot build it either.
RUN pip install --no-cache-dir tensorflow-cpu==2.18.1 cmake==3.31.6 \
        setuptools==80.9.0 wheel==0.45.1 packaging==25.0 cloudpickle==3.1.1 \
        psutil==7.0.0 pyyaml==6.0.3
ENV HOROVOD_WITH_TENSORFLOW=1 \
    HOROVOD_WITHOUT_PYTORCH=1 \
    HOROVOD_WITHOUT_MXNET=1 \
    HOROVOD_WITH_GLOO=1 \
    HOROVOD_WITH_MPI=1
RUN pip wheel --no-cache-dir --no-build-isolation --no-deps \
        --wheel-dir /wheels horovod==0.28.1

FROM python:3.11.13-slim-bookworm AS base

RUN apt-get update \
    && apt-get install --yes --no-install-recommends openmpi-bin=4.1.4-* \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/albert_keras
COPY docker/requirements.txt docker/requirements.txt
# --use-pep517: see ngc_sagemaker.Dockerfile.
RUN pip install --no-cache-dir --use-pep517 --requirement docker/requirements.txt \
        tensorflow-cpu==2.18.1 cloudpickle==3.1.1 psutil==7.0.0
COPY --from=wheels /wheels /wheels
RUN pip install --no-cache-dir --no-deps /wheels/*.whl
COPY . .
RUN pip install --no-cache-dir --no-deps .
ENV TF_CPP_MIN_LOG_LEVEL=2

# The user is root, which SageMaker's driver requires: see ngc_sagemaker.
FROM base AS sagemaker

RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        openssh-client=1:9.2p1-* \
        openssh-server=1:9.2p1-* \
    && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*
RUN ln --symbolic /opt/albert_keras/docker/sagemaker /usr/local/lib/albert_keras \
    && cp /opt/albert_keras/docker/sagemaker/ssh_config /etc/ssh/ssh_config.d/albert_keras.conf \
    && dpkg-divert --add --rename --divert /usr/sbin/sshd.distrib /usr/sbin/sshd \
    && ln --symbolic /usr/local/lib/albert_keras/sshd /usr/sbin/sshd \
    && sed --in-place 's/^session\s*required\s*pam_loginuid.so/#&/' /etc/pam.d/sshd
ENV BASH_ENV=/usr/local/lib/albert_keras/pass_on_sigterm.sh

FROM base AS local

RUN useradd --create-home --uid 1000 albert
USER 1000
WORKDIR /home/albert
