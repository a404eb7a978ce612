//! From an install set to a build root: what is cached is used, what is missing is made.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use archmill_archive::{Expected, PoolFile};
use archmill_emulate::twins::Twin;
use archmill_sandbox::{Limits, RootFs, Sandbox, SandboxSpec, Uname, Upper, cleanup::WorkFolder};
use archmill_solve::Selected;

use super::accelerate::Laid;
use super::draft::Phases;
use super::error::{During as _, JobError};
use super::plan::Plan;
use super::session::{Request, Session};
use crate::classify::Phase;
use crate::report::Event;
use crate::root::configure::{ConfigureError, Configurer, Preinst};
use crate::root::store::{Layer, LayerInfo, key};
use crate::root::tasks::{ComposeArgs, SkeletonArgs, UnpackArgs};

/// A build root, ready to be mounted.
#[derive(Debug, Clone)]
pub struct Root {
    /// Layers, the topmost first.
    pub stack: Vec<PathBuf>,
    /// Which parts were there already.
    pub reused: Vec<String>,
    /// The twins, if accelerated.
    pub twins: Option<Laid>,
}

/// Unpacks packages into folders of the cache that are not there yet.
pub(super) fn unpack_into(session: &Session<'_>, jobs: &[(PathBuf, PathBuf)]) -> Result<(), String> {
    let missing: Vec<&(PathBuf, PathBuf)> =
        jobs.iter().filter(|(_, folder)| !folder.join("manifest.json").is_file()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    session.make_room();
    let work = WorkFolder::create(&session.folder("work"), &session.map)
        .map_err(|error| format!("cannot make a working folder: {error}"))?;
    let temporary = |folder: &Path| work.path().join(folder.file_name().unwrap_or_default());
    session.report.event(Event::Begin { what: "unpacking", total: missing.len() as u64, bytes: false });
    let list = missing.iter().map(|(deb, folder)| (deb.clone(), temporary(folder)).into()).collect();
    let result =
        session.task("root-unpack", &UnpackArgs::new(list), &mut || session.report.event(Event::Advance(1)));
    session.report.event(Event::End);
    let placed = result.and_then(|()| {
        for (_, folder) in &missing {
            // Another process may have been faster; what it made is the same.
            if std::fs::rename(temporary(folder), folder).is_err() && !folder.join("manifest.json").is_file()
            {
                return Err(format!("cannot move an unpacked package to {}", folder.display()));
            }
        }
        Ok(())
    });
    let removed = session.remove(&[work.path().to_owned()]);
    placed.and(removed)
}

/// Makes the root of a plan.
pub fn make_root(
    session: &Session<'_>,
    request: &Request,
    plan: &Plan,
    phases: &mut Phases,
    log: &mut dyn FnMut(&[u8]),
) -> Result<Root, JobError> {
    let (base, rest): (Vec<usize>, Vec<usize>) =
        plan.order.iter().partition(|at| plan.set.packages[**at].base);
    let mut maker = Maker { session, request, plan, twins: None };
    maker.claim(&base, &rest)?;
    session.make_room();
    maker.download(&base, &rest, phases)?;
    phases.begin(Phase::Root);
    // In place before the first script runs.
    if !request.emulated_root {
        maker.lay_twins()?;
    }
    let mut reused = Vec::new();
    let (base_layer, had) = maker.layer(None, &base, log)?;
    if had {
        reused.push("base".to_owned());
    }
    let mut stack = base_layer.stack.clone();
    if !rest.is_empty() {
        let (layer, had) = maker.layer(Some(&base_layer), &rest, log)?;
        if had {
            reused.push("build dependencies".to_owned());
        }
        stack = layer.stack;
    }
    if request.emulated_root {
        maker.lay_twins()?;
    }
    let twins = maker.twins;
    phases.end(None);
    phases.reused(Phase::Root, &reused);
    Ok(Root { stack, reused, twins })
}

struct Maker<'a> {
    session: &'a Session<'a>,
    request: &'a Request,
    plan: &'a Plan,
    twins: Option<Laid>,
}

