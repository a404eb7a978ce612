n=no; n="${n}t as on the hardware"
# None of them may have been emulated.
all_twins() { [ ! -e /dev/.twins/table ] || ! grep -E "/(protoc|swig|re2c|valac|wayland|zip|unzip|rsync|glib-compile|moc|uic|rcc|qdbus|python3)" /dev/.twins.log/choices || echo "$n"; }
cat >thing.h <<'X'
#include <QObject>
#define ARRAY 3
class Thing : public QObject {
    Q_OBJECT
    Q_PROPERTY(int size READ size NOTIFY changed)
    Q_PROPERTY(QString name MEMBER name)
    Q_CLASSINFO("Author", "nobody")
public:
    enum Kind { Small, Large = 1 << 4, Sum = Small | Large };
    Q_ENUM(Kind)
    int size() const;
    QString name;
    double sizes[ARRAY];
public slots:
    void grow(int by, const QList<QMap<QString, long long>> &how = {});
    unsigned long long zed();
    void alpha(); void beta(); void gamma();
signals:
    void changed();
    void other(double value, void *pointer);
};
X
cat >form.ui <<'X'
<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0"><class>Form</class><widget class="QWidget" name="Form">
 <property name="geometry"><rect><x>0</x><y>0</y><width>400</width><height>300</height></rect></property>
 <property name="windowOpacity"><double>0.1234567890123</double></property>
 <layout class="QVBoxLayout"><item><widget class="QLabel" name="label"><property name="text"><string>Grüße</string></property></widget></item>
 <item><widget class="QPushButton" name="push"/></item><item><widget class="QComboBox" name="combo"/></item></layout></widget>
 <customwidgets><customwidget><class>Own</class><extends>QWidget</extends><header>own.h</header></customwidget></customwidgets>
 <connections><connection><sender>push</sender><signal>clicked()</signal><receiver>Form</receiver><slot>close()</slot></connection></connections></ui>
X
for number in 1 2 3 4 5 6 7 8 9; do seq 300 | head -n $((number * 30)) >"file$number.txt"; done
{ echo '<RCC><qresource prefix="/a">'; for number in 5 3 9 1 2 8 4 7 6; do echo "<file alias=\"n$number\">file$number.txt</file>"; done; echo '</qresource></RCC>'; } >some.qrc
touch -d 2020-01-01 file*.txt some.qrc
cat >face.xml <<'X'
<node><interface name="org.example.Face"><method name="Ask"><arg type="s" direction="in" name="what"/><arg type="s" direction="out"/></method>
<signal name="Told"><arg type="t"/></signal><property name="Size" type="i" access="read"/></interface></node>
X
for qt in qt5/bin qt6/libexec; do
    q "$qt moc" "/usr/lib/$qt/moc -DGIVEN=1 -I. thing.h; /usr/lib/$qt/moc --version; all_twins"
    q "$qt uic" "/usr/lib/$qt/uic form.ui; /usr/lib/$qt/uic -g python form.ui; echo x >bad.ui; /usr/lib/$qt/uic bad.ui; all_twins"
    q "$qt rcc" "/usr/lib/$qt/rcc --name some some.qrc; /usr/lib/$qt/rcc --binary some.qrc -o - | sha256sum; /usr/lib/$qt/rcc --list some.qrc; /usr/lib/$qt/rcc nowhere.qrc; all_twins"
