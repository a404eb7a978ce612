n=no; n="${n}t as on the hardware"
mkdir -p own/debian/python3-own/usr/lib/python3/dist-packages/own; touch own/debian/python3-own/usr/lib/python3/dist-packages/own/__init__.py
printf 'int PyInit_x(void) { return 0; }\n' >x.c; gcc -shared -fPIC -o own/debian/python3-own/usr/lib/python3/dist-packages/own/x.so x.c
printf '#!/usr/bin/env python3\n' >own/debian/python3-own/usr/lib/python3/dist-packages/own/run.py
printf 'Source: own\nBuild-Depends: python3-all, dh-python\n\nPackage: python3-own\nArchitecture: any\nDepends: ${python3:Depends}\nDescription: own\n own\n' >own/debian/control
printf 'own (1) unstable; urgency=low\n\n  * x\n\n -- A <a@b.c>  Mon, 01 Jan 2024 00:00:00 +0000\n' >own/debian/changelog
q 'dh_python3' 'cd own; eval "$(dpkg-architecture -s)"; dh_python3; echo $?; find debian -type f | sort; cat debian/*.substvars debian/*.debhelper; head -1 debian/python3-own/usr/lib/python3/dist-packages/own/run.py'
q 'py3versions' 'cd own; for o in -d -r -s -i -vr "-r debian/control"; do py3versions $o; echo $?; done; ! grep -F /usr/bin/py3versions /dev/.twins.log/choices 2>/dev/null || echo "$n"'
mkdir -p made/debian; printf 'Source: made\nBuild-Depends: python3-all-dev, dh-python\n\nPackage: python3-made\nArchitecture: any\nDescription: made\n made\n' >made/debian/control
printf 'made (1) unstable; urgency=low\n\n  * x\n\n -- A <a@b.c>  Mon, 01 Jan 2024 00:00:00 +0000\n' >made/debian/changelog
printf '#include <Python.h>\nstatic struct PyModuleDef made = { PyModuleDef_HEAD_INIT, "made" };\nPyMODINIT_FUNC PyInit_made(void) { return PyModule_Create(&made); }\n' >made/made.c
printf 'from setuptools import setup, Extension\nsetup(name="made", version="1", ext_modules=[Extension("made", ["made.c"])], py_modules=["plain", "test_made"], scripts=["run"])\n' >made/setup.py
printf 'import sysconfig\nprint(sysconfig.get_platform(), sysconfig.get_config_var("EXT_SUFFIX"))\n' >made/plain.py
printf '#!/usr/bin/python3\nimport plain\n' >made/run
printf 'import unittest, platform\nimport made\nclass T(unittest.TestCase):\n    def test(self):\n        print(platform.machine(), made.__file__.rpartition("/")[2])\n' >made/test_made.py
q 'pybuild' 'cd made; export LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH=1700000000 PYBUILD_NAME=made PYBUILD_SYSTEM=distutils DESTDIR=; eval "$(dpkg-architecture -s)"; for step in clean configure build test install; do pybuild --$step -i "python{version}" -p "$(py3versions -vr)" --dest-dir debian/python3-made; echo $?; done; find debian -type f | sort | xargs sha256sum; ! grep -F /usr/bin/pybuild /dev/.twins.log/choices 2>/dev/null || echo "$n"; PYTHONPATH=$(echo debian/python3-made/usr/lib/python3*/dist-packages) debian/python3-made/usr/bin/run' | sed 's/ in [0-9.]*s$//'
mkdir gi; cat >gi/thing.h <<'X'
#include <glib-object.h>
#define THING_LIMIT 3000000000
#define THING_RATE 0.1
#define THING_TYPE_BOX (thing_box_get_type ())
G_DECLARE_FINAL_TYPE (ThingBox, thing_box, THING, BOX, GObject)
typedef enum { THING_SMALL, THING_LARGE = 1 << 4 } ThingSize;
typedef struct { char c; gint64 large; double real; gsize size; void *data[3]; } ThingPlain;
ThingBox *thing_box_new (const char *name);
gboolean thing_box_hold (ThingBox *self, ThingPlain *plain, gsize n, GError **error);
X
cat >gi/thing.c <<'X'
#include "thing.h"
struct _ThingBox { GObject parent; };
enum { PROP_NONE, PROP_WIDE };
G_DEFINE_TYPE (ThingBox, thing_box, G_TYPE_OBJECT)
static void get (GObject *o, guint id, GValue *v, GParamSpec *s) { g_value_set_double (v, 0.1); }
static void thing_box_class_init (ThingBoxClass *c) {
  G_OBJECT_CLASS (c)->get_property = get;
  g_object_class_install_property (G_OBJECT_CLASS (c), PROP_WIDE, g_param_spec_double ("wide", "Wide", "How", 0, 1e300, 0.1, G_PARAM_READABLE));
  g_signal_new ("held", G_TYPE_FROM_CLASS (c), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_LONG);
}
static void thing_box_init (ThingBox *b) { }
/**
 * thing_box_new:
 * @name: (nullable): what
 *
 * Returns: (transfer full): one
 */