impl Maker<'_> {
    /// All of the cache that is looked for below.
    fn claim(&self, base: &[usize], rest: &[usize]) -> Result<(), JobError> {
        let (base_key, _) = self.key(None, base);
        let (rest_key, _) = self.key(Some(&base_key), rest);
        let layers = [base_key, rest_key].map(|key| format!("layers/{key}"));
        let packages = self.plan.set.packages.iter().map(|package| format!("unpacked/{}", package.sha256));
        self.session.claim(packages.chain(layers))
    }

    fn lay_twins(&mut self) -> Result<(), JobError> {
        let Some(plan) = &self.plan.acceleration else { return Ok(()) };
        let members: Vec<usize> = (0..self.plan.set.packages.len()).collect();
        let folders = self.unpacked(&members)?;
        let names = self.plan.set.packages.iter().map(|package| package.name.clone());
        let root: Vec<(String, PathBuf)> = names.zip(folders).collect();
        self.twins = Some(super::accelerate::lay(self.session, self.request.arch, plan, &root)?);
        Ok(())
    }

    /// Downloads what will be unpacked, all of it before the first layer is made: so phases follow each other.
    fn download(&self, base: &[usize], rest: &[usize], phases: &mut Phases) -> Result<(), JobError> {
        let store = self.session.layers();
        let (base_key, _) = self.key(None, base);
        let (rest_key, _) = self.key(Some(&base_key), rest);
        // Twins are laid out beside the files of all packages.
        let all = self.plan.acceleration.is_some();
        let wanted = [(base, base_key), (rest, rest_key)];
        let wanted = wanted.iter().filter(|(_, key)| all || store.get(key).is_none());
        let members: Vec<usize> = wanted.flat_map(|(members, _)| members.iter().copied()).collect();
        let files: Vec<PoolFile> = self.missing(&members)?.into_iter().map(|(_, file)| file).collect();
        if files.iter().all(|file| file.is_cached(&self.session.folder("pool"))) {
            return Ok(());
        }
        phases.begin(Phase::FetchPackages);
        self.fetch(&files)?;
        self.session.check_cancelled(Phase::FetchPackages)
    }

    /// Key of a layer, and the packages in it.
    fn key(&self, parent: Option<&str>, members: &[usize]) -> (String, Vec<String>) {
        let packages: Vec<String> = members
            .iter()
            .map(|at| &self.plan.set.packages[*at])
            .map(|package| {
                format!("{} {} {} {}", package.name, package.version, package.arch, package.sha256)
            })
            .collect();
        let settings = format!(
            "{} usr-links={:?} skeleton={} twins={:?}",
            self.request.arch.debian,
            self.usr_links(),
            self.needs_skeleton(),
            self.twins_of(members)
        );
        (key(parent, &packages, &settings), packages)
    }

    /// The twins that these packages bring: what their scripts do in such must not get into a root that is emulated, be it to
    /// compare with or because twins are suspected.
    fn twins_of(&self, members: &[usize]) -> Option<String> {
        let plan = self.plan.acceleration.as_ref().filter(|_| !self.request.emulated_root)?;
        let names: HashSet<&str> =
            members.iter().map(|at| self.plan.set.packages[*at].name.as_str()).collect();
        let twins = plan.twins.iter().filter(|twin| names.contains(twin.package.as_str()));
        let twins: Vec<Twin> = twins.cloned().collect();
        Some(super::accelerate::digest(&twins, self.request.arch.long_double))
    }

    fn layer(
        &mut self,
        parent: Option<&Layer>,
        members: &[usize],
        log: &mut dyn FnMut(&[u8]),
    ) -> Result<(Layer, bool), JobError> {
        let store = self.session.layers();
        let skeleton = self.needs_skeleton() && parent.is_none();
        let (key, packages) = self.key(parent.map(|layer| layer.info.key.as_str()), members);
        if let Some(layer) = store.get(&key) {
            return Ok((layer, true));
        }
        let _lock = store.lock(&key).during(Phase::Root)?;
        if let Some(layer) = store.get(&key) {
            return Ok((layer, true));
        }
        let unpacked = self.unpacked(members)?;
        self.session.check_cancelled(Phase::Root)?;
        self.session.step(&format!(
            "installing {} packages ({})",
            members.len(),
            if parent.is_some() { "build dependencies" } else { "base" }
        ));
        let work = WorkFolder::create(&self.session.folder("work"), &self.session.map).during(Phase::Root)?;
        let folder = work.path().join("layer");
        let made = self.make(parent, members, &unpacked, &folder, skeleton, log);
        let parts = match made {
            Ok(parts) => parts,
            Err(error) => {
                let _ = self.session.remove(&[work.path().to_owned()]);
                return Err(error);
            }
        };
        let info = LayerInfo {
            key: key.clone(),
            parent: parent.map(|layer| layer.info.key.clone()),
            parts,
            packages,
        };
        let put = store.put(&folder, &info).during(Phase::Root);
        self.session.remove(&[work.path().to_owned()]).during(Phase::Root)?;
        put?;
        let layer = store.get(&key).ok_or_else(|| {
            JobError::new(
                Phase::Root,
                "a finished layer is gone from the cache; is another process removing it?",
            )
        })?;
        Ok((layer, false))
    }

    /// Suites before trixie have no links into /usr in base-files; there bootstrapping makes them.
    fn usr_links(&self) -> Vec<String> {
        let base_files = self
            .plan
            .set
            .get("base-files")
            .and_then(|package| package.version.parse::<archmill_deb::Version>().ok());
        let ships_them = base_files.zip("13.4".parse().ok()).is_none_or(|(has, since)| has >= since);
        if ships_them {
            return Vec::new();
        }
        ["bin", "sbin", "lib"]
            .iter()
            .chain(self.request.arch.usr_links)
            .map(|name| (*name).to_owned())
            .collect()
    }

    fn needs_skeleton(&self) -> bool {
        self.request.arch.bits == 32 && self.plan.emulator.is_some()
    }

    /// Where a package is unpacked.
    fn folder(&self, package: &Selected) -> PathBuf {
        self.session.folder("unpacked").join(&package.sha256)
    }

    /// Those of the packages that are not unpacked yet.
    fn missing(&self, members: &[usize]) -> Result<Vec<(&Selected, PoolFile)>, JobError> {
        let packages = members.iter().map(|at| &self.plan.set.packages[*at]);
        packages
            .filter(|package| !self.folder(package).join("manifest.json").is_file())
            .map(|package| Ok((package, self.pool_file(package)?)))
            .collect()
    }

    fn fetch(&self, files: &[PoolFile]) -> Result<Vec<PathBuf>, JobError> {
        self.session.fetch("downloading packages", files, 6).during(Phase::FetchPackages)
    }

    /// Unpacks packages; gives the folder of each.
    fn unpacked(&self, members: &[usize]) -> Result<Vec<PathBuf>, JobError> {
        let (missing, files): (Vec<&Selected>, Vec<PoolFile>) = self.missing(members)?.into_iter().unzip();
        // They were downloaded before, unless somebody cleared the cache meanwhile.
        let debs = self.fetch(&files)?;
        let jobs: Vec<(PathBuf, PathBuf)> =
            debs.into_iter().zip(missing.iter().map(|package| self.folder(package))).collect();
        unpack_into(self.session, &jobs).during(Phase::Root)?;
        Ok(members.iter().map(|at| self.folder(&self.plan.set.packages[*at])).collect())
    }

    fn pool_file(&self, package: &Selected) -> Result<PoolFile, JobError> {
        if package.sha256.len() != 64 || package.filename.is_empty() {
            let message =
                format!("the index has no path or SHA-256 for {} {}", package.name, package.version);
            return Err(JobError::new(Phase::FetchPackages, message));
        }
        let url = match self.plan.index_suite.get(package.index).copied().flatten() {
            Some(suite) => format!("{}/{}", self.plan.suites[suite].spec.uri, package.filename),
            None => package.filename.clone(),
        };
        Ok(PoolFile { url, expected: Expected { sha256: package.sha256.clone(), size: package.size } })
    }

    /// Makes the folders of a layer in `folder`, in as many stages as Pre-Depends ask for.
    fn make(
        &self,
        parent: Option<&Layer>,
        members: &[usize],
        unpacked: &[PathBuf],
        folder: &Path,
        skeleton: bool,
        log: &mut dyn FnMut(&[u8]),
    ) -> Result<Vec<String>, JobError> {
        let session = self.session;
        session.map.create_folder(folder).during(Phase::Root)?;
        let has_preinst: Vec<bool> =
            unpacked.iter().map(|folder| folder.join("control/preinst").is_file()).collect();
        let stages = stages(members, &self.plan.pre_depends, parent.is_none());
        let mut stack = parent.map(|layer| layer.stack.clone()).unwrap_or_default();
        let mut parts: Vec<String> = Vec::new();
        for (number, stage) in stages.iter().enumerate() {
            session.check_cancelled(Phase::Root)?;
            let scripts = self.preinsts(stage, members, unpacked, &has_preinst)?;
            let packages = stage.iter().map(|at| unpacked[*at].clone()).collect();
            let bootstrap = stack.is_empty();
            let mut step = Step { maker: self, folder, number, stack: &mut stack, parts: &mut parts };
            if !bootstrap && !scripts.is_empty() {
                step.run("pre", &mut |configurer, log| configurer.preinst(&scripts, log), log)?;
            }
            step.compose(packages, self.usr_links())?;
            if bootstrap && skeleton {
                step.skeleton()?;
            }
            // A build dependency that an essential package could do with (gawk for awk) is in a later layer.
            let essential = self.plan.essential.iter().filter(|at| members.contains(*at));
            let essential: Vec<&str> =
                essential.map(|at| self.plan.set.packages[*at].name.as_str()).collect();
            step.run(
                "config",
                &mut |configurer, log| {
                    // Bootstrapping has no other way: scripts need a shell, so the files come first, as
                    // debootstrap and mmdebstrap do it.
                    if bootstrap {
                        configurer.preinst(&scripts, log)?;
                        configurer.configure_essential(&essential, log)?;
                    }
                    configurer.configure(log)
                },
                log,
            )?;
        }
        Ok(parts)
    }

    fn preinsts(
        &self,
        stage: &[usize],
        members: &[usize],
        unpacked: &[PathBuf],
        has: &[bool],
    ) -> Result<Vec<Preinst>, JobError> {
        let wanted = stage.iter().filter(|at| has[**at]);
        wanted
            .map(|at| {
                let package = &self.plan.set.packages[members[*at]];
                let control = control_files(&unpacked[*at].join("control"))
                    .map_err(|error| format!("{}: {error}", unpacked[*at].display()))
                    .during(Phase::Root)?;
                Ok(Preinst { package: package.name.clone(), arch: package.arch.to_string(), control })
            })
            .collect()
    }
}

