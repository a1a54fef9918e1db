"""Draws a square with a fragment shader on a WebGPU device, and reads back what it painted and wrote."""

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
_FORMAT = "rgba32float"  # of the picture

_LAYOUTS: dict[str, dict[str, Any]] = {
    "input": {"buffer": {"type": "read-only-storage"}},
    "output": {"buffer": {"type": "storage"}},
    "uniform": {"buffer": {"type": "uniform"}},
    "texture": {"texture": {"sample_type": "float", "view_dimension": "2d"}},
    "sampler": {"sampler": {"type": "filtering"}},
}


@dataclass(frozen=True)
class Binding:
    """A resource: `kind` is input, output, uniform (buffers with these bytes), texture or sampler."""

    group: int
    number: int
    kind: str
    data: bytes = b""
    seed: int = 0  # textures of different seeds hold different pictures


class Canvas:
    """A device to draw with.

    Args:
        device: a `wgpu.GPUDevice`; the validator has one.
    """

    def __init__(self, device: Any) -> None:
        self._device = device
        self._wgpu: Any = importlib.import_module("wgpu")
        self._screen = device.create_shader_module(code=_SCREEN)
        self.output = b""  # what the last drawing wrote to the binding of kind output

    def draw(self, module: str, entry: str, side: int, bindings: Sequence[Binding]) -> NDArray[np.float32]:
        """Run a fragment shader for `side` x `side` pixels and return their colors, [side * side, 4].

        Raises:
            wgpu.GPUError: the module does not compile, or does not fit its bindings.
        """
        shader = self._device.create_shader_module(code=module)
        layouts, groups, buffers = self._bind(bindings)
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
        render.set_pipeline(pipeline)
        for number, group in enumerate(groups):
            render.set_bind_group(number, group)
        render.draw(3)
        render.end()
        queue = self._device.queue
        queue.submit([encoder.finish()])
        for buffer in buffers:
            self.output = bytes(queue.read_buffer(buffer))
        rows = {"bytes_per_row": side * 16, "rows_per_image": side}
        pixels = queue.read_texture({"texture": picture}, rows, size)
        return np.frombuffer(pixels, np.float32).reshape(side * side, 4)

    def _bind(self, bindings: Sequence[Binding]) -> tuple[list[Any], list[Any], list[Any]]:
        """Layouts and groups, numbered from 0 without a gap, and the buffers to read back."""
        layouts, groups, outputs = [], [], []
        visible = self._wgpu.ShaderStage.FRAGMENT
        for number in range(1 + max((b.group for b in bindings), default=-1)):
            own = [b for b in bindings if b.group == number]
            rows = [{"binding": b.number, "visibility": visible, **_LAYOUTS[b.kind]} for b in own]
            layouts.append(self._device.create_bind_group_layout(entries=rows))
            entries = []
            for b in own:
                resource = self._resource(b)
                entries.append({"binding": b.number, "resource": resource})
                if b.kind == "output":
                    outputs.append(resource["buffer"])
            groups.append(self._device.create_bind_group(layout=layouts[-1], entries=entries))
        return layouts, groups, outputs

    def _resource(self, binding: Binding) -> Any:
        if binding.kind == "texture":
            return self._texture(binding.seed).create_view()
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
