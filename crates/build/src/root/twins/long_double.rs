//! Programs that read and print long double: that of the target has other bits than this machine's.

use std::path::{Path, PathBuf};

use archmill_emulate::twins::Twin;

use super::super::elf;
use super::machine::MACHINES;
use super::rules::means;
use super::{Layer, place};

impl Layer<'_> {
    /// Has a program that reads and prints long double load what gives it the target's.
    pub(super) fn long_double(&mut self, bytes: &mut [u8], path: &Path) -> Result<bool, String> {
        let wants = |twin: &&(Twin, PathBuf)| twin.0.long_double.iter().any(|pattern| means(pattern, path));
        let Some((twin, _)) = self.args.twins.iter().find(wants) else { return Ok(false) };
        let library = archmill_longdouble::library(self.args.long_double);
        let is_64_bits = self.machine.arch == MACHINES[0].arch;
        if library.is_empty() || !is_64_bits || !elf::need_first(bytes, archmill_longdouble::NAME) {
            let reason = format!("{} of the twin cannot be given the target's long double", path.display());
            self.unfit.insert(twin.package.clone(), reason);
            return Ok(false);
        }
        let to = Path::new(self.machine.libraries).join(archmill_longdouble::NAME);
        self.parents(&to)?;
        let to = self.args.folder.join(to);
        if !to.exists() {
            place(&self.pooled(library, 0o644)?, &to)?;
        }
        Ok(true)
    }
}
