//! Lines of standard input on systems where it cannot be polled: none are read.

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
