//! Typed indices, so that a name is never taken for a package.

macro_rules! ids {
    ($($(#[$doc:meta])* $vis:vis $name:ident($repr:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis struct $name(pub(crate) $repr);

        impl $name {
            // Ids are made from lengths of tables whose size is checked when they are filled.
            #[allow(clippy::cast_possible_truncation)]
            pub(crate) fn new(index: usize) -> Self {
                Self(index as $repr)
            }

            pub(crate) fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// A package name or a name that is only provided.
    pub(crate) NameId(u32);
    /// An architecture the universe knows; [`ArchId::NATIVE`] is the native one.
    pub(crate) ArchId(u8);
    /// A name in one architecture: at most one version of it can be installed.
    pub(crate) SlotId(u32);
    /// One version of one package for one architecture.
    ///
    /// Ids are ordered by name, architecture and preference, whatever the order in the index.
    pub PackageId(u32);
}

impl PackageId {
    /// Its place in [`Universe::packages`](crate::Universe::packages).
    pub fn place(self) -> usize {
        self.index()
    }
}

impl ArchId {
    /// The native architecture, which packages of architecture `all` count for.
    pub(crate) const NATIVE: Self = Self(0);
}
