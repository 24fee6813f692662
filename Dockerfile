# The app in a container: docker build -t kwta . && docker run --rm -p 8501:8501 kwta
FROM python:3.13-slim

# PyTorch without CUDA is gigabytes smaller. With a GPU: --build-arg TORCH_INDEX=https://pypi.org/simple
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1

WORKDIR /kwta

# The requirements first, so that a change of the code does not install them again. Torch by itself, for only it comes
# from TORCH_INDEX; its pinned version then satisfies requirements.txt.
COPY requirements.txt ./
RUN pip install --index-url "$TORCH_INDEX" --extra-index-url https://pypi.org/simple \
        "$(grep -o '^torch==[^ ]*' requirements.txt)" \
    && pip install -r requirements.txt

# A user without privileges, who owns the caches: Numba's, for the machine code is of the processor it was compiled on and
# is compiled again on another, and the data sets', which are downloaded when somebody first asks for one.
RUN useradd --create-home --uid 1000 kwta \
    && mkdir -p /var/cache/kwta/numba \
    && chown -R kwta:kwta /var/cache/kwta
ENV HOME=/home/kwta \
    NUMBA_CACHE_DIR=/var/cache/kwta/numba \
    KWTA_CACHE=/var/cache/kwta/data
COPY . .
USER kwta
RUN python -m kwta.warm

# The script's own health, which finds a broken view or cache, where the server's says ok. Off unless it is asked for,
# here in the user's own settings, which Streamlit reads before the project's.
RUN mkdir "$HOME/.streamlit" \
    && printf '[server]\nscriptHealthCheckEnabled = true\n' >"$HOME/.streamlit/config.toml"
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen as get; assert get('http://127.0.0.1:8501/_stcore/script-health-check', timeout=15).read() == b'ok'"]

EXPOSE 8501
CMD ["python", "-m", "app", "--host", "0.0.0.0", "--no-browser"]
