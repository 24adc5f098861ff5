# SPDX-License-Identifier: Apache-2.0
"""Recordings of a run: samples of meters and events of a device; docs/RECORDING.md is the contract.

chunks      bytes <-> chunks, no I/O
files       a folder, a zip of it, or what is left of one
channels    range reads and envelopes without loading everything
writer      Recorder: appends chunks, loses at most a second when it is killed
reader      Recording: the channels of a folder or zip, also while it grows
"""

from host_tools.recording.channels import (
    Envelope,
    EventChannel,
    Gap,
    RecordedEvent,
    SampleChannel,
    Samples,
)
from host_tools.recording.chunks import Column
from host_tools.recording.files import pack
from host_tools.recording.reader import Recording
from host_tools.recording.writer import EventWriter, Recorder, SampleWriter

__all__ = ["Column", "Envelope", "EventChannel", "EventWriter", "Gap", "RecordedEvent", "Recorder",
           "Recording", "SampleChannel", "SampleWriter", "Samples", "pack"]
