//! Lines of standard input on systems where it cannot be polled: none are read.

use zeroize::Zeroizing;

/// Lines that the user types.
pub(crate) enum TypedLines {}

impl TypedLines {
    /// Whether this system tells whether a line can be read at once.
    pub(crate) const IS_SUPPORTED: bool = false;

    /// Those of standard input.
    pub(crate) fn of_stdin() -> Option<Self> {
        None
    }

    /// The next line, if all of it is there.
    pub(crate) fn line(&mut self) -> Option<Zeroizing<String>> {
        match *self {}
    }
}
