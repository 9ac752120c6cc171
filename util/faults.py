"""Faults of the machine: a full disk, no memory, no file handles. How to know them, and what helps."""

import errno
import re

UNREADABLE = {
    "EIO": "the disk, or the network to it, fails; check it",
    "ESTALE": "the network folder was replaced; open it again",
    "ETIMEDOUT": "the network folder does not answer; check it",
    "EMFILE": "raise the limit of open files (ulimit -n), or take a smaller --num_threads",
    "ENFILE": "the machine has no file handles left; end other programs",
    "ENOMEM": "the machine has no memory left; end other programs",
}
UNWRITABLE = {
    "ENOSPC": "free some space",
    "EDQUOT": "free some of your quota",
    "EFBIG": "raise the limit of file sizes (ulimit -f)",
    "EROFS": "make it writable, or name another folder",
    "EACCES": "correct the permissions, or name another folder",
    "EPERM": "correct the permissions, or name another folder",
    "ENOENT": "the folder was deleted or moved",
}
# Windows lacks some of these numbers.
READING = {getattr(errno, name): advice for name, advice in UNREADABLE.items() if hasattr(errno, name)}
WRITING = {getattr(errno, name): advice for name, advice in UNWRITABLE.items() if hasattr(errno, name)} | READING

# torch has no common class for lack of memory: CUDA raises a subclass of RuntimeError, the CPU and oneDNN plain ones. A
# library that does not fit is an ImportError.
NO_MEMORY = re.compile(
    "out of memory|an't allocate memory|annot allocate memory|not enough memory|bad_alloc|failed to map segment|"
    "could not create a (primitive|memory)|can't start new thread"
)
SMALLER = "take a smaller --batch_size, --crop_size, --ngf, --cache_gb or --num_threads"
DEAD_WORKER = re.compile(r"DataLoader worker \(pid\S* [\d, ]+\) (exited unexpectedly|is killed by signal: ([\w ]+))")


def why(error: OSError) -> str:
    """The reason of an error of a file and what helps, without the file: "No space left on device; free some space"."""
    reason = error.strerror or str(error)
    advice = WRITING.get(error.errno or 0)
    return f"{reason}; {advice}" if advice else reason


def is_fault(error: BaseException) -> bool:
    """Whether the machine failed, and not the file that was read: a file that cannot be read now may be sound."""
    if isinstance(error, OSError):
        return error.errno in READING
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and bool(NO_MEMORY.search(str(error))))


def named(error: BaseException, path: object) -> BaseException:
    """The error, with the file that was read: an error in the middle of a file does not say which one."""
    if isinstance(error, OSError) and error.errno and not error.filename:
        return OSError(error.errno, error.strerror, str(path))
    return error


def one_line(error: BaseException) -> str:
    """The line that a script ends with because of a fault of the machine; "" for any other error."""
    if isinstance(error, OSError):
        return f"{error.filename}: {why(error)}" if error.filename else why(error)
    text = str(error)
    if dead := DEAD_WORKER.search(text):
        how = f" by the signal {dead[2].strip()}" if dead[2] else ""
        return (
            f"a process that reads images was killed{how}, as happens when memory runs out; "
            "take a smaller --num_threads, --batch_size or --cache_gb"
        )
    if "Too many open files" in text:
        return f"Too many open files; {UNREADABLE['EMFILE']}"
    return f"out of memory: {SMALLER}" if isinstance(error, MemoryError) or NO_MEMORY.search(text) else ""
