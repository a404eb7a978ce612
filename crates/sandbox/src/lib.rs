//! archmill-sandbox
