//! The sandbox as its callers use it: as root, and as an ordinary user if there is a way to be one.

#![allow(
    clippy::unwrap_used,
    clippy::duration_suboptimal_units,
    clippy::needless_pass_by_value,
    clippy::format_collect
)]
#![allow(clippy::unnecessary_wraps)]

mod accounting;
mod attacks;
mod binfmt;
mod cgroups;
mod commands;
mod files;
mod gain_root;
mod hosts;
mod isolation;
mod lifetime;
mod limits;
mod names;
mod tasks;
mod terminal;
mod user;
mod world;

use libtest_mimic::{Arguments, Trial};

type Test = (&'static str, fn());

fn main() -> std::process::ExitCode {
    archmill_sandbox::init(tasks::TASKS);
    // Other ways to be started, by the tests themselves.
    let words: Vec<String> = std::env::args().collect();
    match words.get(1).map(String::as_str) {
        Some("--wait-in-sandbox") => return lifetime::wait_in_sandbox(&words[2]),
        Some("--exit-from-a-thread") => return accounting::exit_from_a_thread(),
        Some("--wait-in-task") => return lifetime::wait_in_task(),
        Some("--wait-with-host-entry") => return binfmt::wait_with_host_entry(&words[2..]),
        Some("--interactive") => return terminal::interactive(),
        Some("--start") => return hosts::start(),
        _ => {}
    }
    let mut arguments = Arguments::from_args();
    // Most of the time here is spent waiting, but what is measured wants some quiet.
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let groups: [(&str, &[Test]); 14] = [
        ("accounting", accounting::TESTS),
        ("attacks", attacks::TESTS),
        ("binfmt", binfmt::TESTS),
        ("cgroups", cgroups::TESTS),
        ("commands", commands::TESTS),
        ("files", files::TESTS),
        ("gain_root", gain_root::TESTS),
        ("hosts", hosts::TESTS),
        ("isolation", isolation::TESTS),
        ("lifetime", lifetime::TESTS),
        ("limits", limits::TESTS),
        ("names", names::TESTS),
        ("tasks", tasks::TESTS),
        ("terminal", terminal::TESTS),
    ];
    let root = rustix::process::geteuid().is_root();
    let mut trials: Vec<Trial> = Vec::new();
    for (group, tests) in groups {
        for (name, test) in tests {
            trials.push(Trial::test(format!("{group}::{name}"), || {
                test();
                Ok(())
            }));
        }
    }
    if root && !arguments.list {
        let again = arguments.clone();
        trials.push(Trial::test("all_again_as_an_ordinary_user", move || user::all_again(&again)));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    world::clean();
    conclusion.exit_code()
}

/// Makes the list of tests of a module.
#[macro_export]
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        pub(crate) const TESTS: &[(&str, fn())] = &[$((stringify!($name), $name)),*];
    };
}