done
q 'qdbusxml2cpp' '/usr/lib/qt6/bin/qdbusxml2cpp -p - face.xml; /usr/lib/qt5/bin/qdbusxml2cpp -a - face.xml; all_twins'
cat >some.proto <<'X'
syntax = "proto2";
package some;
message Some {
  enum Kind { SMALL = 0; LARGE = -5; }
  required int32 number = 1 [default = -7];
  optional double real = 2 [default = 1.1e-17];
  optional float small = 7 [default = 3.4028234e38];
  optional bytes text = 3 [default = "\xff\0x"];
  repeated Some more = 4;
  oneof one { Kind kind = 5; string name = 6; }
  map<string, int64> table = 8;
  extensions 100 to 199;
}
X
q 'protoc' 'mkdir -p p; protoc --cpp_out=p --python_out=p --java_out=p --descriptor_set_out=p/set some.proto; find p -type f | sort | xargs sha256sum; echo "number: 4 real: 0.1" | protoc --encode=some.Some some.proto | sha256sum; protoc --version; echo "message {" >bad.proto; protoc --cpp_out=p bad.proto; all_twins'
cat >some.i <<'X'
%module some
%{
struct Pair { int a; double b; };
%}
%include "std_string.i"
struct Pair { int a; double b; Pair(int a = 3, double b = 1e-3); };
%constant unsigned long LARGE = 0xffffffffUL;
std::string joined(const std::string &a, size_t count = sizeof(long));
X
q 'swig' 'swig -version | grep -v "^Compiled"; for for in python perl5 ruby tcl; do swig -c++ -$for -o some_$for.cxx some.i; sha256sum some_$for.cxx; done; swig -swiglib; all_twins'
q 're2c' 'printf "/*!re2c re2c:yyfill:enable = 0; re2c:define:YYCTYPE = char; [a-z]+[0-9]{1,3} { return 1; } \"x\"|[^a] { return 2; } * { return 0; } */\n" >r.re; re2c --no-generation-date r.re; re2c --no-generation-date -gs r.re | sha256sum; all_twins'
q 'valac' 'printf "class Some.Thing : Object { public int size { get; set; default = 3; } public signal void told (string s); public async int wait (double d = 1.5) throws Error { return 1; } }\nvoid main () { var t = new Some.Thing (); foreach (var x in new int[] { 1, 2 }) print (\"%%d\", x + t.size); }\n" >v.vala; valac -C -H v.h --vapi=v.vapi --gir=V-1.0.gir --library=v v.vala; sha256sum v.c v.h v.vapi V-1.0.gir; valac --version; echo "int f () { return x; }" >w.vala; valac -C w.vala; all_twins'
q 'wayland-scanner' 'printf "<protocol name=\"p\"><interface name=\"i\" version=\"2\"><request name=\"r\"><arg name=\"a\" type=\"new_id\" interface=\"i\"/></request><event name=\"e\" since=\"2\"><arg name=\"f\" type=\"fixed\"/></event><enum name=\"n\" bitfield=\"true\"><entry name=\"x\" value=\"0x1\"/></enum></interface></protocol>" >p.xml; for what in client-header server-header private-code public-code; do wayland-scanner $what <p.xml; done; all_twins'
q 'glib-compile-schemas' 'mkdir -p s; printf "<schemalist><schema id=\"org.a\" path=\"/org/a/\"><key name=\"d\" type=\"d\"><default>0.1</default></key><key name=\"z\" type=\"as\"><default>[\\"x\\"]</default></key><key name=\"n\" type=\"x\"><range min=\"-5\" max=\"9\"/><default>1</default></key></schema></schemalist>" >s/a.gschema.xml; glib-compile-schemas s; sha256sum s/gschemas.compiled; echo x >s/b.gschema.xml; glib-compile-schemas --strict s; all_twins'
q 'glib-compile-resources' '{ echo "<gresources><gresource prefix=\"/a\">"; for number in 5 3 9 1; do echo "<file compressed=\"true\">file$number.txt</file>"; done; echo "<file preprocess=\"xml-stripblanks\">form.ui</file></gresource></gresources>"; } >r.xml; glib-compile-resources --target=r.gresource r.xml; glib-compile-resources --generate-source --target=r.c r.xml; sha256sum r.gresource r.c; glib-compile-resources --generate-dependencies r.xml; all_twins'
q 'zip' 'rm -f a.zip; zip -X -9 a.zip file*.txt; sha256sum a.zip; unzip -v a.zip; mkdir -p u; unzip -o -d u a.zip; rsync -a u/ w/ && diff -r u w && rsync -ani --delete u/ w/; all_twins'
q 'desktop-file-validate' 'printf "[Desktop Entry]\nType=Application\nName=x\nExec=y %%f\nMimeType=text/plain;\nWrong=1\n" >x.desktop; desktop-file-validate x.desktop; mkdir -p d; desktop-file-install --dir=d --set-key=Icon --set-value=z x.desktop; cat d/x.desktop; update-desktop-database d; cat d/mimeinfo.cache'
mkdir doc; cat >doc/some.h <<'X'
typedef struct _Some Some;
/** SomeKind: @SOME_A: the first @SOME_B: the other. A kind. */
typedef enum { SOME_A, SOME_B = 1 << 3 } SomeKind;
#define SOME_SIZE 3
Some *some_new (int size, const char *name);
void some_free (Some *some);
X
cat >doc/some.c <<'X'
/**
 * SECTION:some
 * @short_description: some things
 *
 * Of #Some and some_new(): a list of
 *
 * - one `code`
 * - two |[<!-- language="C" --> int x = some_new (1, NULL); ]|
 */
