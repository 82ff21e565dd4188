# An image that serves exports of recipes/export.py in ONNX or OpenVINO, without
# Keras and TensorFlow.
#
#     docker build --file docker/serve.Dockerfile --tag albert-keras:serve .
#     docker run --rm --publish 8080:8080 \
#         --volume "$PWD/exports/reviews:/opt/ml/model:ro" albert-keras:serve
#
# Flags of recipes/serve.py follow `serve`. Amazon SageMaker runs the command
# `serve` as well, with the model in /opt/ml/model.
FROM python:3.11.13-slim-bookworm

# Of Keras's own packages, the readers of weights import h5py and ml-dtypes.
RUN pip install --no-cache-dir fastapi==0.165.0 filelock==4.2.12 \
        h5py==3.16.0 ml-dtypes==0.6.0 lazy-loader==0.6 numpy==2.0.2 onnxruntime==1.32.0 openvino==2026.4.1 \
        prometheus-client==0.26.0 pyyaml==6.0.3 safetensors==0.8.0 \
        sentencepiece==0.2.3 tyro==1.0.17 uvicorn==0.54.0 wrapt==2.5.2
WORKDIR /opt/albert_keras
COPY . .
RUN pip install --no-cache-dir --no-deps . \
    && ln --symbolic /opt/albert_keras/docker/serve /usr/local/bin/serve \
    && useradd --create-home --uid 1000 albert
USER 1000
EXPOSE 8080
CMD ["serve"]
