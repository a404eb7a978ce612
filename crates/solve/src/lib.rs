//! archmill-solve
