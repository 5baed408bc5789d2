//! Signatures that are made by the user's own code.

use std::time::Duration;

use super::super::{Sign, in_callback, is_in_callback, maybe_async, with_timeout};
use crate::error::{Error, Result};

const SIGNER: &str = "the signer";

/// The signature of `message`, within `limit`. `marks` are those of the callback: of the slot, and
/// of its calls that are being completed.
#[maybe_async]
pub(in super::super) async fn external_signature(
    sign: Sign,
    message: Vec<u8>,
    marks: [usize; 2],
    limit: Duration,
) -> Result<Vec<u8>> {
    if is_in_callback(marks[1]) {
        return Err(Error::reentrant("a request that needs the callback"));
    }
    let signed = with_timeout(limit, move || signature(sign, message, marks)).await;
    signed.unwrap_or_else(|| Err(Error::failed_in(SIGNER, "it timed out".into())))
}

#[maybe_async]
async fn signature(sign: Sign, message: Vec<u8>, marks: [usize; 2]) -> Result<Vec<u8>> {
    let signature = in_callback(&marks, move || sign(message)).await;
    signature.map_err(|error| Error::failed_in(SIGNER, error))
}
