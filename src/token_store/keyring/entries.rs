//! What a stored token looks like in a keyring.
//!
//! The entry of the user, the header, is a JSON text with a version and the token. If that is longer
//! than the limit of the keyring, the token is split into parts, and the header, which is written
//! last, names the set of parts, their number and the SHA-256 of the whole. There are two sets, so
//! that the parts of the present header stay as they are until the next header is written; what a
//! process that was killed has left of the other set is overwritten or removed by the next write.
//! Registrations of the client are stored in the same way, under a name for each issuer.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use super::{access::Access, keyring_failure::KeyringFailure};
use crate::token_store::StoredToken;

/// HeaderFormat that this version writes, and the latest that it reads.
const FORMAT: u64 = 1;

/// Maximum number of parts. A token of that many is none.
const MAX_PARTS: usize = 1000;

/// How often a value is read while other processes replace it.
const MAX_READS: usize = 10;

const HEADER: &str = "";

/// Content of a header.
#[derive(Deserialize, Serialize)]
struct EntryHeader<T> {
    format: u64,
    version: u64,
    /// A token, or a registration.
    #[serde(
        default = "Option::default",
        rename = "token",
        skip_serializing_if = "Option::is_none"
    )]
    content: Option<T>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parts: Option<Parts>,
}

/// Reference to the parts of a token.
#[derive(Deserialize, Serialize)]
struct Parts {
    set: Set,
    count: usize,
    digest: String,
}

/// One of the two sets of parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Set {
    A,
    B,
}

impl Set {
    fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    fn part(self, number: usize) -> String {
        let name = match self {
            Self::A => 'a',
            Self::B => 'b',
        };
        format!("/{name}/{number}")
    }
}

/// Reads the token.
pub(super) fn read(access: &Access<'_>) -> Result<Option<StoredToken>, KeyringFailure> {
    let stored = read_content(access)?;
    Ok(stored.map(|(token, version)| StoredToken::new(token, version)))
}

/// Stores `next` if the stored version is the one that it replaces, and returns whether it did. Only
/// one process at a time may do so.
pub(super) fn replace(access: &Access<'_>, next: &StoredToken) -> Result<bool, KeyringFailure> {
    replace_content(access, next.token.as_ref(), next.version, next.replaces())
}

/// The version that is stored; 0 if nothing is.
pub(super) fn version<T: DeserializeOwned>(access: &Access<'_>) -> Result<u64, KeyringFailure> {
    let text = access.read(HEADER)?;
    let present = text.as_deref().map(|text| parse::<T>(text)).transpose()?;
    Ok(present.map_or(0, |header| header.version))
}

/// Removes what is stored.
pub(super) fn remove(access: &Access<'_>) -> Result<(), KeyringFailure> {
    access.remove(HEADER)?;
    remove_unused(access, None);
    Ok(())
}

/// Reads what is stored, with its version.
pub(super) fn read_content<T: DeserializeOwned>(
    access: &Access<'_>,
) -> Result<Option<(Option<T>, u64)>, KeyringFailure> {
    let mut text = access.read(HEADER)?;
    for _ in 0..MAX_READS {
        let Some(content) = text else {
            return Ok(None);
        };
        let header = parse(&content)?;
        let Some(parts) = header.parts else {
            return Ok(Some((header.content, header.version)));
        };
        if let Some(content) = join(access, &parts)? {
            return Ok(Some((Some(content), header.version)));
        }
        // Another process may have replaced the parts meanwhile.
        text = access.read(HEADER)?;
        if text.as_ref() == Some(&content) {
            return Err(KeyringFailure::Other(
                "holds only a part of the token; remove its entries and log in again".into(),
            ));
        }
    }
    Err(KeyringFailure::Other("is written to all the time".into()))
}

