//! Libraries that programs load before the C library, for what that of the target does otherwise.

use std::path::{Path, PathBuf};

use archmill_emulate::twins::Twin;

use super::super::elf;
use super::machine::{MACHINES, Machine};
use super::rules::means;
use super::{Layer, place};

/// Such a library.
struct Preloaded {
    /// Programs of a twin that want it.
    programs: fn(&Twin) -> &[String],
    name: &'static str,
    /// For a target whose long double has so many bits; no bytes if there is none.
    bytes: fn(u8) -> &'static [u8],
    machine: &'static Machine,
    /// What of the target's a program would be without, for messages.
    gives: &'static str,
}

const LIBRARIES: [Preloaded; 2] = [
    Preloaded {
        programs: |twin| &twin.long_double,
        name: archmill_longdouble::NAME,
        bytes: archmill_longdouble::library,
        machine: &MACHINES[0],
        gives: "long double",
    },
    Preloaded {
        programs: |twin| &twin.obstack,
        name: archmill_obstack::NAME,
        bytes: archmill_obstack::library,
        machine: &MACHINES[1],
        gives: "obstack(3)",
    },
];

/// What decides how the libraries that twins want are, for the name of a folder of twins.
pub fn preloaded(twins: &[Twin], long_double: u8) -> Vec<&'static [u8]> {
    let wanted =
        LIBRARIES.iter().filter(|library| twins.iter().any(|twin| !(library.programs)(twin).is_empty()));
    wanted.map(|library| (library.bytes)(long_double)).collect()
}

impl Layer<'_> {
    /// Has a program load what gives it the target's long double, or obstacks, where a rule wants that.
    pub(super) fn preload(&mut self, bytes: &mut [u8], path: &Path) -> Result<bool, String> {
        let mut changed = false;
        for library in &LIBRARIES {
            let wants = |twin: &&(Twin, PathBuf)| {
                (library.programs)(&twin.0).iter().any(|pattern| means(pattern, path))
            };
            let Some((twin, _)) = self.args.twins.iter().find(wants) else { continue };
            let content = (library.bytes)(self.args.long_double);
            let is_for_it = self.machine.arch == library.machine.arch;
            if content.is_empty() || !is_for_it || !elf::need_first(bytes, library.name) {
                let reason =
                    format!("{} of the twin cannot be given the target's {}", path.display(), library.gives);
                self.unfit.insert(twin.package.clone(), reason);
                continue;
            }
            let to = Path::new(self.machine.libraries).join(library.name);
            self.parents(&to)?;
            let to = self.args.folder.join(to);
            if !to.exists() {
                place(&self.pooled(content, 0o644)?, &to)?;
            }
            changed = true;
        }
        Ok(changed)
    }
}
