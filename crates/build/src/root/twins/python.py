"""Runs first in a twin of Python, by a line of a .pth file in a site-packages folder of its own.

Python has the names of extension modules compiled in, with the machine in them, and a module for another machine cannot be
loaded. So they are found here by the names that the target's have, and what is loaded is the file of this machine's package.
Where there is none (the build has made the module, or no rule names its package), or where ctypes is to load a library,
the emulated Python takes the place of this process and starts anew.

A tool does the same when it is told the same again. A script of the build may not, and so it starts anew only if it has
changed nothing yet; else it ends, and a note says that what was built is not to be trusted.
"""

import _frozen_importlib as bootstrap
import _frozen_importlib_external as external
import _imp
import io
import os
import site
import stat
import sys

OWN, TARGET, PREFIX = "@own@", "@target@", "@prefix@"
MODULES, FAILED = "@modules@", "@failed@"
TOOLS = """@tools@"""

# Functions of the C library that round otherwise than the target's; it has all others in variants that do not.
MATH = ("cbrt", "erf", "erfc", "exp2")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
ACTS = ("os.", "subprocess.", "shutil.", "tempfile.", "fcntl.", "pty.", "socket.bind", "socket.connect", "socket.send")
LOOKS = ("os.chdir", "os.fwalk", "os.getxattr", "os.listdir", "os.listxattr", "os.putenv", "os.scandir", "os.unsetenv", "os.walk")


def leave_no_trace():
    """What told Python of this file is not for the program."""
    folder = os.path.dirname(__file__)
    sys.path[:] = [path for path in sys.path if path != folder]
    del os.environ["PYTHONUSERBASE"]
    site.USER_BASE = site.USER_SITE = None
    if os.path.isdir(site.getusersitepackages()):
        site.addsitedir(site.USER_SITE)


def take_names_of_target():
    suffixes = [suffix.replace(OWN, TARGET) for suffix in _imp.extension_suffixes()]
    _imp.extension_suffixes = lambda: list(suffixes)
    external.EXTENSION_SUFFIXES[:] = suffixes
    sys.implementation._multiarch = TARGET
    finder = external.FileFinder.path_hook(*external._get_supported_file_loaders())
    of_files = [hook for hook in sys.path_hooks if hook.__name__ == finder.__name__]
    sys.path_hooks[:] = [finder if hook in of_files else hook for hook in sys.path_hooks]
    sys.path_importer_cache.clear()


def known_modules():
    """Size and modification time of each module of the root that has a twin."""
    with open(MODULES) as lines:
        rows = [line.rstrip("\n").split(" ", 2) for line in lines]
    return {path: (int(size), int(mtime)) for size, mtime, path in rows}


def is_tool():
    """Whether one of the rules that name a tool let this run."""
    first, second = (sys.orig_argv[1:] + ["", ""])[:2]
    return any(
        first.startswith(rule) if not end else first == start and second.startswith(end)
        for rule in TOOLS.splitlines()
        for start, _, end in [rule.partition(" ")]
    )


def bytes_written():
    """None where the kernel does not say."""
    try:
        with open("/proc/self/io", "rb", 0) as file:
            return int(file.read(1024).split(b"wchar: ")[1].split()[0])
    except (OSError, IndexError, ValueError):
        return None