/// The control files of an unpacked package: name, permission bits, content.
fn control_files(folder: &Path) -> std::io::Result<Vec<(String, u32, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let script = ["preinst", "postinst", "prerm", "postrm", "config"].contains(&name.as_str());
        files.push((name, if script { 0o755 } else { 0o644 }, std::fs::read(entry.path())?));
    }
    files.sort();
    Ok(files)
}

/// Splits `members` (in configuration order) so that what a package pre-depends on is configured in an earlier
/// stage than it is unpacked in (Policy 7.2). Positions are those in `members`.
fn stages(members: &[usize], pre_depends: &[Vec<usize>], bootstrap: bool) -> Vec<Vec<usize>> {
    if bootstrap {
        return vec![(0..members.len()).collect()];
    }
    let mut level = vec![0_usize; members.len()];
    for (at, member) in members.iter().enumerate() {
        let before =
            pre_depends[*member].iter().filter_map(|needed| members.iter().position(|other| other == needed));
        let latest = before.map(|needed| level[needed]).max();
        if let Some(latest) = latest {
            level[at] = latest + 1;
        }
    }
    // What comes later in the order may depend on what is in a late stage: it goes no earlier than the
    // latest before it that it could need.
    let mut highest = 0;
    for own in &mut level {
        highest = highest.max(*own);
        *own = highest;
    }
    let count = level.iter().max().map_or(0, |highest| highest + 1);
    (0..count)
        .map(|stage| (0..members.len()).filter(|at| level[*at] == stage).collect())
        .filter(|stage: &Vec<usize>| !stage.is_empty())
        .collect()
}