ThingBox *thing_box_new (const char *name) { return g_object_new (THING_TYPE_BOX, NULL); }
/**
 * thing_box_hold:
 * @plain: (array length=n): some
 * @n: how many
 */
gboolean thing_box_hold (ThingBox *self, ThingPlain *plain, gsize n, GError **error) { return n > sizeof (long); }
X
q 'g-ir-scanner' 'cd gi; gcc -shared -fPIC -o libthing.so thing.c $(pkg-config --cflags --libs gobject-2.0); scan() { LD_LIBRARY_PATH=. "$@" -n Thing --nsversion=1.0 --warn-all --include=GObject-2.0 --pkg=gobject-2.0 -L. --library=thing -o Thing-1.0.gir thing.h thing.c; echo $?; sha256sum Thing-1.0.gir; }; scan g-ir-scanner; cat Thing-1.0.gir; scan "$(dpkg-architecture -qDEB_HOST_GNU_TYPE)-g-ir-scanner"; g-ir-compiler Thing-1.0.gir -o Thing.typelib; sha256sum Thing.typelib; g-ir-scanner -n Bad thing.h -o bad.gir --nowhere; echo $?; ! grep -F g-ir- /dev/.twins.log/choices 2>/dev/null || echo "$n"; /usr/bin/python3 -c "import sys; sys.path.append(\"/usr/lib/$(gcc -print-multiarch)/gobject-introspection\"); import giscanner._giscanner as g; print(g.__file__)"' | sed 's/tmp-introspect[a-z0-9_]*/tmp/g'
mkdir docs; cat >docs/conf.py <<'X'
import importlib.machinery, os, platform, site, sys, sysconfig
sys.path.insert(0, os.path.abspath("."))
import _ctypes, ctypes, markupsafe._speedups, plain
if os.environ.get("LIBRARY"):
    print(ctypes.CDLL(os.environ["LIBRARY"]).abs(-3))
if os.environ.get("MODULE"):
    sys.path.insert(0, "../made")
    print(__import__(os.environ["MODULE"]).__file__)
