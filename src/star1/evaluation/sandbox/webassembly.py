from .native import Unavailable


def command() -> list[str]:
    raise Unavailable("wasmtime is not installed")
