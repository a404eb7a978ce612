"""Runs first in a twin of Python, by a line of a .pth file in a site-packages folder of its own.

Python has the names of extension modules compiled in, with the machine in them, and a module for another machine cannot be
loaded. So they are found here by the names that the target's have, and what is loaded is the file of this machine's package.
Where there is none (the build has made the module, or no rule names its package), or where ctypes is to load a library,
the emulated Python takes the place of this process and starts anew.
"""

import _frozen_importlib as bootstrap
import _frozen_importlib_external as external
import _imp
import os
import site
import sys

OWN, TARGET, PREFIX = "@own@", "@target@", "@prefix@"
MODULES = "@modules@"


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


def load_those_of_this_machine():
    process, environment = os.getpid(), dict(os.environ)
    folder = os.open(".", os.O_PATH | os.O_CLOEXEC)
    modules = {}

    def emulate(reason):
        if os.getpid() != process:
            # A process that was forked cannot start anew, and what it was to do must not be left out.
            # The build's failure names the twins, and so is theirs: it is tried again without.
            os.write(2, f"{PREFIX}: {reason}, and a process that was forked cannot start anew\n".encode())
            os.kill(process, 9)
            os._exit(1)
        os.fchdir(folder)
        os.execve(sys.executable, sys.orig_argv, {**environment, "ARCHMILL_EMULATE": reason})

    def twin(path):
        if not modules:
            modules.update(known_modules())
        for name in (path, os.path.realpath(path)):
            status = os.stat(name)
            if modules.get(name) == (status.st_size, int(status.st_mtime)):
                return PREFIX + name.replace(TARGET, OWN)
        return None

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
        if module.__name__ == "_ctypes":
            load = module.dlopen

            def dlopen(name, *flags):
                if name is not None:
                    emulate(f"ctypes loads {name}")
                return load(name, *flags)

            module.dlopen = dlopen

    external.ExtensionFileLoader.create_module = create_module
    external.ExtensionFileLoader.exec_module = exec_module


leave_no_trace()
take_names_of_target()
load_those_of_this_machine()
