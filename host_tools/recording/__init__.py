# SPDX-License-Identifier: Apache-2.0
"""Recordings of a run: samples of meters and events of a device; docs/RECORDING.md is the contract.

chunks      bytes <-> chunks, no I/O
files       a folder, a zip of it, or the remains of one
writer      channels that are written, chunk by chunk
recorder    Recorder: loses at most a second when it is killed
views       what readers get: samples, gaps, events, envelopes
channels    range reads and envelopes without loading everything
reader      Recording: the channels of a folder or zip, also while it grows
"""

from host_tools.recording.channels import EventChannel, SampleChannel
from host_tools.recording.chunks import Column
from host_tools.recording.files import pack
from host_tools.recording.reader import Recording
from host_tools.recording.recorder import Recorder
from host_tools.recording.views import Envelope, Gap, RecordedEvent, Samples
from host_tools.recording.writer import EventWriter, SampleWriter

__all__ = ["Column", "Envelope", "EventChannel", "EventWriter", "Gap", "RecordedEvent", "Recorder",
           "Recording", "SampleChannel", "SampleWriter", "Samples", "pack"]