type Act<'a> = &'a mut dyn FnMut(&mut Configurer<'_>, &mut dyn FnMut(&[u8])) -> Result<(), ConfigureError>;

struct Step<'a> {
    maker: &'a Maker<'a>,
    folder: &'a Path,
    number: usize,
    stack: &'a mut Vec<PathBuf>,
    parts: &'a mut Vec<String>,
}

impl Step<'_> {
    fn part(&mut self, name: &str) -> Result<PathBuf, JobError> {
        let name = format!("{name}{}", self.number);
        let path = self.folder.join(&name);
        self.maker.session.map.create_folder(&path).during(Phase::Root)?;
        self.parts.insert(0, name);
        Ok(path)
    }

    fn compose(&mut self, unpacked: Vec<PathBuf>, merged_usr: Vec<String>) -> Result<(), JobError> {
        let merged_usr = if self.stack.is_empty() { merged_usr } else { Vec::new() };
        let target = self.part("tree")?;
        let arch = self.maker.request.arch.debian.to_owned();
        let args =
            ComposeArgs { below: self.stack.clone(), unpacked, target: target.clone(), merged_usr, arch };
        self.maker.session.task("root-compose", &args, &mut || {}).during(Phase::Root)?;
        self.stack.insert(0, target);
        Ok(())
    }

    /// The lowest layer of a 32-bit root: see `root::tasks`.
    fn skeleton(&mut self) -> Result<(), JobError> {
        let name = "skeleton".to_owned();
        let target = self.folder.join(&name);
        self.maker.session.map.create_folder(&target).during(Phase::Root)?;
        let args = SkeletonArgs { layers: self.stack.clone(), target: target.clone() };
        self.maker.session.task("root-skeleton", &args, &mut || {}).during(Phase::Root)?;
        self.parts.push(name);
        self.stack.push(target);
        Ok(())
    }

    /// Runs something in a sandbox over the stack; what it writes becomes the next part.
    fn run(&mut self, name: &str, act: Act<'_>, log: &mut dyn FnMut(&[u8])) -> Result<(), JobError> {
        let (session, plan) = (self.maker.session, self.maker.plan);
        let lower = self.stack.clone();
        let upper = self.part(name)?;
        let scratch = |name: &str| {
            self.folder
                .with_file_name(format!("{name}-{}", upper.file_name().unwrap_or_default().to_string_lossy()))
        };
        let (work, mountpoint) = (scratch("work"), scratch("mnt"));
        for folder in [&work, &mountpoint] {
            session.map.create_folder(folder).during(Phase::Root)?;
        }
        let spec = SandboxSpec {
            root: RootFs {
                lower,
                mountpoint,
                upper: Upper::Folder { upper: upper.clone(), work, volatile: true },
            },
            mounts: self
                .maker
                .twins
                .iter()
                .flat_map(|twins| super::accelerate::mounts(&twins.folder))
                .collect(),
            hostname: "archmill".to_owned(),
            binfmt: plan
                .emulator
                .iter()
                .map(|chosen| chosen.binfmt(self.maker.request.arch))
                .collect::<Result<_, _>>()?,
            personality_32: plan.personality_32,
            account_executables: false,
            gain_root: None,
            uname: self
                .maker
                .twins
                .as_ref()
                .map(|_| Uname { machine: self.maker.request.arch.machine.to_owned() }),
            cpuinfo: None,
        };
        let mut sandbox =
            Sandbox::start(&session.map, &spec, session.canceller.clone()).during(Phase::Host)?;
        let env = plan.emulator.as_ref().map(super::emulator::Chosen::environment).unwrap_or_default();
        let dpkg = plan.set.get("dpkg").and_then(|dpkg| dpkg.version.parse::<archmill_deb::Version>().ok());
        let mut configurer = Configurer {
            sandbox: &mut sandbox,
            env,
            limits: Limits { log: None, ..self.maker.request.limits.clone() },
            dpkg_version: dpkg.map(|version| version.upstream().to_owned()).unwrap_or_default(),
        };
        let result = act(&mut configurer, log);
        sandbox.finish();
        result.map_err(|error| match error {
            ConfigureError::Cancelled => JobError::cancelled(Phase::Root),
            ConfigureError::Limit { kind, .. } => JobError::limit(Phase::Root, kind, error),
            other => JobError::new(Phase::Root, other),
        })?;
        self.stack.insert(0, upper);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::stages;

    #[test]
    fn a_package_waits_for_what_it_pre_depends_on() {
        // Of the set 10, 11, 12 in that order, 11 pre-depends on 10.
        let mut pre_depends = vec![Vec::new(); 13];
        let members = [10, 11, 12];
        assert_eq!(stages(&members, &pre_depends, false), [vec![0, 1, 2]]);
        pre_depends[11] = vec![10];
        assert_eq!(stages(&members, &pre_depends, false), [vec![0], vec![1, 2]]);
        assert_eq!(stages(&members, &pre_depends, true), [vec![0, 1, 2]]);
    }
}
