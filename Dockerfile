# The toolkit and an engine in one image. Targets: caffe-cpu, caffe-gpu, recaffe. How to build and run: docs/docker.md.
#
# Real Caffe needs the C library, Python and protobuf of its time, the toolkit those of today. So an image holds two
# interpreters: the toolkit's in /opt/venv, and Caffe's in /opt/caffe/root, an old system that is never booted, whose
# programs are started under their own loader by the same wrappers that `make caffe` writes.

# ---- Caffe of Debian 11: Caffe 1.0 (2018-08-21), Python 3.9, CPU only
FROM debian:11.11-slim AS debian-caffe
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        caffe=1.0.0+git20180821.99bd997-8+b2 \
        libopenblas0-pthread=0.3.13+ds-3+deb11u1 \
        python3-caffe=1.0.0+git20180821.99bd997-8+b2 \
        python3-lmdb=1.0.0-1+b1 \
    && rm -rf /var/lib/apt/lists/* /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale \
    && find /usr /lib -xdev -type f -perm /6000 -exec chmod a-s {} + \
    && mkdir --parents /opt/caffe/root \
    && cp --archive /usr /lib /opt/caffe/root/

# ---- Caffe of Ubuntu 18.04, the last to package it with CUDA: Caffe 1.0, CUDA 9.1 (Pascal, Volta), Python 3.6
FROM ubuntu:18.04 AS ubuntu-caffe
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        caffe-cuda=1.0.0-6build1 \
        libopenblas-base=0.2.20+ds-4 \
        python3-lmdb=0.86-1build4 \
    && rm -rf /var/lib/apt/lists/* /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale \
    && find /usr /lib -xdev -type f -perm /6000 -exec chmod a-s {} + \
    && mkdir --parents /opt/caffe/root \
    && cp --archive /usr /lib /opt/caffe/root/

# ---- The toolkit's Python
FROM debian:12.11-slim AS python
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make=4.3-4.1 python3=3.11.2-1+b1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home layerwise
WORKDIR /workspace

# ---- Its packages: those of the lock file but torch, which only recaffe's numbers need
FROM python AS packages
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv=3.11.2-1+b1 \
    && rm -rf /var/lib/apt/lists/*
# For another index or a local build of torch: --build-arg PIP_ARGS="..."
ARG PIP_ARGS=""
COPY requirements.lock ./
COPY recaffe/pyproject.toml recaffe/README.md recaffe/
RUN python3 -m venv /opt/venv \
    && grep -v '^torch==' requirements.lock > /tmp/without-torch.lock \
    && /opt/venv/bin/pip install --no-cache-dir ${PIP_ARGS} --requirement /tmp/without-torch.lock \
    && /opt/venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation --config-settings editable_mode=compat \
        --editable ./recaffe

FROM packages AS packages-and-torch
ARG PIP_ARGS=""
RUN /opt/venv/bin/pip install --no-cache-dir ${PIP_ARGS} --requirement requirements.lock

# ---- The toolkit itself; runs/ and data/ may be written by whatever user the container is given
FROM python AS toolkit
COPY . .
RUN mkdir --parents runs data \
    && chmod 1777 runs data
ENV VENV=/opt/venv \
    MPLCONFIGDIR=/tmp/matplotlib
CMD ["make", "help"]

# In each target the stamp, newer than the lock files, tells make that the environment is made.
# ---- Target: recaffe, for any CPU and for current GPUs
FROM toolkit AS recaffe
COPY --from=packages-and-torch /opt/venv /opt/venv
RUN touch /opt/venv/.setup-stamp
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 1000

# ---- Target: caffe-gpu. The driver's libcuda comes from the host and is looked for last.
FROM toolkit AS caffe-gpu
COPY --from=packages /opt/venv /opt/venv
COPY --from=ubuntu-caffe /opt/caffe /opt/caffe
# pycaffe imports matplotlib, which of that age looks for its data under absolute paths only.
COPY --from=ubuntu-caffe /etc/matplotlibrc /etc/matplotlibrc
RUN ln --symbolic /opt/caffe/root/usr/share/matplotlib /usr/share/matplotlib
ENV CAFFE_PYTHON=/opt/caffe/caffe-python \
    CAFFE_DRIVER_LIBRARIES=/usr/lib/x86_64-linux-gnu \
    ENGINE=caffe \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
RUN touch /opt/venv/.setup-stamp \
    && python3 -m tools.real_caffe --wrap --into /opt/caffe
USER 1000

# ---- Target: caffe-cpu
FROM toolkit AS caffe-cpu
COPY --from=packages /opt/venv /opt/venv
COPY --from=debian-caffe /opt/caffe /opt/caffe
ENV CAFFE_PYTHON=/opt/caffe/caffe-python \
    ENGINE=caffe
RUN touch /opt/venv/.setup-stamp \
    && python3 -m tools.real_caffe --wrap --into /opt/caffe
USER 1000
