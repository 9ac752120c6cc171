"""How a DICOM file without preamble begins."""

import re

# The first element of files without a preamble: (0002,0000), else one of group 8 with its value representation or, in
# implicit files, with a length below 64 KB.
_FIRST = re.compile(rb"\x02\0\0\0UL\x04\0|\x08\0[\0\x01\x05\x08\x12-\x1a]\0(UL|CS|DA|TM|UI|..\0\0)", re.DOTALL)


def without_preamble(start: bytes) -> bool:
    """Whether a file with this start is DICOM that lacks the preamble and DICM, as very old files do."""
    return _FIRST.match(start) is not None
