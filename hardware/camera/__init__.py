"""Frames from cameras and from recorded clips.

``frames`` says what a frame is, where frames come from and what can go wrong. ``device`` opens a real camera.
``clips`` reads and writes clips, ``replay`` plays them, ``recorder`` makes them. ``health`` watches an unused camera.
"""

from hardware.camera.device import open_camera
from hardware.camera.frames import (
    CameraBlack,
    CameraBusy,
    CameraDenied,
    CameraError,
    CameraFault,
    CameraFrozen,
    CameraSlow,
    CameraUnfit,
    CameraWatch,
    Frame,
    FrameSource,
    Image,
    NewestFrames,
    NoCamera,
    Pluggable,
    attached,
    check_camera,
)
from hardware.camera.replay import open_clip

__all__ = [
    "CameraBlack",
    "CameraBusy",
    "CameraDenied",
    "CameraError",
    "CameraFault",
    "CameraFrozen",
    "CameraSlow",
    "CameraUnfit",
    "CameraWatch",
    "Frame",
    "FrameSource",
    "Image",
    "NewestFrames",
    "NoCamera",
    "Pluggable",
    "attached",
    "check_camera",
    "open_camera",
    "open_clip",
]
