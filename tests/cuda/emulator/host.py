"""Numba's CUDA kernels on the host: what numba-cuda compiles for the GPU, translated for the processor, and launched.

Types, constants, unrolled loops, intrinsics and numba-cuda's own launcher are those of a device; only its last call,
of the driver, leads here. A kernel's LLVM code is compiled for the host with the GPU's registers and barriers in
`fibers.c`, and functions of libdevice in the C library. What the assembler, caches and many threads at once do to a
kernel is not to be seen here.
"""

import ctypes
import functools
import re
import shutil
import subprocess
import tempfile
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import llvmlite.binding as llvm

__all__ = ["COMPILER", "install"]

COMPILER = shutil.which("cc") or shutil.which("gcc")
REGISTERS = {"tid": "thread", "ctaid": "block", "ntid": "threads", "nctaid": "blocks"}
BITS = {"float": ctypes.c_float, "double": ctypes.c_double}

TENSOR_CORES = {"cvt.rna.tf32.f32": "gpu_rounded", "mma.sync.aligned.m16n8k8": "gpu_multiplied"}


@functools.cache
def twins():
    """LLVM's code of what kernels have in PTX; a lane's ten numbers go to `fibers.c` through memory."""
    kinds, lines = ["i32"] * 6 + ["float"] * 4, []
    for i, kind in enumerate(kinds):
        lines += [f"  %p{i} = getelementptr float, ptr %cells, i64 {i}", f"  store {kind} %v{i}, ptr %p{i}"]
    lines += ["  call void @gpu_multiply(ptr %cells)"]
    for i in range(4):
        given = "undef" if i == 0 else f"%r{i - 1}"
        lines += [f"  %s{i} = load float, ptr %p{6 + i}"]
        lines += [f"  %r{i} = insertvalue {{ float, float, float, float }} {given}, float %s{i}, {i}"]
    passed = ", ".join(f"{kind} %v{i}" for i, kind in enumerate(kinds))
    return "\n".join(
        ["", "declare i32 @gpu_rounded(float)", "declare void @gpu_multiply(ptr)",
         f"define internal {{ float, float, float, float }} @gpu_multiplied({passed}) {{",
         "  %cells = alloca [10 x float]", *lines, "  ret { float, float, float, float } %r3", "}", ""]
    )  # fmt: skip


@functools.cache
def fibers():
    """The library of `fibers.c`."""
    folder = Path(tempfile.mkdtemp(prefix="minigrad-fibers-"))
    source, library = Path(__file__).with_name("fibers.c"), folder / "fibers.so"
    subprocess.run([COMPILER, "-O1", "-shared", "-fPIC", source, "-o", library, "-lm"], check=True)
    loaded = ctypes.CDLL(str(library))
    shutil.rmtree(folder)
    for register, name in REGISTERS.items():
        for axis in "xyz":
            place = ctypes.cast(getattr(loaded, f"{name}_{axis}"), ctypes.c_void_p).value
            llvm.add_symbol(f"gpu_{register}_{axis}", place)
    for function in "barrier", "rounded", "multiply":
        llvm.add_symbol(f"gpu_{function}", ctypes.cast(getattr(loaded, function), ctypes.c_void_p).value)
    return loaded