/**
 * some_new: (constructor)
 * @size: how large, %SOME_SIZE
 * @name: (nullable): what
 *
 * Makes one.
 *
 * Returns: (transfer full): it, or %NULL
 * Since: 1.0
 */
/** some_free: @some: one. Frees it. Deprecated: 2.0: do not. */
X
q 'gtkdoc' 'cd doc; echo 1.0 >version.xml; gtkdoc-scan --module=some --source-dir=. --rebuild-types --rebuild-sections; mkdir -p xml html; gtkdoc-mkdb --module=some --output-format=xml --source-dir=.; find . -type f | sort | xargs sha256sum; cat xml/some.xml; cat some-undocumented.txt; echo "<html><a href=\"#x\">x</a><div class=\"informalexample\"><pre>int x;</pre></div></html>" >html/a.html; gtkdoc-fixxref --module=some --module-dir=html --html-dir=/usr/share/gtk-doc/html; cat html/a.html; all_twins'
q 'asciidoc' 'printf "= Title\nAuthor <a@b.c>\n:revdate: 2020\n\nText with *bold* and _more_, ü.\n\n== Section\n\n[options=\"header\"]\n|====\n|a|b\n|1|2.5\n|====\n\n----\nint x;\n----\n\n. one\n. two\n" >a.txt; SOURCE_DATE_EPOCH=1 asciidoc -a footer-style=none -b docbook -o - a.txt; SOURCE_DATE_EPOCH=1 asciidoc -b xhtml11 -o - a.txt | grep -v "Last updated" | sha256sum; echo "include::nowhere[]" | asciidoc -o - -; all_twins'
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
q 'sphinx-build' 'cd docs; export SOURCE_DATE_EPOCH=1700000000 LC_ALL=C.UTF-8; made() { find $1 -name .doctrees -prune -o -type f -print | sort | xargs sha256sum; }; for to in html man text; do sphinx-build -b $to . out/$to; made out/$to; done; PYTHONPATH=../made python3 -m sphinx -q -b html . out/again; made out/again; ! grep -e sphinx /dev/.twins.log/choices 2>/dev/null || echo "$n"'
q 'sphinx-build with a module of its own' 'cd docs; export SOURCE_DATE_EPOCH=1700000000 LC_ALL=C.UTF-8; cp ../made/.pybuild/*/build/made.*.so ../made/; MODULE=made sphinx-build -E -b man . own; sha256sum own/some.1; LIBRARY=libc.so.6 sphinx-build -E -b man . lib; sha256sum lib/some.1' | grep -v '^Running Sphinx'
printf 'cdef double half(double x) nogil:\n    return x * 0.1\ncdef class C:\n    cdef public long n\n    def f(self, *, a=1e300): return [half(i) for i in range(self.n)]\n' >c.pyx
q 'cython' 'cython --version; cython -3 c.pyx; sha256sum c.c; cython -3 --cplus -a c.pyx; sha256sum c.cpp; echo "cdef x y z" >bad.pyx; cython -3 bad.pyx; echo $?; ! grep -F cython /dev/.twins.log/choices 2>/dev/null || echo "$n"'
q 'a Python of an environment of its own' 'cd made; python3 -m venv --without-pip --system-site-packages ../venv; ../venv/bin/python3 setup.py build -q --build-base ../other; echo $?; find ../other -type f | sort; [ ! -d /dev/.twins ] || grep -qF venv/bin/python3 /dev/.twins.log/choices || echo "$n"'
