//! archmill-build
