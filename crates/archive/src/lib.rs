//! archmill-archive
