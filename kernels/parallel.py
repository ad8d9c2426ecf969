"""A parallel loop that costs next to nothing to compile.

Numba's `prange` compiles every loop body several times over. `parallel_for` hands a compiled task straight to the
thread pool that Numba keeps: the machine code exists once, serial and parallel runs share it, and a thread that is done
takes the next task, so that uneven tasks and busy cores cost little. Entry points that use it are made by
`jit.pool_jit`. `call` is for those that have one task alone.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils, compiler
from numba.core.codegen import JITCodeLibrary
from numba.extending import intrinsic

from .jit import TILED

__all__ = ["call", "parallel_for"]

_BYTES, _INT = ir.IntType(8).as_pointer(), ir.IntType(64)


@intrinsic
def parallel_for(typingctx, count, parallel, task, arguments):
    """Call task(i, *arguments) for i in range(count): over the thread pool if `parallel`, else in the calling thread.

    `task` is a function made by `jit` that returns nothing, `arguments` a tuple. Tasks may run in any order and at the
    same time, so they must write to different places.
    """
    signature = types.void(types.int64, types.boolean, task, arguments)

    def codegen(context, builder, signature, args):
        count, parallel, _, values = args
        worker, shared_type = _worker(context, builder.module, task.dispatcher, arguments)
        shared = cgutils.alloca_once(builder, shared_type)
        for field, value in enumerate((_INT(0), count, values)):
            builder.store(value, builder.gep(shared, [ir.IntType(32)(0), ir.IntType(32)(field)]))
        threads = builder.call(
            cgutils.get_or_insert_function(builder.module, ir.FunctionType(_INT, []), "get_num_threads"), []
        )
        # The pool calls the worker once for each of its `dimensions[0]` items: here one for every thread.
        dimensions = cgutils.alloca_once_value(builder, threads)
        steps = cgutils.alloca_once_value(builder, _INT(0))
        arrays = cgutils.alloca_once_value(builder, ir.Constant(_BYTES, None))
        shared = builder.bitcast(shared, _BYTES)
        run = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [_BYTES] * 5 + [_INT] * 3), "numba_parallel_for"
        )
        several = builder.and_(parallel, builder.icmp_signed(">", threads, _INT(1)))
        with builder.if_else(several) as (pool, alone):
            with pool:
                pointers = [builder.bitcast(value, _BYTES) for value in (worker, arrays, dimensions, steps)]
                builder.call(run, [*pointers, shared, _INT(0), _INT(1), threads])
            with alone:
                builder.call(worker, [arrays, dimensions, steps, shared])
        return context.get_dummy_value()

    return signature, codegen


def _worker(context, module, dispatcher, arguments):
    """(function, type of what it shares): takes tasks from the shared counter until none is left."""
    task, signature = _linked(context, dispatcher, (types.int64, *arguments.types))
    shared_type = ir.LiteralStructType([_INT, _INT, context.get_value_type(arguments)])
    pointer = _INT.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [_BYTES.as_pointer(), pointer, pointer, _BYTES])
    function = ir.Function(module, kind, module.get_unique_name(f"worker_{dispatcher.py_func.__name__}"))
    function.linkage = "internal"
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    shared = builder.bitcast(function.args[3], shared_type.as_pointer())
    taken, count, values = (
        builder.gep(shared, [ir.IntType(32)(0), ir.IntType(32)(field)]) for field in range(3)
    )  # fmt: skip
    count, values = builder.load(count), cgutils.unpack_tuple(builder, builder.load(values))
    take, work, done = (function.append_basic_block(name) for name in ("take", "work", "done"))
    builder.branch(take)
    builder.position_at_end(take)
    index = builder.atomic_rmw("add", taken, _INT(1), "monotonic")
    builder.cbranch(builder.icmp_signed("<", index, count), work, done)
    builder.position_at_end(work)
    context.call_internal_no_propagate(builder, task, signature, [index, *values])
    builder.branch(take)
    builder.position_at_end(done)
    builder.ret_void()
    return function, shared_type


@intrinsic
def call(typingctx, function, arguments):
    """Call function(*arguments), made by `jit`, which returns nothing: it is compiled with the calling kernel alone."""
    signature = types.void(function, arguments)

    def codegen(context, builder, signature, args):
        code, own = _linked(context, function.dispatcher, arguments.types)
        context.call_internal_no_propagate(builder, code, own, cgutils.unpack_tuple(builder, args[1]))
        return context.get_dummy_value()

    return signature, codegen


class _Code(JITCodeLibrary):
    """LLVM code that others link in, of which no machine code is made."""

    def __init__(self, codegen, function):
        super().__init__(codegen, function.py_func.__name__)
        self._tiled = function in TILED

    def _optimize_final_module(self):
        if not self._tiled:
            super()._optimize_final_module()

    def _finalize_final_module(self):
        self._finalized = True


def _linked(context, dispatcher, arguments):
    """(descriptor, signature) of a function that returns nothing, whose LLVM code is linked to the caller's.

    Numba would make machine code of it, too, which nobody runs: that of the caller contains it.
    """
    flags, library = compiler.Flags(), _Code(context.codegen(), dispatcher)
    dispatcher.targetdescr.options.parse_as_flags(flags, dispatcher.targetoptions)
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    signature = types.none(*map(types.unliteral, arguments))
    code = compiler.compile_internal(
        context.typing_context, context, library, dispatcher.py_func, signature.args, signature.return_type, flags, {}
    )
    context.active_code_library.add_linking_library(library)
    return code.fndesc, signature
