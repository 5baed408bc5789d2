//! HMAC of a text that comes in pieces; of a large one, on a thread of its own while the next piece is
//! made.

use std::{
    sync::mpsc::{Receiver, SyncSender, channel, sync_channel},
    thread::{self, JoinHandle},
};

use ring::hmac;

/// Length of a text from which it is hashed by a thread of its own, in bytes: that takes a millisecond, and
/// to start the thread a small part of it.
const LARGE_BYTES: usize = 512 * 1024;

/// Length of the pieces that are hashed in place, in bytes.
pub(super) const SMALL_PIECE: usize = 8 * 1024;
/// Length of those that are passed to the thread.
const LARGE_PIECE: usize = 64 * 1024;
/// Pieces that wait for the thread, beside one that it hashes and one that is made.
const WAITING: usize = 1;

/// A piece of the text, and space behind it.
pub(super) type Piece = Box<[u8]>;

/// HMAC of pieces.
pub(super) enum Hasher {
    InPlace(Box<hmac::Context>),
    Beside {
        /// Pieces with their lengths.
        full: SyncSender<(Piece, usize)>,
        /// The same pieces, after they were hashed.
        empty: Receiver<Piece>,
        thread: JoinHandle<hmac::Tag>,
    },
}

impl Hasher {
    /// The hasher of a text of about `length` bytes, the length of its pieces, and the first of them with
    /// `space` behind it.
    pub(super) fn new(key: &hmac::Key, length: usize, space: usize) -> (Self, usize, Piece) {
        let is_large = length >= LARGE_BYTES
            && thread::available_parallelism().is_ok_and(|processors| processors.get() > 1);
        let piece = |bytes: usize| vec![0; bytes + space].into_boxed_slice();
        let context = hmac::Context::with_key(key);
        if is_large && let Ok(beside) = Self::beside(context.clone(), || piece(LARGE_PIECE)) {
            return (beside, LARGE_PIECE, piece(LARGE_PIECE));
        }
        (
            Self::InPlace(Box::new(context)),
            SMALL_PIECE,
            piece(SMALL_PIECE),
        )
    }

    fn beside(mut context: hmac::Context, piece: impl Fn() -> Piece) -> std::io::Result<Self> {
        let (full, waiting) = sync_channel::<(Piece, usize)>(WAITING);
        let (hashed, empty) = channel();
        let work = {
            let hashed = hashed.clone();
            move || {
                for (piece, length) in waiting {
                    context.update(&piece[..length]);
                    // It is the last one if nobody waits for it.
                    let _ = hashed.send(piece);
                }
                context.sign()
            }
        };
        let thread = thread::Builder::new()
            .name("oauth1-hmac".to_owned())
            .spawn(work)?;
        for _ in 0..=WAITING {
            let _ = hashed.send(piece());
        }
        Ok(Self::Beside {
            full,
            empty,
            thread,
        })
    }

    /// Hashes the first bytes of the piece, in whose place there is another one then.
    pub(super) fn update(&mut self, piece: &mut Piece, length: usize) {
        match self {
            Self::InPlace(context) => context.update(&piece[..length]),
            Self::Beside { full, empty, .. } => {
                let next = empty.recv().expect("the thread returns each piece");
                let made = std::mem::replace(piece, next);
                full.send((made, length))
                    .expect("the thread takes each piece");
            }
        }
    }

    pub(super) fn finish(self) -> hmac::Tag {
        match self {
            Self::InPlace(context) => context.sign(),
            Self::Beside { full, thread, .. } => {
                drop(full);
                thread.join().expect("a hash has no reason to panic")
            }
        }
    }
}
