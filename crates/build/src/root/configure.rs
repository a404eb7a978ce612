//! The part of installing packages that runs inside the root: preinst scripts and `dpkg --configure`.

use std::path::PathBuf;

use archmill_sandbox::{Command, Exit, LimitKind, Limits, Sandbox, SandboxError, Status};

use super::database;

/// Environment of maintainer scripts, as apt and mmdebstrap give it.
fn environment() -> Vec<(String, String)> {
    [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/root"),
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("LANGUAGE", "C.UTF-8"),
        ("TZ", "UTC"),
        ("TERM", "dumb"),
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("DEBCONF_NONINTERACTIVE_SEEN", "true"),
        // What debconf uses anyway. It looks for a file of the user's first, and before there is an /etc/passwd perl warns
        // of a home that it does not know.
        ("DEBCONF_SYSTEMRC", "/etc/debconf.conf"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// A package whose preinst is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preinst {
    /// Package name.
    pub package: String,
    /// Its architecture.
    pub arch: String,
    /// Its control files, the preinst among them: name, permission bits, content. A preinst may look at the others;
    /// debconf for one loads the templates beside it.
    pub control: Vec<(String, u32, Vec<u8>)>,
}

/// Why packages were not configured.
#[derive(Debug, thiserror::Error)]
pub enum ConfigureError {
    /// The sandbox.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A script or dpkg failed.
    #[error("{what} failed in the build root: {how}; its last lines:\n{tail}")]
    Failed {
        /// What was run.
        what: String,
        /// How it ended.
        how: String,
        /// Its last output.
        tail: String,
    },
    /// dpkg succeeded and yet not all is installed.
    #[error("dpkg left packages that are not installed: {0}")]
    Unfinished(String),
    /// A script or dpkg reached a limit.
    #[error("{what} was {}, in the build root; its last lines:\n{tail}", Status::Limit(*kind))]
    Limit {
        /// What was run.
        what: String,
        /// Which limit.
        kind: LimitKind,
        /// Its last output.
        tail: String,
    },
    /// The user ended it.
    #[error("cancelled")]
    Cancelled,
}

/// Runs what needs to run, with `env` added to the environment, and says what was printed to `output`.
#[derive(Debug)]
pub struct Configurer<'a> {
    /// Where.
    pub sandbox: &'a mut Sandbox,
    /// More environment (the emulator's settings).
    pub env: Vec<(String, String)>,
    /// Limits for each script.
    pub limits: Limits,
    /// Upstream version of the dpkg in the root, which scripts are told.
    pub dpkg_version: String,
}

impl Configurer<'_> {
    /// Runs preinst scripts where dpkg runs them: before the files of the package are there, from its own
    /// folder, with its variables (deb-preinst(5), dpkg(1)).
    pub fn preinst(
        &mut self,
        scripts: &[Preinst],
        output: &mut dyn FnMut(&[u8]),
    ) -> Result<(), ConfigureError> {
        const FOLDER: &str = "/var/lib/dpkg/tmp.ci";
        for preinst in scripts {
            self.sandbox.make_folder(FOLDER, 0o755, (0, 0))?;
            for (name, mode, content) in &preinst.control {
                self.sandbox.write(format!("{FOLDER}/{name}"), content, *mode, (0, 0))?;
            }
            let path = format!("{FOLDER}/preinst");
            let variables = [
                ("DPKG_MAINTSCRIPT_PACKAGE", preinst.package.as_str()),
                ("DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT", "1"),
                ("DPKG_MAINTSCRIPT_ARCH", preinst.arch.as_str()),
                ("DPKG_MAINTSCRIPT_NAME", "preinst"),
                ("DPKG_MAINTSCRIPT_DEBUG", "0"),
                ("DPKG_RUNNING_VERSION", self.dpkg_version.as_str()),
                ("DPKG_ADMINDIR", "/var/lib/dpkg"),
                ("DPKG_ROOT", ""),
            ];
            let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
            self.run(&[&path, "install"], &variables, &format!("preinst of {}", preinst.package), output)?;
            self.sandbox.remove(FOLDER)?;
        }
        Ok(())
    }

    /// Configures essential packages and what they need. Scripts of others count on what these set up (the
    /// defaults of login, for one), so they come first, as debootstrap and mmdebstrap have it.
    pub fn configure_essential(
        &mut self,
        packages: &[&str],
        output: &mut dyn FnMut(&[u8]),
    ) -> Result<(), ConfigureError> {
        if packages.is_empty() { Ok(()) } else { self.dpkg_configure(packages, output) }
    }

    /// Configures every package that is unpacked.
    pub fn configure(&mut self, output: &mut dyn FnMut(&[u8])) -> Result<(), ConfigureError> {
        self.dpkg_configure(&["--pending"], output)?;
        let status = self.sandbox.read("/var/lib/dpkg/status", 64 << 20)?;
        let unfinished = database::not_installed(&String::from_utf8_lossy(&status));
        if unfinished.is_empty() {
            return Ok(());
        }
        let list: Vec<String> =
            unfinished.iter().map(|(name, status)| format!("{name} ({status})")).collect();
        Err(ConfigureError::Unfinished(list.join(", ")))
    }

    /// No service may start meanwhile: the root has no init.
    fn dpkg_configure(
        &mut self,
        packages: &[&str],
        output: &mut dyn FnMut(&[u8]),
    ) -> Result<(), ConfigureError> {
        const POLICY: &str = "/usr/sbin/policy-rc.d";
        self.sandbox.write(POLICY, b"#!/bin/sh\nexit 101\n", 0o755, (0, 0))?;
        let argv = [&["dpkg", "--force-unsafe-io", "--configure"], packages].concat();
        self.run(&argv, &[], "dpkg --configure", output)?;
        Ok(self.sandbox.remove(POLICY)?)
    }

    fn run(
        &mut self,
        argv: &[&str],
        variables: &[(String, String)],
        what: &str,
        output: &mut dyn FnMut(&[u8]),
    ) -> Result<Exit, ConfigureError> {
        let mut env = environment();
        env.extend(self.env.iter().cloned());
        env.extend(variables.iter().cloned());
        let command = Command {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            env,
            cwd: PathBuf::from("/"),
            uid: 0,
            gid: 0,
            umask: 0o22,
            limits: self.limits.clone(),
        };
        let mut tail = crate::log::Tail::new(4000);
        let exit = self.sandbox.run(&command, &mut |bytes| {
            tail.push(bytes);
            output(bytes);
        })?;
        match exit.status {
            status if status.success() => Ok(exit),
            Status::Cancelled => Err(ConfigureError::Cancelled),
            Status::Limit(kind) => {
                Err(ConfigureError::Limit { what: what.to_owned(), kind, tail: tail.text() })
            }
            status => Err(ConfigureError::Failed {
                what: what.to_owned(),
                how: status.to_string(),
                tail: tail.text(),
            }),
        }
    }
}
