# pix2mask in a container, on the CPU by default. docs/install.md has the commands.
#   docker build -t pix2mask .
#   docker build -t pix2mask --build-arg TORCH_INDEX= .        torch as PyPI has it, with CUDA
FROM python:3.11-slim-bookworm

# The index of torch and torchvision, as in `make setup TORCH_INDEX=URL`; empty for PyPI's own, which are for CUDA.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

# No X-ray is ever processed as root. Mount your folders so that this user may write to them (--user takes another one).
RUN useradd --uid 1000 --create-home pix2mask
WORKDIR /pix2mask

# Packages first: a change of the code does not install them again. The same releases as those of `make setup`.
COPY requirements.txt requirements.lock constraints.txt pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir pip==25.3 \
    && grep -E '^torch(vision)?==' requirements.lock > torch.txt \
    && { [ -z "$TORCH_INDEX" ] || pip install --no-cache-dir --index-url "$TORCH_INDEX" --requirement torch.txt; } \
    && pip install --no-cache-dir --constraint requirements.lock --build-constraint constraints.txt ".[export,parquet]"

COPY . .
RUN mkdir -p datasets results && chown -R 1000 checkpoints datasets results
USER 1000
# A library that wants to keep something does it where any --user may write.
ENV HOME=/tmp
ENTRYPOINT ["python"]
CMD ["train.py", "--help"]
