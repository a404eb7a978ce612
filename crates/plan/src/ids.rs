//! Typed indices into the tables of a graph.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($repr:ty);)*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        pub struct $name($repr);

        impl $name {
            /// From a place in its table; `None` where there are more than ids.
            pub fn new(index: usize) -> Option<Self> {
                <$repr>::try_from(index).ok().map(Self)
            }

            /// The place in its table.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// A job of a graph.
    JobId(u32);
    /// What packages are built for: an architecture, or `all`.
    TargetId(u8);
    /// A component of the farm, with its own list of architectures.
    ComponentId(u8);
}

impl JobId {
    /// For tables that were checked to be no longer than ids reach.
    #[allow(clippy::cast_possible_truncation)]
    pub(crate) fn at(index: usize) -> Self {
        Self(index as u32)
    }
}