print(platform.machine(), platform.libc_ver(), sysconfig.get_config_var("EXT_SUFFIX"), importlib.machinery.EXTENSION_SUFFIXES)
print(_ctypes.__file__, _ctypes.__spec__.origin, markupsafe._speedups.__file__, sys.path, sys.executable, sys.argv, sys.orig_argv)
print(site.USER_BASE, site.USER_SITE, site.ENABLE_USER_SITE, sys.implementation, sorted(os.environ), sorted(name for name in sys.modules if "twin" in name))
project, author, extensions, html_theme = "Some", "A", ["sphinx.ext.autodoc", "sphinx.ext.viewcode"], "basic"
man_pages = [("index", "some", "things", ["A"], 1)]
X
printf 'def tell(size: float = 0.1) -> int:\n    """Tells *it*.\n\n    :param size: how large\n    """\n    return 1\n' >docs/plain.py
printf 'Some\n====\n\n.. automodule:: plain\n   :members:\n\n.. code-block:: c\n\n   int x = 3;\n\nA |x| of ``y`` [1]_, see :py:func:`plain.tell`.\n\n.. |x| replace:: ü\n.. [1] Note.\n.. toctree::\n' >docs/index.rst
q 'sphinx-build' 'cd docs; export SOURCE_DATE_EPOCH=1700000000 LC_ALL=C.UTF-8; made() { find $1 -name .doctrees -prune -o -type f -print | sort | xargs sha256sum; }; sphinx-build -b html . out; made out; PYTHONPATH=../made python3 -m sphinx -q -b text . again; made again; ! grep -e sphinx /dev/.twins.log/choices 2>/dev/null || echo "$n"'
q 'sphinx-build with a module of its own' 'cd docs; export SOURCE_DATE_EPOCH=1700000000 LC_ALL=C.UTF-8; cp ../made/.pybuild/*/build/made.*.so ../made/; MODULE=made sphinx-build -E -b man . own; sha256sum own/some.1; LIBRARY=libc.so.6 sphinx-build -E -b man . lib; sha256sum lib/some.1' | grep -v '^Running Sphinx'
printf 'cdef double half(double x) nogil:\n    return x * 0.1\ncdef class C:\n    cdef public long n\n    def f(self, *, a=1e300): return [half(i) for i in range(self.n)]\n' >c.pyx
q 'cython' 'cython --version; cython -3 c.pyx; sha256sum c.c; cython -3 --cplus -a c.pyx; sha256sum c.cpp; echo "cdef x y z" >bad.pyx; cython -3 bad.pyx; echo $?; ! grep -F cython /dev/.twins.log/choices 2>/dev/null || echo "$n"'
cat >gen.py <<'X'
import hashlib, math, os, platform, struct, sys, sysconfig, zlib
print(sys.argv, sys.orig_argv, sys.executable, sys.flags, sys.path, os.uname().machine, platform.platform(), sorted(os.environ))
print(sys.version, platform.architecture(), hashlib.sha256(repr(sorted(sysconfig.get_config_vars().items(), key=str)).encode()).hexdigest())
print([f(i / 7) for i in range(1, 40) for f in (math.exp, math.sin, math.lgamma, math.tanh)], [1.1 ** i for i in range(20)], 2 ** 0.5)
print(zlib.crc32(zlib.compress(bytes(range(256)) * 100)), struct.pack("llPn", 1, 2, 3, 4), sys.byteorder, sys.hash_info, os.listdir("/dev/fd"))
with open("made.h", "w") as out:
    out.write("\n".join("#define X%d %r" % (i, math.sin(i)) for i in range(100)))
X
printf 'import sys\nprint(sys.stdin.readline())\nfor line in sys.stdin: print("rest", line)\nprint(sys.stdin, sys.stdin.buffer, sys.stdin.errors, sys.stdin.newlines, sys.__stdin__ is sys.stdin, sys.stdin.isatty())\n' >in.py
printf 'import math, sys\nprint("once")\nprint(math.erf(0.3), sys.argv, sys.stdin.read())\n' >restart.py
printf 'import math, multiprocessing as m\ndef f(x): return math.sin(x)\nif __name__ == "__main__":\n    with m.Pool(2) as p: print(p.map(f, range(5)))\n' >pool.py
q 'scripts of its own' 'python3 gen.py a b; sha256sum made.h; python3 -B -u gen.py; python3 -c "import sys; print(sys.argv, sys.orig_argv)" x y; python3 pool.py; printf "a\nb\r\nc" >in; python3 in.py <in; python3 in.py <&-; cat in | python3 in.py; ! grep -F -e gen.py -e in.py -e pool.py /dev/.twins.log/choices 2>/dev/null || echo "$n"; python3 -V; python3 - a <gen.py; python3 -E -c "print(1)"'
q 'a script that starts anew' 'echo q | python3 restart.py; (head -c 1 >/dev/null; python3 restart.py) <in; mkdir m; echo "x = 1" >m/own.py; sed "1i import own" restart.py >m/run.py; python3 m/run.py 1; ls m/__pycache__; [ ! -d /dev/.twins ] || [ "$(grep -c math.erf /dev/.twins.log/choices)" = 3 ] || echo "$n"; cat /dev/.twins.log/failed 2>/dev/null'
q 'a Python of an environment of its own' 'cd made; python3 -m venv --without-pip --system-site-packages ../venv; ../venv/bin/python3 setup.py build -q --build-base ../other; echo $?; find ../other -type f | sort; [ ! -d /dev/.twins ] || grep -qF venv/bin/python3 /dev/.twins.log/choices || echo "$n"'
