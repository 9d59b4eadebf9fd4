"""One loaded model: llama.cpp's own server in a process of its own, which ends with its parent.

Its arguments have the names that llama.cpp's server gives them, so that whoever looks at the list of processes reads
the same command line as beneath an Ollama. A process and not a thread: memory really returns when the model leaves,
and an abort inside llama.cpp cannot take anybody along.
"""

import argparse
import json
import os
import sys
import threading
from collections.abc import Sequence

import xllamacpp

from olbench.engines import lifeline

ERRORS, TIMINGS = 2, 3  # of llama.cpp's verbosity: warnings and errors; also a line of timings per request


def main(argv: Sequence[str] | None = None) -> int:
    """Load, say where on standard output as one line of JSON, serve until standard input ends."""
    asked = _parser().parse_args(argv)
    lifeline.watch(lambda: os._exit(0))
    try:
        server = xllamacpp.Server(_params(asked))
    except RuntimeError as fault:
        sys.stderr.write(f"{fault}\n")  # llama.cpp's own words stand above it
        return 1
    sys.stdout.write(json.dumps({"url": server.listening_address, "pid": os.getpid()}) + "\n")
    sys.stdout.flush()
    threading.Event().wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="olbench.engines.child", description=__doc__)
    parser.add_argument("--model", required=True, help="the GGUF file")
    parser.add_argument(
        "-c", "--ctx-size", type=int, required=True, help="tokens of context, all slots together"
    )
    parser.add_argument("-np", "--parallel", type=int, required=True, help="slots")
    parser.add_argument("-b", "--batch-size", type=int, required=True)
    parser.add_argument("-t", "--threads", type=int, required=True)
    parser.add_argument("--context-shift", action="store_true")
    parser.add_argument("--verbosity", type=int, default=ERRORS)
    return parser


def _params(asked: argparse.Namespace) -> xllamacpp.CommonParams:
    params = xllamacpp.CommonParams()
    params.model.path = asked.model
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = asked.ctx_size
    params.n_parallel = asked.parallel
    params.n_batch = params.n_ubatch = asked.batch_size
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = asked.threads
    params.ctx_shift = asked.context_shift
    params.verbosity = asked.verbosity
    params.cache_ram_mib = 0  # the default lets a cache in host memory grow by up to 8 GiB
    params.fit_params = False  # the context is what was asked for, or the load fails
    # The CPU alone, on every system: what /api/ps says of it is then true.
    params.n_gpu_layers = 0
    params.no_op_offload = True
    # Nobody but the front talks to it: a page in a browser shall not.
    params.cors_origins = "http://127.0.0.1"
    params.ui = False
    return params


if __name__ == "__main__":
    sys.exit(main())
