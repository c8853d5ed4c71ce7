"""JSON that a person or a tool wrote, with one sentence for what is wrong with the file."""

import json
from pathlib import Path
from typing import Any

from stages.common.errors import UserError


def read_json(path: Path, missing: str, damaged: str) -> Any:
    """What a file holds, with a byte order mark or without.

    missing, damaged: what to do when it cannot be read and when it is no JSON, the end of the sentence.
    Raises UserError in both cases.
    """
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {missing}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid JSON ({' '.join(str(error).split())}); {damaged}") from error
