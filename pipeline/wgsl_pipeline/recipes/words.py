"""Names and numbers for the holes of recipes."""

from __future__ import annotations

import random
import re
from decimal import Decimal

from wgsl_infer.slots import float_literal
from wgsl_infer.wgsl_words import RESERVED, is_predeclared, is_swizzle

# names whose type a reader would guess, by that type; the rest are made of the words below.
TYPED = {
    "f32": """
        x y z w t s k d r h f g u height width speed intensity alpha theta phi dist depth roughness metallic
        shininess time brightness exposure gain weight mask noise val threshold density mass energy strength
        opacity phase freq amp temperature pressure cosTheta ndotl n_dot_l fogAmount fog_start maxDist
        max_height sunHeight blend_factor edge0 edge1 lo hi lum luma progress duration delta dt elapsed lifetime
        age spread zoom progressPct gloss ior eta f0 bias
    """,
    "vec3<f32>": """
        v a b c n l p q e i pos dir lightDir viewDir light_dir view_dir rayDir velocity vel acceleration
        bitangent target_pos cameraPos camera_pos worldPos world_pos hitPoint hit_point albedo baseColor
        base_color tint emissive fogColor fog_color lightColor light_color N L V H wo wi wind focus half_vec
    """,
    "vec2<f32>": """
        uv st p q coord coords texCoord tex_coord mouse grid_pos screenPos screen_pos delta ndc fragCoord uv0
        uv1 jitter
    """,
    "vec4<f32>": """
        clipPos clip_pos texel src dst pixelColor srcColor dst_color outColor quat vertexColor tangent4 c0 c1
    """,
    "i32": """
        i j k n step_count lives score col idx delta
    """,
    "u32": """
        i j n mask flags idx id counter key tile_id lane
    """,
    "bool": """
        done visible isLit is_front found active_flag ok ready shadowed debug_mode
    """,
    "mat4x4<f32>": """
        m viewProj view_proj mvp modelMatrix proj bone inv_view
    """,
    "mat3x3<f32>": """
        m tbn normalMatrix normal_matrix rot uv_transform
    """,
    "texture": """
        tex albedoMap albedo_tex noiseTex heightMap height_map normalMap shadowMap shadow_map colorTex lut
        depthTex envMap sky_tex diffuseTexture baseMap screen_tex frameTex mask_tex atlas cubemap
    """,
    "sampler": """
        samp s linearSampler linear_sampler mySampler texSampler tex_sampler smp nearest_samp pointSampler
        clampSampler
    """,
    "atomic": """
        counter cursor visits locks winners votes nextSlot next_free pixelCount hit_count tickets sumBits
    """,
    "array": """
        samples weights heights scores lightList prices kernelWeights
    """,
    "mat2x2<f32>": """
        m rot R basis2 spin
    """,
}
_FIRST = """
    light base fog wind wave sun moon cloud water grass stone metal glass fire ice snow sand leaf tree rock hair
    skin cloth shadow ambient diffuse specular rim edge inner outer left right top bottom front back near far
    old new next prev last first second third current target_ start end min max avg total local world view clip
    screen pixel texel tile cell grid block layer frame particle bullet enemy player camera lens mirror ray beam
    spark dust smoke steam rain river ocean shore hill valley crater orbit planet star nebula comet audio bass
    treble drum beat pitch tempo signal filter_ kernel_ bucket bin queue stack node link joint bone wheel gear
    spring rope chain anchor sensor motor robot drone soil moisture salary price budget invoice harvest apple
    lemon cherry pepper honey bread coffee turtle otter falcon badger lantern window mountain meadow thunder
    velvet copper marble paper pencil guitar violin engine bridge tunnel ladder basket candle
""".split()
_SECOND = """
    color dir direction pos position normal offset scale factor amount weight value level depth height width
    size radius speed rate gain bias mask map coord index count sum delta step phase angle axis force mass
    energy strength power glow fade blend mix ratio share score limit bound range span length distance area
    volume density noise seed term part coeff curve slope peak decay spread falloff threshold tint shade tone
    hue point vector quantity
""".split()
# plain words that make a name without meaning anything in a request; "normal", "base" or "light" would
_SINGLE = """
    acceleration albedo alpha anchor apple avg badger basket bass beat bias bitangent bone bread bridge
    brightness bucket budget bullet candle cherry cloth coeff coffee comet coord copper counter crater cubemap
    cursor decay delta density depth dir dist done drone drum duration dust emissive enemy energy engine
    exposure falcon fire flags freq gain gear gloss glow grass guitar hair harvest height hill honey hue ice
    intensity invoice joint ladder lantern lemon link luma marble mask mass meadow metal metallic moisture motor
    mountain ndotl nebula noise ocean opacity otter pencil pepper phase pitch player pos prev price progress
    proj quantity queue rain river robot rock rope roughness salary samples sand score sensor shade shininess
    shore smoke snow soil spark speed spin spread star steam stone strength tempo texel theta threshold thunder
    time tint treble turtle valley velocity velvet violin visible weight weights width wind zoom
""".split()
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def name(draw: random.Random, full: str, taken: set[str]) -> str:
    """A name for an operand of this type that is not yet taken."""
    family = full if full in TYPED else re.split(r"[<_]", full)[0]
    while True:
        usual = family in TYPED and draw.random() < 0.6
        found = draw.choice(_POOLS[family]) if usual else made_name(draw)
        if found not in taken and is_free(found):
            return found


