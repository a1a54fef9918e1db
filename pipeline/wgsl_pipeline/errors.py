"""What can go wrong in the pipeline through no fault of its code; each with an exit status of its own."""

from __future__ import annotations

from wgsl_infer.errors import WgslInferError


class ConfigError(WgslInferError):
    """A configuration that cannot be used. The message names file, table and key."""

    exit_status = 5


class CorpusError(WgslInferError):
    """A corpus that cannot be read. The message names file and line."""

    exit_status = 6


class ArtefactError(WgslInferError):
    """A file an earlier stage should have written is missing, or was made from something else."""

    exit_status = 7


class TrainingDiverged(WgslInferError):
    """The loss stopped being a number. The message names the step and the last good checkpoint."""

    exit_status = 8


class ParityError(WgslInferError):
    """The exported graphs do not compute what the trained model does. Nothing was written."""

    exit_status = 9
