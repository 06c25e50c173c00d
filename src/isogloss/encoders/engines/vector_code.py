"""Writing of small vector programs as LLVM IR, and their compilation for the processor at hand.

For the few inner loops that no library has: vectors of 16 numbers and tiles of AMX, which Python compilers do not know.
llvmlite comes with Numba; a program of a page compiles in a third of a second.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import llvmlite.ir as ir  # type: ignore[import-untyped]

LANES = 16
"""Numbers of 32 bits in a vector."""

POINTER, VOID = ir.PointerType(), ir.VoidType()
I8, I16, I32, I64, F32 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()


class _BFloat(ir.HalfType):  # type: ignore[misc]
    """The type that llvmlite has no name for: float32 without its lower 16 bits."""

    def __str__(self) -> str:
        return "bfloat"


_BFloat._create_instance()
FLOATS, WORDS, SHORTS = ir.VectorType(F32, LANES), ir.VectorType(I32, LANES), ir.VectorType(I16, 2 * LANES)
_HALVES, _HALF_BITS = ir.VectorType(_BFloat(), LANES), ir.VectorType(I16, LANES)
_EXP2_TERMS = [math.log(2) ** k / math.factorial(k) for k in range(5)]
"""Taylor's series of 2^x: off by 4e-5 of the value within ±1/2, a fiftieth of bfloat16's own rounding."""


def number(value: int) -> Any:
    """Return a constant of 64 bits."""
    return ir.Constant(I64, value)


@dataclass(slots=True)
class Code:
    """A function under construction.

    Attributes
    ----------
    module
        LLVM's module.
    build
        llvmlite's builder, at the place where the next instruction goes.
    """

    module: Any
    build: Any

    @contextmanager
    def loop(self, stop: Any, step: int = 1, carry: Sequence[Any] = ()) -> Iterator[tuple[Any, list[Any], list[Any]]]:
        """Write a loop from 0 up to ``stop``.

        Yields
        ------
        counter, carried, following
            The counter; the values of ``carry`` at the start of a pass (after the loop: at its end); the list that the
            body fills with their values for the next pass.
        """
        b = self.build
        before, names = b.block, ("head", "body", "done")
        head, body, done = (b.function.append_basic_block(name) for name in names)
        b.branch(head)
        b.position_at_end(head)
        counter = b.phi(I64)
        counter.add_incoming(number(0), before)
        carried = [b.phi(value.type) for value in carry]
        for phi, value in zip(carried, carry, strict=True):
            phi.add_incoming(value, before)
        b.cbranch(b.icmp_signed("<", counter, stop), body, done)
        b.position_at_end(body)
        following: list[Any] = []
        yield counter, carried, following
        counter.add_incoming(b.add(counter, number(step)), b.block)
        for phi, value in zip(carried, following, strict=True):
            phi.add_incoming(value, b.block)
        b.branch(head)
        b.position_at_end(done)

    def at(self, pointer: Any, offset: Any) -> Any:
        """Return the address ``offset`` bytes behind ``pointer``."""
        return self.build.gep(pointer, [number(offset) if isinstance(offset, int) else offset], source_etype=I8)

    def times(self, value: Any, factor: int) -> Any:
        """Return a 64-bit value times a constant."""
        return self.build.mul(value, number(factor))

    def smaller(self, x: Any, y: Any) -> Any:
        """Return the smaller of two 64-bit values."""
        return self.build.select(self.build.icmp_signed("<", x, y), x, y)

    def larger(self, x: Any, y: Any) -> Any:
        """Return the larger of the floats in each lane."""
        return self.build.select(self.build.fcmp_ordered(">", x, y), x, y)

    def load(self, pointer: Any, kind: Any) -> Any:
        """Read a value from any address."""
        value = self.build.load(pointer, typ=kind)
        value.align = 1
        return value

    def store(self, value: Any, pointer: Any) -> None:
        """Write a value to any address."""
        self.build.store(value, pointer).align = 1

    def call(self, name: str, kind: Any, *arguments: Any) -> Any:
        """Call one of LLVM's own functions."""
        known = self.module.globals.get(name)
        if known is None:
            known = ir.Function(self.module, ir.FunctionType(kind, [one.type for one in arguments]), name)
        return self.build.call(known, arguments)

    def tile(self, name: str, *arguments: Any) -> None:
        """Write one of AMX' instructions; plain integers are numbers of tiles."""
        values = [ir.Constant(I8, one) if isinstance(one, int) else one for one in arguments]
        self.call("llvm.x86." + name, VOID, *values)

    def shuffle(self, x: Any, y: Any, lanes: Sequence[int]) -> Any:
        """Return the lanes of two vectors that ``lanes`` names, those of ``y`` behind those of ``x``."""
        return self.build.shuffle_vector(x, y, ir.Constant(ir.VectorType(I32, len(lanes)), list(lanes)))

    def interleave(self, x: Any, y: Any, start: int) -> Any:
        """Return 16 numbers of 16 bits of each, from ``start`` on, in turn: x, y, x, y ..."""
        behind = x.type.count
        return self.shuffle(x, y, [start + (i >> 1) + behind * (i & 1) for i in range(2 * LANES)])

    def transpose(self, rows: Sequence[Any]) -> list[Any]:
        """Return the columns of 16 vectors of 16 numbers of 32 bits, by swapping ever smaller blocks."""
        found = list(rows)
        for size in (8, 4, 2, 1):
            upper = [lane if not lane & size else LANES + (lane ^ size) for lane in range(LANES)]
            lower = [lane | size if not lane & size else LANES + lane for lane in range(LANES)]
            for i in range(LANES):
                if not i & size:
                    x, y = found[i], found[i | size]
                    found[i], found[i | size] = self.shuffle(x, y, upper), self.shuffle(x, y, lower)
        return found

    def exp2(self, x: Any) -> Any:
        """Return two to the power of each lane."""
        whole = self.call("llvm.rint.v16f32", FLOATS, x)
        rest = self.build.fsub(x, whole)
        value = same(_EXP2_TERMS[-1])
        for term in _EXP2_TERMS[-2::-1]:
            value = self.call("llvm.fma.v16f32", FLOATS, value, rest, same(term))
        every, rounding = ir.Constant(I16, -1), ir.Constant(I32, 4)
        return self.call("llvm.x86.avx512.mask.scalef.ps.512", FLOATS, value, whole, same(0.0), every, rounding)

    def halve(self, x: Any) -> Any:
        """Round 16 floats to bfloat16; the result is their bits."""
        return self.build.bitcast(self.build.fptrunc(x, _HALVES), _HALF_BITS)


def same(value: float) -> Any:
    """Return a vector of one number."""
    return ir.Constant(FLOATS, [value] * LANES)


def begin(name: str, kinds: Sequence[Any]) -> Code:
    """Return the code of a new function without result, with arguments of these kinds (``build.function.args``)."""
    module = ir.Module(name)
    module.triple = llvm.get_process_triple()
    function = ir.Function(module, ir.FunctionType(VOID, kinds), name)
    return Code(module, ir.IRBuilder(function.append_basic_block("entry")))


def compiled(code: Code, kinds: Sequence[Any]) -> Any:
    """Compile a finished function for this processor; calls let other Python threads run.

    Parameters
    ----------
    code
        Its code; the function returns behind the last instruction.
    kinds
        Of its arguments, from ``ctypes``.
    """
    code.build.ret_void()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(str(code.module))
    module.verify()
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple().create_target_machine(llvm.get_host_cpu_name(), features, opt=3)
    passes = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=2))
    passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, target)
    engine.finalize_object()
    function = ctypes.CFUNCTYPE(None, *kinds)(engine.get_function_address(code.build.function.name))
    function.owner = engine  # type: ignore[attr-defined]  # the machine code lives as long as the engine
    return function
