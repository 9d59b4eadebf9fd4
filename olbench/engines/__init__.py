"""What olbench starts itself: servers that speak Ollama's API without an Ollama on the machine."""
