//! archmill-emulate
