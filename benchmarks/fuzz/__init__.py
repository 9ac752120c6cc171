"""Damaged files by the thousand: every reader reads each, or refuses it in a clear line, soon and in little memory.

    python -m benchmarks.fuzz                              all readers, 1,000 inputs each
    python -m benchmarks.fuzz dicom --inputs 100000        one reader
    python -m benchmarks.fuzz --keep FOLDER                keep what escaped, with the error beside it

An input is a sound file with one to four changes, drawn from --seed. Nothing may come out of a reader but a result or
an error that a script prints as one line (`util.errors.run_script`). A child process reads, so that a crash ends only
that. The last columns are the worst input's time, of the processor, and its growth of memory.
"""
