"""The words of WGSL itself: keywords, predeclared types, values and functions (specification of 2026-08)."""

from __future__ import annotations

import re

KEYWORDS = frozenset(
    """
    alias break case const const_assert continue continuing default diagnostic discard else enable false fn for
    if let loop override requires return struct switch true var while
    """.split()
)

# types that take no template list, and those that do
PLAIN_TYPES = frozenset(
    """
    bool f16 f32 i32 u32 sampler sampler_comparison texture_depth_2d texture_depth_2d_array texture_depth_cube
    texture_depth_cube_array texture_depth_multisampled_2d texture_external
    """.split()
)

GENERATORS = frozenset(
    """
    array atomic ptr vec2 vec3 vec4 mat2x2 mat2x3 mat2x4 mat3x2 mat3x3 mat3x4 mat4x2 mat4x3 mat4x4 texture_1d
    texture_2d texture_2d_array texture_3d texture_cube texture_cube_array texture_multisampled_2d
    texture_storage_1d texture_storage_2d texture_storage_2d_array texture_storage_3d
    """.split()
)

TYPES = PLAIN_TYPES | GENERATORS

ACCESS_MODES = frozenset("read write read_write".split())
ADDRESS_SPACES = frozenset("function private workgroup uniform storage".split())
ENUMERANTS = ACCESS_MODES | ADDRESS_SPACES

# attributes that stand alone, and those with arguments
MARKS = frozenset("compute fragment invariant must_use vertex".split())
ATTRIBUTES = frozenset(
    """
    align binding blend_src builtin diagnostic group id interpolate location size workgroup_size
    """.split()
)

BUILTIN_VALUES = frozenset(
    """
    vertex_index instance_index position front_facing frag_depth sample_index sample_mask local_invocation_id
    local_invocation_index global_invocation_id workgroup_id num_workgroups subgroup_invocation_id subgroup_size
    """.split()
)

FUNCTIONS = frozenset(
    """
    bitcast all any select arrayLength abs acos acosh asin asinh atan atanh atan2 ceil clamp cos cosh
    countLeadingZeros countOneBits countTrailingZeros cross degrees determinant distance dot dot4U8Packed
    dot4I8Packed exp exp2 extractBits faceForward firstLeadingBit firstTrailingBit floor fma fract frexp
    insertBits inverseSqrt ldexp length log log2 max min mix modf normalize pow quantizeToF16 radians reflect
    refract reverseBits round saturate sign sin sinh smoothstep sqrt step tan tanh transpose trunc dpdx
    dpdxCoarse dpdxFine dpdy dpdyCoarse dpdyFine fwidth fwidthCoarse fwidthFine textureDimensions textureGather
    textureGatherCompare textureLoad textureNumLayers textureNumLevels textureNumSamples textureSample
    textureSampleBias textureSampleCompare textureSampleCompareLevel textureSampleGrad textureSampleLevel
    textureSampleBaseClampToEdge textureStore atomicLoad atomicStore atomicAdd atomicSub atomicMax atomicMin
    atomicAnd atomicOr atomicXor atomicExchange atomicCompareExchangeWeak pack4x8snorm pack4x8unorm pack4xI8
    pack4xU8 pack4xI8Clamp pack4xU8Clamp pack2x16snorm pack2x16unorm pack2x16float unpack4x8snorm unpack4x8unorm
    unpack4xI8 unpack4xU8 unpack2x16snorm unpack2x16unorm unpack2x16float storageBarrier textureBarrier
    workgroupBarrier workgroupUniformLoad subgroupAdd subgroupExclusiveAdd subgroupInclusiveAdd subgroupAll
    subgroupAnd subgroupAny subgroupBallot subgroupBroadcast subgroupBroadcastFirst subgroupElect subgroupMax
    subgroupMin subgroupMul subgroupExclusiveMul subgroupInclusiveMul subgroupOr subgroupShuffle
    subgroupShuffleDown subgroupShuffleUp subgroupShuffleXor subgroupXor quadBroadcast quadSwapDiagonal
    quadSwapX quadSwapY bufferView bufferArrayView bufferLength
    """.split()
)

# words that WGSL keeps for later, never valid as names
RESERVED = frozenset(
    """
    NULL Self abstract active alignas alignof as asm asm_fragment async attribute auto await become cast catch class
    co_await co_return co_yield coherent column_major common compile compile_fragment concept const_cast consteval
    constexpr constinit crate debugger decltype delete demote demote_to_helper do dynamic_cast enum explicit export
    extends extern external fallthrough filter final finally friend from fxgroup get goto groupshared highp impl
    implements import inline instanceof interface layout lowp macro macro_rules match mediump meta mod module move
    mut mutable namespace new nil noexcept noinline nointerpolation non_coherent noncoherent noperspective null
    nullptr of operator package packoffset partition pass patch pixelfragment precise precision premerge priv
    protected pub public readonly ref regardless register reinterpret_cast require resource restrict self set shared
    sizeof smooth snorm static static_assert static_cast std subroutine super target template this thread_local
    throw trait try type typedef typeid typename typeof union unless unorm unsafe unsized use using varying virtual
    volatile wgsl where with writeonly yield
    """.split()
)

_TEXEL_FORMAT = re.compile(r"(?:rgba|bgra|rgb|rg|r)[0-9a-z]*(?:unorm|snorm|uint|sint|float)\Z")
_SHORT_TYPE = re.compile(r"(?:vec[234][iufh]|mat[234]x[234][fh])\Z")
_SWIZZLE = re.compile(r"(?:[xyzw]{1,4}|[rgba]{1,4})\Z")


def is_predeclared(word: str) -> bool:
    """Whether the language gives this word a meaning, so that a program using it need not declare it."""
    return (
        word in KEYWORDS
        or word in TYPES
        or word in FUNCTIONS
        or word in ENUMERANTS
        or word in ATTRIBUTES
        or word in MARKS
        or word in BUILTIN_VALUES
        or _TEXEL_FORMAT.match(word) is not None
    )


def is_short_type(word: str) -> bool:
    """Whether the word is a predeclared alias such as `vec3f`."""
    return _SHORT_TYPE.match(word) is not None


def is_swizzle(word: str) -> bool:
    """Whether the word can select components of a vector."""
    return _SWIZZLE.match(word) is not None