def machine():
    """The host as a target of LLVM, new for every use, for engines own theirs."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    fibers()
    return llvm.Target.from_default_triple().create_target_machine(opt=2, reloc="pic", codemodel="small")


def for_host(text):
    """A module of the GPU's LLVM code, with the host's names for registers and barriers."""
    text = re.sub(r'target (triple|datalayout) = "[^"]*"\n', "", text)
    text = re.sub(r"llvm\.nvvm\.read\.ptx\.sreg\.(\w+)\.([xyz])", r"gpu_\1_\2", text)
    text = text.replace("llvm.nvvm.barrier0", "gpu_barrier").replace("!nvvm.annotations", "!of_the_gpu")
    text = re.sub(r" addrspace\(\d\)", "", text).replace("addrspacecast", "bitcast")
    text = re.sub(r"(?m)^@\"(_ZN08NumbaEnv|llvm.used).*$", "", text)
    for start, twin in TENSOR_CORES.items():
        text = re.sub(rf'asm +(sideeffect +)?"{re.escape(start)}[^"]*", "[^"]*"', f"@{twin}", text)
    unknown = set(re.findall(r"llvm\.nvvm\.[\w.]+|asm +(?:sideeffect +)?\".*?\"", text))
    assert not unknown, f"the emulator knows nothing of {unknown}"
    return llvm.parse_assembly(text + twins())


class Entry:
    """A kernel that can be called on the host."""

    def __init__(self, name, texts):
        module = for_host(texts[0])
        for text in texts[1:]:
            module.link_in(for_host(text))
        types = [str(argument.type) for argument in module.get_function(name).arguments]
        lines = [f'declare void @"{name}"({", ".join(types)})', "define void @gpu_entry(ptr %slots) {"]
        for i, kind in enumerate(types):
            lines += [f"  %p{i} = getelementptr i64, ptr %slots, i64 {i}", f"  %v{i} = load {kind}, ptr %p{i}"]
        passed = ", ".join(f"{kind} %v{i}" for i, kind in enumerate(types))
        module.link_in(llvm.parse_assembly("\n".join([*lines, f'  call void @"{name}"({passed})', "  ret void", "}"])))
        self.shared = [g.name for g in module.global_variables if "_cudapy_smem" in g.name]
        sizes = [
            re.search(r"\[(\d+) x (\w+)\]", str(module.get_global_variable(n).global_value_type)) for n in self.shared
        ]
        self._link_math(module)
        module.triple, module.data_layout = machine().triple, str(machine().target_data)
        module.verify()
        target = machine()
        options = llvm.create_pipeline_tuning_options(speed_level=1)
        builder = llvm.create_pass_builder(target, options)
        builder.getModulePassManager().run(module, builder)
        self.engine = llvm.create_mcjit_compiler(module, machine())
        self.engine.finalize_object()
        self.address = self.engine.get_function_address("gpu_entry")
        self.sizes = [int(found[1]) * {"float": 4, "double": 8}.get(found[2], 0) for found in sizes]

    @staticmethod
    def _link_math(module):
        mathematics = ctypes.CDLL("libm.so.6")
        for function in module.functions:
            if function.is_declaration and function.name.startswith("__nv_"):
                found = getattr(mathematics, function.name[5:])
                llvm.add_symbol(function.name, ctypes.cast(found, ctypes.c_void_p).value)

    def __call__(self, grid, threads, args):
        slots = (ctypes.c_uint64 * max(1, len(args)))()
        for i, value in enumerate(args):
            value = ctypes.c_uint64(value) if isinstance(value, int) else value
            ctypes.memmove(ctypes.addressof(slots) + 8 * i, ctypes.addressof(value), ctypes.sizeof(value))
        places = [self.engine.get_global_value_address(name) for name in self.shared]
        count = len(places)
        failed = fibers().launch(
            ctypes.c_void_p(self.address), slots, (ctypes.c_int * 3)(*grid), threads, count,
            (ctypes.c_void_p * max(1, count))(*places), (ctypes.c_int64 * max(1, count))(*self.sizes),
        )  # fmt: skip
        if failed:
            raise RuntimeError("some threads of a block wait at a barrier, the others ended")


def install(queue):
    """Let numba-cuda's launches lead here; `queue` carries out a call."""
    from numba.cuda import api, dispatcher
    from numba.cuda.codegen import CUDACodeLibrary
    from numba.cuda.cudadrv import driver

    chosen = SimpleNamespace(compute_capability=(9, 0))

    def loaded(library):
        if not hasattr(library, "on_host"):
            entry = Entry(library._entry_name, library.llvm_strs)
            library.on_host = SimpleNamespace(kernel=entry, module=SimpleNamespace(initialized=True))
        return library.on_host

    def launch(stream, config, kernel, *args):
        assert isinstance(stream, Stream)
        assert all(1 <= blocks <= most for blocks, most in zip(config.grid, (2**31 - 1, 65535, 65535)))
        assert all(isinstance(arg, int | ctypes._SimpleCData) for arg in args)
        queue(lambda: kernel(config.grid, config.block[0], args))

    dispatcher.get_current_device = import_module("numba.cuda").get_current_device = lambda: chosen
    dispatcher.LaunchConfig, dispatcher.launch = SimpleNamespace, launch
    driver._to_core_stream = lambda stream: stream
    CUDACodeLibrary.get_asm_str = lambda library, cc=None: ""
    CUDACodeLibrary.get_cufunc = loaded
    api.external_stream = import_module("numba.cuda").external_stream = Stream


class Stream:
    """A stream by its address."""

    def __init__(self, address):
        self.address = address
