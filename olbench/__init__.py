"""olbench: a benchmark and performance profiler for local LLM servers, Ollama first."""

__version__ = "0.1.0"
