//! Which kernel this is: some features cannot be probed without side effects.

/// Major and minor number of a Linux release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelVersion(pub u32, pub u32);

/// binfmt_misc has an instance for each user namespace since then.
pub(crate) const BINFMT_PER_NAMESPACE: KernelVersion = KernelVersion(6, 7);
/// RLIMIT_NPROC counts for each user namespace since then.
pub(crate) const NPROC_PER_NAMESPACE: KernelVersion = KernelVersion(5, 14);
/// overlayfs may be mounted in a user namespace since then.
pub(crate) const OVERLAY_IN_NAMESPACE: KernelVersion = KernelVersion(5, 11);
/// overlayfs takes its layers one by one (`lowerdir+`) since then.
pub(crate) const OVERLAY_LAYERS: KernelVersion = KernelVersion(6, 5);

impl KernelVersion {
    /// Reads a release as uname(2) gives it, such as `6.1.0-18-amd64`.
    pub fn parse(release: &str) -> Option<Self> {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit());
        Some(Self(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }

    /// Of the running kernel; one that gives no number is taken for a new one.
    pub fn running() -> Self {
        let uname = rustix::system::uname();
        Self::parse(&uname.release().to_string_lossy()).unwrap_or(Self(u32::MAX, 0))
    }
}

impl std::fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_of_distributions_are_read() {
        // bookworm, trixie, a release candidate, a cloud's kernel, a kernel of RHEL 9
        let releases = [
            ("6.1.0-18-amd64", KernelVersion(6, 1)),
            ("6.12.48+deb13-amd64", KernelVersion(6, 12)),
            ("6.7-rc3", KernelVersion(6, 7)),
            ("6.18.44-fc-v657", KernelVersion(6, 18)),
            ("5.14.0-427.el9.x86_64", KernelVersion(5, 14)),
        ];
        for (release, version) in releases {
            assert_eq!(KernelVersion::parse(release), Some(version), "{release}");
        }
        assert_eq!(KernelVersion::parse("nonsense"), None);
    }

    #[test]
    fn minor_numbers_are_compared_as_numbers() {
        assert!(KernelVersion(6, 10) > BINFMT_PER_NAMESPACE);
        assert!(KernelVersion(6, 1) < BINFMT_PER_NAMESPACE);
        assert!(KernelVersion(5, 19) < BINFMT_PER_NAMESPACE);
    }
}