/// Stores `next` if the stored version is `replaced`, and returns whether it did.
pub(super) fn replace_content<T: Clone + PartialEq + Serialize + DeserializeOwned>(
    access: &Access<'_>,
    next: Option<&T>,
    version: u64,
    replaced: u64,
) -> Result<bool, KeyringFailure> {
    let text = access.read(HEADER)?;
    let present = text.as_deref().map(|text| parse::<T>(text)).transpose()?;
    let stored = present.as_ref().map_or(0, |header| header.version);
    if stored != replaced {
        // A write whose result was not awaited any longer may have succeeded.
        let is_next =
            |(content, stored): (Option<T>, u64)| content.as_ref() == next && stored == version;
        return Ok(stored == version && read_content(access)?.is_some_and(is_next));
    }
    let limit = access.limit()?;
    let mut header = EntryHeader {
        format: FORMAT,
        version,
        content: next.cloned(),
        parts: None,
    };
    let mut content = serialize(&header)?;
    if limit.is_some_and(|limit| units(&content) > limit) {
        let used = present.and_then(|header| header.parts);
        let set = used.map_or(Set::A, |parts| parts.set.other());
        let whole = serialize(&header.content.take())?;
        header.parts = Some(split(access, set, &whole, limit)?);
        content = serialize(&header)?;
    }
    if let Err(failure) = access.write(HEADER, &content) {
        // The previous value stays readable.
        let _ = match &text {
            Some(text) => access.write(HEADER, text),
            None => access.remove(HEADER).map(drop),
        };
        return Err(failure);
    }
    if limit.is_some() {
        remove_unused(access, header.parts.as_ref());
    }
    Ok(true)
}

/// Writes a token as parts.
fn split(
    access: &Access<'_>,
    set: Set,
    token: &str,
    limit: Option<usize>,
) -> Result<Parts, KeyringFailure> {
    let mut count = 0;
    let mut rest = token;
    while !rest.is_empty() {
        let (part, behind) = rest.split_at(prefix(rest, limit.unwrap_or(usize::MAX)));
        if count == MAX_PARTS || part.is_empty() {
            return Err(KeyringFailure::Other(
                "cannot hold the token, which is too long".into(),
            ));
        }
        access.write(&set.part(count), part)?;
        (rest, count) = (behind, count + 1);
    }
    Ok(Parts {
        set,
        count,
        digest: hash(token),
    })
}

/// Reads the parts of a token; none if they are not those that the header refers to.
fn join<T: DeserializeOwned>(
    access: &Access<'_>,
    parts: &Parts,
) -> Result<Option<T>, KeyringFailure> {
    let mut read = Vec::new();
    for number in 0..parts.count.min(MAX_PARTS) {
        match access.read(&parts.set.part(number))? {
            Some(part) => read.push(part),
            None => return Ok(None),
        }
    }
    // The whole capacity at once: a text that grows leaves copies of the token behind.
    let length = read.iter().map(|part| part.len()).sum();
    let mut joined = Zeroizing::new(String::with_capacity(length));
    read.iter().for_each(|part| joined.push_str(part));
    if hash(&joined) != parts.digest {
        return Ok(None);
    }
    serde_json::from_str(&joined).map_err(|_| invalid())
}

/// Removes the parts that the header does not refer to. What remains after a failure is removed by
/// the next write.
fn remove_unused(access: &Access<'_>, used: Option<&Parts>) {
    for set in [Set::A, Set::B] {
        let first = used.filter(|parts| parts.set == set);
        let first = first.map_or(0, |parts| parts.count);
        let is_there = |number: &usize| matches!(access.read(&set.part(*number)), Ok(Some(_)));
        let count = (first..MAX_PARTS).take_while(is_there).count();
        // The last one first, so that no gap hides those behind it from the next attempt.
        for number in (first..first + count).rev() {
            if access.remove(&set.part(number)).is_err() {
                return;
            }
        }
    }
}

/// Parses a header. Errors do not quote it.
fn parse<T: DeserializeOwned>(text: &str) -> Result<EntryHeader<T>, KeyringFailure> {
    /// What every version writes.
    #[derive(Deserialize)]
    struct HeaderFormat {
        format: u64,
    }
    let format: HeaderFormat = serde_json::from_str(text).map_err(|_| invalid())?;
    if format.format > FORMAT {
        return Err(KeyringFailure::Other(
            "holds a token of a later version of oauth-twin; upgrade this program, or use the name \
             of another service"
                .into(),
        ));
    }
    serde_json::from_str(text).map_err(|_| invalid())
}

fn invalid() -> KeyringFailure {
    KeyringFailure::Other(
        "holds something that is no token under this name; remove it, or use the name of another \
         service"
            .into(),
    )
}

fn serialize(content: &impl Serialize) -> Result<Zeroizing<String>, KeyringFailure> {
    let text = serde_json::to_string(content);
    let text =
        text.map_err(|error| KeyringFailure::Other(format!("cannot hold the token ({error})")))?;
    Ok(Zeroizing::new(text))
}

/// Length in UTF-16 code units.
fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Length in bytes of the longest beginning of at most `limit` UTF-16 code units.
fn prefix(text: &str, limit: usize) -> usize {
    let mut units = 0;
    for (at, char) in text.char_indices() {
        units += char.len_utf16();
        if units > limit {
            return at;
        }
    }
    text.len()
}

pub(super) fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}