def is_free(word: str) -> bool:
    """Whether WGSL lets a word be a name, and nobody would take it for a swizzle."""
    return not is_predeclared(word) and word not in RESERVED and not (len(word) > 1 and is_swizzle(word))


_POOLS = {full: words.split() for full, words in TYPED.items()}


def made_name(draw: random.Random) -> str:
    """A name of one or two words in any case style, now and then with a digit behind, or of a letter or two."""
    style = draw.random()
    if style < 0.1:
        return draw.choice(_LETTERS) + draw.choice(["", "0", "1", "2", draw.choice(_LETTERS)])
    first, second = draw.choice(_FIRST).rstrip("_"), draw.choice(_SECOND)
    if style < 0.3:
        found = draw.choice(_SINGLE)
    elif style < 0.6:
        found = first + second.capitalize()
    elif style < 0.88:
        found = f"{first}_{second}"
    elif style < 0.92:
        found = first.capitalize() + second.capitalize()
    elif style < 0.95:
        found = f"{first}_{second}".upper()
    else:
        found = draw.choice([f"u_{second}", f"{first}{second}", f"_{second}", f"v_{second}"])
    return found + draw.choice("0123") if draw.random() < 0.08 else found


def function_name(draw: random.Random) -> str:
    """A name for a function."""
    verb = draw.choice("calc compute get make apply eval do find to sample shade blend my".split())
    second = draw.choice(_SECOND)
    return draw.choice([f"{verb}_{second}", verb + second.capitalize(), made_name(draw), made_name(draw)])


def struct_name(draw: random.Random) -> str:
    """A name for a type, in PascalCase."""
    return draw.choice(_FIRST).strip("_").capitalize() + draw.choice(["", "", draw.choice(_SECOND).capitalize()])


_UNITS = "0.1 0.2 0.25 0.3 0.4 0.5 0.6 0.7 0.75 0.8 0.9 0.05 0.01 0.15 0.35 0.02 0.85 0.95 0.33 0.65".split()
_WORDS = {"1": "one", "2": "two", "3": "three", "4": "four"}


def unit(draw: random.Random) -> tuple[str, str]:
    """A number between 0 and 1, as people write it and as a float literal."""
    text = draw.choice(_UNITS) if draw.random() < 0.6 else f"{draw.uniform(0.001, 0.999):.{draw.choice([2, 2, 3])}f}"
    return said_float(draw, text)


def positive(draw: random.Random) -> tuple[str, str]:
    """A number above 0."""
    kind = draw.random()
    if kind < 0.4:
        text = str(draw.choice([1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20, 32, 50, 64, 100, draw.randint(5, 900)]))
    elif kind < 0.65:
        return unit(draw)
    else:
        text = f"{draw.uniform(0.1, draw.choice([3, 10, 100])):.{draw.choice([1, 1, 2, 3])}f}"
        text = text if float(text) else "1.5"
    return said_float(draw, text)


def number(draw: random.Random) -> tuple[str, str]:
    """Any number, now and then below 0."""
    text, code = positive(draw)
    return (f"-{text}", f"-{code}") if text[0] in "0123456789." and draw.random() < 0.07 else (text, code)


def said_float(draw: random.Random, text: str) -> tuple[str, str]:
    """How people write a number, and its float literal."""
    code = float_literal(Decimal(text))
    if text in _WORDS and draw.random() < 0.25:
        return _WORDS[text], code
    if text.startswith("0.") and draw.random() < 0.12:
        return text[1:], code
    if "." not in text and draw.random() < 0.12:
        return f"{text}.0", code
    return text, code


def small_integer(draw: random.Random) -> tuple[str, str]:
    """A whole number below the 32 bits of an integer, for shifts and bit numbers."""
    text = str(draw.randint(1, 31))
    return (_WORDS[text] if text in _WORDS and draw.random() < 0.25 else text), text


def integer(draw: random.Random) -> tuple[str, str]:
    """A whole number, as people write it and in digits."""
    text = str(draw.choice([1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32, 64, 100, 128, 256, draw.randint(5, 2000)]))
    return (_WORDS[text] if text in _WORDS and draw.random() < 0.25 else text), text


def hex_digits(draw: random.Random, digits: int) -> str:
    """A hex color as people write it."""
    text = "".join(draw.choice("0123456789abcdef") for _ in range(digits))
    said = text.upper() if draw.random() < 0.3 else text
    return draw.choice(["#", "#", "#", "#", "0x" if digits == 6 else "#"]) + said
