//! archmill-deb
