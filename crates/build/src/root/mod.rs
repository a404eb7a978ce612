//! Making build roots.
//!
//! A root is a stack of read-only layers with an empty upper layer on top (overlayfs). Each step of
//! the way is kept, so that the next build starts as late as it can:
//!
//! 1. [`unpack`]: each .deb is unpacked once into the cache, with a [`manifest`] of what it ships;
//! 2. [`compose`]: the manifests of a set of packages become one tree, as dpkg would have unpacked
//!    them (usr-merge links followed, conffiles set aside, diversions and Replaces honoured), and
//!    [`materialise`] makes it out of hard links to the unpacked files;
//! 3. [`database`]: the dpkg database that goes with it, all packages "unpacked";
//! 4. [`configure`]: preinst scripts and `dpkg --configure`, run inside;
//! 5. [`store`]: the result, a *layer*, kept under a key made of the exact package list.
//!
//! Everything that needs the owner of a file or a mount runs in a user namespace (see
//! `archmill_sandbox::run_task`); the functions with that need are the [`tasks`].

pub mod compose;
pub mod configure;
pub mod database;
mod elf;
pub mod manifest;
pub mod materialise;
mod restring;
pub mod store;
pub mod tasks;
pub mod twins;
pub mod unpack;
mod unsigned;
pub mod view;
