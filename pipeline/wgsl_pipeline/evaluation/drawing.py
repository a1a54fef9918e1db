"""Runs fragment and compute shaders on a WebGPU device, and reads back what they painted and wrote."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# One triangle over the whole square; uv runs from (0, 0) at the top left to (1, 1).
_SCREEN = """
struct WiCorner { @builtin(position) position: vec4<f32>, @location(0) uv: vec2<f32> }
@vertex fn wi_vertex(@builtin(vertex_index) index: u32) -> WiCorner {
    var corners = array<vec2<f32>, 3>(vec2<f32>(0.0, 0.0), vec2<f32>(2.0, 0.0), vec2<f32>(0.0, 2.0));
    let uv = corners[index];
    return WiCorner(vec4<f32>(uv.x * 2.0 - 1.0, 1.0 - uv.y * 2.0, 0.0, 1.0), uv);
}
"""
_TEXELS = 8  # side of every texture
IMAGE = 16  # side of every texture that is written to
_FORMAT = "rgba32float"  # of what is painted or written

_LAYOUTS: dict[str, dict[str, Any]] = {
    "input": {"buffer": {"type": "read-only-storage"}},
    "output": {"buffer": {"type": "storage"}},
    "uniform": {"buffer": {"type": "uniform"}},
    "texture": {"texture": {"sample_type": "float", "view_dimension": "2d"}},
    "sampler": {"sampler": {"type": "filtering"}},
    "image": {"storage_texture": {"access": "write-only", "format": _FORMAT, "view_dimension": "2d"}},
}


@dataclass(frozen=True)
class Binding:
    """A resource: `kind` is input, output, uniform (buffers with these bytes), texture, sampler or image.

    Outputs, and images of the format `_FORMAT`, are read back.
    """

    group: int
    number: int
    kind: str
    data: bytes = b""
    seed: int = 0  # textures of different seeds hold different pictures
    integers: bool = False  # whether a buffer holds whole numbers

    @property
    def is_written(self) -> bool:
        """Whether a shader may write to it."""
        return self.kind in ("output", "image")


class Canvas:
    """A device to draw with.

    Args:
        device: a `wgpu.GPUDevice`; the validator has one.
    """

    def __init__(self, device: Any) -> None:
        self._device = device
        self._wgpu: Any = importlib.import_module("wgpu")
        self._screen = device.create_shader_module(code=_SCREEN)
        self.outputs: list[bytes] = []  # what the last run left in the bindings of kinds output and image, in order

    def draw(self, module: str, entry: str, side: int, bindings: Sequence[Binding]) -> NDArray[np.float32]:
        """Run a fragment shader for `side` x `side` pixels and return their colors, [side * side, 4].

        Raises:
            wgpu.GPUError: the module does not compile, or does not fit its bindings.
        """
        shader = self._device.create_shader_module(code=module)
        layouts, groups, written = self._bind(bindings)
        pipeline = self._device.create_render_pipeline(
            layout=self._device.create_pipeline_layout(bind_group_layouts=layouts),
            vertex={"module": self._screen, "entry_point": "wi_vertex"},
            primitive={"topology": "triangle-list"},
            fragment={"module": shader, "entry_point": entry, "targets": [{"format": _FORMAT}]},
        )
        usage = self._wgpu.TextureUsage
        size = (side, side, 1)
        picture = self._device.create_texture(size=size, format=_FORMAT, usage=usage.RENDER_ATTACHMENT | usage.COPY_SRC)
        encoder = self._device.create_command_encoder()
        attachment = {
            "view": picture.create_view(),
            "load_op": "clear",
            "store_op": "store",
            "clear_value": (0, 0, 0, 0),
        }
        render = encoder.begin_render_pass(color_attachments=[attachment])
        _set(render, pipeline, groups)
        render.draw(3)
        self._run(encoder, render, written)
        return np.frombuffer(self._read(picture), np.float32).reshape(side * side, 4)

    def compute(self, module: str, entry: str, workgroups: tuple[int, int, int], bindings: Sequence[Binding]) -> None:
        """Run a compute shader.

        Raises:
            wgpu.GPUError: the module does not compile, or does not fit its bindings.
        """
        shader = self._device.create_shader_module(code=module)
        layouts, groups, written = self._bind(bindings)
        pipeline = self._device.create_compute_pipeline(
            layout=self._device.create_pipeline_layout(bind_group_layouts=layouts),
            compute={"module": shader, "entry_point": entry},
        )
        encoder = self._device.create_command_encoder()
        run = encoder.begin_compute_pass()
        _set(run, pipeline, groups)
        run.dispatch_workgroups(*workgroups)
        self._run(encoder, run, written)

    def _run(self, encoder: Any, commands: Any, written: list[Any]) -> None:
        """Have a pass of commands done, and read what it left in the resources it may write to."""
        commands.end()
        self._device.queue.submit([encoder.finish()])
        self.outputs = [self._read(resource) for resource in written]

    def _read(self, resource: Any) -> bytes:
        """The bytes of a buffer, or of a texture of floats."""
        if isinstance(resource, self._wgpu.GPUBuffer):
            return bytes(self._device.queue.read_buffer(resource))
        width, height, _ = resource.size
        rows = {"bytes_per_row": width * 16, "rows_per_image": height}
        return bytes(self._device.queue.read_texture({"texture": resource}, rows, resource.size))

    def _bind(self, bindings: Sequence[Binding]) -> tuple[list[Any], list[Any], list[Any]]:
        """Layouts and groups, numbered from 0 without a gap, and the buffers and textures to read back."""
        layouts, groups = [], []
        written: dict[Binding, Any] = {}
        visible = self._wgpu.ShaderStage.FRAGMENT | self._wgpu.ShaderStage.COMPUTE
        for number in range(1 + max((b.group for b in bindings), default=-1)):
            own = [b for b in bindings if b.group == number]
            rows = [{"binding": b.number, "visibility": visible, **_LAYOUTS[b.kind]} for b in own]
            layouts.append(self._device.create_bind_group_layout(entries=rows))
            entries = []
            for b in own:
                resource = self._resource(b)
                entries.append({"binding": b.number, "resource": resource})
                if b.is_written:
                    written[b] = resource.texture if b.kind == "image" else resource["buffer"]
            groups.append(self._device.create_bind_group(layout=layouts[-1], entries=entries))
        return layouts, groups, [written[b] for b in bindings if b in written]

    def _resource(self, binding: Binding) -> Any:
        if binding.kind == "texture":
            return self._texture(binding.seed).create_view()
        if binding.kind == "image":
            usage = self._wgpu.TextureUsage
            size = (IMAGE, IMAGE, 1)
            image = self._device.create_texture(size=size, format=_FORMAT, usage=usage.STORAGE_BINDING | usage.COPY_SRC)
            return image.create_view()
        if binding.kind == "sampler":
            modes = {"address_mode_u": "repeat", "address_mode_v": "repeat"}
            return self._device.create_sampler(mag_filter="linear", min_filter="linear", **modes)
        usage = self._wgpu.BufferUsage
        purpose = usage.UNIFORM if binding.kind == "uniform" else usage.STORAGE
        return {"buffer": self._device.create_buffer_with_data(data=binding.data, usage=purpose | usage.COPY_SRC)}

    def _texture(self, seed: int) -> Any:
        """Random colors, half of them see-through."""
        usage = self._wgpu.TextureUsage
        size = (_TEXELS, _TEXELS, 1)
        texture = self._device.create_texture(
            size=size, format="rgba8unorm", usage=usage.TEXTURE_BINDING | usage.COPY_DST
        )
        pixels = np.random.default_rng(seed).integers(0, 256, (_TEXELS, _TEXELS, 4), dtype=np.uint8)
        rows = {"bytes_per_row": 4 * _TEXELS, "rows_per_image": _TEXELS}
        self._device.queue.write_texture({"texture": texture}, pixels, rows, size)
        return texture


def _set(commands: Any, pipeline: Any, groups: list[Any]) -> None:
    commands.set_pipeline(pipeline)
    for number, group in enumerate(groups):
        commands.set_bind_group(number, group)
