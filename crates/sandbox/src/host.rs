//! What may be wrong with a host that refuses, and how to mend it.

use std::fs;

/// The settings that are known to forbid user namespaces.
#[derive(Debug, Default, Clone)]
pub(crate) struct NamespaceSettings {
    /// `user.max_user_namespaces` (namespaces(7)); empty if it cannot be read.
    pub(crate) max_user_namespaces: String,
    /// `kernel.unprivileged_userns_clone`, of Debian's kernels.
    pub(crate) unprivileged_userns_clone: String,
    /// `kernel.apparmor_restrict_unprivileged_userns`, of Ubuntu's kernels and newer AppArmor.
    pub(crate) apparmor_restrict: String,
    /// Whether the asker is root.
    pub(crate) root: bool,
}

impl NamespaceSettings {
    /// Those of this host.
    pub(crate) fn read() -> Self {
        let setting = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        Self {
            max_user_namespaces: setting("/proc/sys/user/max_user_namespaces"),
            unprivileged_userns_clone: setting("/proc/sys/kernel/unprivileged_userns_clone"),
            apparmor_restrict: setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            root: rustix::process::geteuid().is_root(),
        }
    }

    /// What to do.
    pub(crate) fn advice(&self) -> &'static str {
        if self.max_user_namespaces == "0" {
            "as root run: sysctl user.max_user_namespaces=10000 (and put that line into /etc/sysctl.d/ to keep it)"
        } else if self.unprivileged_userns_clone == "0" && !self.root {
            "as root run: sysctl kernel.unprivileged_userns_clone=1 (and put that line into /etc/sysctl.d/ to keep it)"
        } else if self.apparmor_restrict == "1" && !self.root {
            "AppArmor forbids it; as root run: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or give archmill an AppArmor profile with the line `userns,`"
        } else {
            "in a container, allow the unshare and mount system calls (for podman or docker: --security-opt seccomp=unconfined --cap-add SYS_ADMIN); else the kernel may lack CONFIG_USER_NS"
        }
    }
}

/// Advice for this host.
pub(crate) fn namespace_advice() -> &'static str {
    NamespaceSettings::read().advice()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_that_forbids_is_the_one_that_is_named() {
        let none = NamespaceSettings::default();
        let zero = NamespaceSettings { max_user_namespaces: "0".into(), ..none.clone() };
        let debian = NamespaceSettings { unprivileged_userns_clone: "0".into(), ..none.clone() };
        let ubuntu = NamespaceSettings { apparmor_restrict: "1".into(), ..none.clone() };
        let root = NamespaceSettings { root: true, ..ubuntu.clone() };
        assert!(zero.advice().contains("sysctl user.max_user_namespaces=10000"));
        assert!(debian.advice().contains("sysctl kernel.unprivileged_userns_clone=1"));
        assert!(ubuntu.advice().contains("AppArmor"));
        assert!(root.advice().contains("seccomp=unconfined"), "the setting does not bind root");
        assert!(none.advice().contains("seccomp=unconfined"));
    }
}
