//! Lines of standard input where it cannot be asked whether one is there: none are taken.

use zeroize::Zeroizing;

/// Lines that the user types.
pub(crate) enum TypedLines {}

impl TypedLines {
    /// Those of standard input.
    pub(crate) fn of_stdin() -> Option<Self> {
        None
    }

    /// The next line, if all of it is there.
    pub(crate) fn line(&mut self) -> Option<Zeroizing<String>> {
        match *self {}
    }
}