def watch(start):
    """Gives a function that says what this process has done that it must not do twice, and one that undoes what it has read.
    By `start` it had written so many bytes."""
    done, of_cache = [], 0
    umask = os.umask(0o77)
    os.umask(umask)

    def spoils(event, arguments):
        if done:
            return
        first = arguments[0] if arguments else None
        if isinstance(first, str) and ("__pycache__" in first or first == os.devnull):
            return
        if event == "open":
            if first in (0, "/dev/stdin", "/proc/self/fd/0"):
                done.append("opened its standard input")
            elif arguments[2] & WRITING and not isinstance(first, int):
                done.append(f"opened {first!r} to write")
        elif event.startswith(ACTS) and event not in LOOKS:
            done.append(event)

    write = external._write_atomic

    def write_atomic(*arguments):
        nonlocal of_cache
        before = bytes_written()
        try:
            write(*arguments)
        finally:
            of_cache += (bytes_written() or 0) - (before or 0)

    class FileIO(io.FileIO):
        def read(self, *size):
            done.append("read its standard input")
            return super().read(*size)

        def readall(self):
            done.append("read its standard input")
            return super().readall()

        def readinto(self, buffer):
            done.append("read its standard input")
            return super().readinto(buffer)

    position = None
    try:
        mode = os.fstat(0).st_mode
        if stat.S_ISREG(mode):
            position = os.lseek(0, 0, os.SEEK_CUR)
        elif sys.stdin and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
            old, raw = sys.stdin, FileIO(0, closefd=False)
            raw.name = old.name
            text = io.TextIOWrapper(io.BufferedReader(raw), old.encoding, old.errors, "\n", old.line_buffering)
            text.mode = old.mode
            sys.stdin = sys.__stdin__ = text
    except OSError:
        pass

    def what():
        if done:
            return done[0]
        written = bytes_written()
        if written is None:
            return "nobody knows what it wrote"
        return "wrote" if written - start != of_cache else None

    def undo():
        os.umask(umask)
        if position is not None:
            os.lseek(0, position, os.SEEK_SET)

    external._write_atomic = write_atomic
    sys.addaudithook(spoils)
    return what, undo


def place():
    """Gives a function that goes back to the folder of now, and says whether that worked. No descriptor: programs see those."""
    status = os.stat(".")
    try:
        path = os.getcwd()
    except OSError:
        path = "."

    def go():
        try:
            os.chdir(path)
            return os.path.samestat(os.stat("."), status)
        except OSError:
            return False

    return go


def load_those_of_this_machine():
    process, environment = os.getpid(), dict(os.environ)
    modules, return_to_start = {}, place()
    what_was_done, undo = lambda: None, lambda: None
    if not is_tool():
        start = bytes_written()
        if start is None:
            os.execve(sys.executable, sys.orig_argv, {**environment, "ARCHMILL_EMULATE": "/proc/self/io, which cannot be read"})
        what_was_done, undo = watch(start)

    def fail(reason):
        # Something may have been left out, and the build may not heed that this process failed.
        text = f"{PREFIX}: {reason}\n".encode()
        with open(FAILED, "ab", 0) as note:
            note.write(text)
        os.write(2, text)
        os.kill(process, 9)
        os._exit(1)

    def emulate(reason):
        if os.getpid() != process:
            fail(f"{reason}, and a process that was forked cannot start anew")
        if done := what_was_done():
            fail(f"{reason}, and {' '.join(sys.orig_argv)[:200]!r} cannot start anew: {done}")
        undo()
        if not return_to_start():
            fail(f"{reason}, and where {' '.join(sys.orig_argv)[:200]!r} was started is no more")
        os.execve(sys.executable, sys.orig_argv, {**environment, "ARCHMILL_EMULATE": reason})

    def twin(path):
        if not modules:
            modules.update(known_modules())
        for name in (path, os.path.realpath(path)):
            status = os.stat(name)
            if modules.get(name) == (status.st_size, int(status.st_mtime)):
                return PREFIX + name.replace(TARGET, OWN)
        return None

    def guard(module):
        if module.__name__ == "_ctypes":
            load = module.dlopen

            def dlopen(name, *flags):
                if name is not None:
                    emulate(f"ctypes loads {name}")
                return load(name, *flags)

            module.dlopen = dlopen
        if module.__name__ == "math":
            for name in MATH:
                if hasattr(module, name):
                    setattr(module, name, lambda *_, name=name: emulate(f"math.{name}"))

    def create_module(self, spec):
        path = twin(spec.origin)
        if path is None:
            emulate(f"{spec.origin} has no twin")
        own = bootstrap.ModuleSpec(spec.name, self, origin=path)
        module = bootstrap._call_with_frames_removed(_imp.create_dynamic, own)
        if getattr(module, "__file__", None) == path:
            module.__file__ = spec.origin
        return module

    def exec_module(self, module):
        bootstrap._call_with_frames_removed(_imp.exec_dynamic, module)
        guard(module)

    exec_builtin = bootstrap.BuiltinImporter.exec_module

    def exec_builtin_module(module):
        exec_builtin(module)
        guard(module)

    external.ExtensionFileLoader.create_module = create_module
    external.ExtensionFileLoader.exec_module = exec_module
    bootstrap.BuiltinImporter.exec_module = staticmethod(exec_builtin_module)


leave_no_trace()
take_names_of_target()
load_those_of_this_machine()
