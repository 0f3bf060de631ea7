"""The values that a memory takes and returns, one class for each, in every interface. Imports pydantic alone."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import audit as audit
    from . import banks as banks
    from . import context as context
    from . import facts as facts
    from . import fold as fold
    from . import holds as holds
    from . import imports as imports
    from . import jobs as jobs
    from . import keys as keys
    from . import limits as limits
    from . import messages as messages
    from . import pages as pages
    from . import parts as parts
    from . import persons as persons
    from . import policy as policy
    from . import quarantine as quarantine
    from . import recall as recall
    from . import records as records
    from . import reports as reports
    from . import savings as savings
    from . import threads as threads
else:

    def __getattr__(name: str) -> object:
        """Imports a module on first use: `values.recall.RecallQuery`."""
        from importlib import import_module

        try:
            return import_module(f".{name}", __name__)
        except ModuleNotFoundError:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
