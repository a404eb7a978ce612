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
