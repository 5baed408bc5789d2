//! A certificate in files, which are read again when they have changed.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

use zeroize::Zeroizing;

use super::certified_key::CertifiedKey;
use crate::error::{Error, Result};

/// Files of a certificate chain and its key.
pub(super) struct CertificateFiles {
    chain: PathBuf,
    key: PathBuf,
    /// Led to from here alone, so that programs without such files do not contain it.
    reader: fn(&Path, &Path) -> Result<CertifiedKey>,
    state: RwLock<LatestRead>,
}

struct LatestRead {
    current: Arc<CertifiedKey>,
    /// Of the files as they were read last, whether they could be used or not.
    version: Version,
}

/// Times of modification and sizes of the files.
type Version = [(Option<SystemTime>, u64); 2];

impl CertificateFiles {
    pub(super) fn read(chain: PathBuf, key: PathBuf) -> Result<Self> {
        let version = version(&chain, &key)?;
        let current = Arc::new(certified_key(&chain, &key)?);
        Ok(Self {
            chain,
            key,
            reader: certified_key,
            state: RwLock::new(LatestRead { current, version }),
        })
    }

    /// The certificate that was read last.
    pub(super) fn current(&self) -> Arc<CertifiedKey> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.current.clone()
    }

    /// Reads the files again if they have changed. What cannot be used, such as a certificate whose
    /// key is not written yet, is reported once and leaves the old one in use.
    pub(super) fn reload(&self) -> Result<()> {
        // Before the files are read: a change that comes meanwhile is seen the next time.
        let found = version(&self.chain, &self.key)?;
        {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            if state.version == found {
                return Ok(());
            }
        }
        let read = (self.reader)(&self.chain, &self.key);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.version = found;
        state.current = Arc::new(read?);
        Ok(())
    }
}

fn certified_key(chain: &Path, key: &Path) -> Result<CertifiedKey> {
    CertifiedKey::from_pem(&read(chain)?, &read(key)?)
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let content = fs::read(path).map_err(|error| unreadable(path, &error))?;
    Ok(Zeroizing::new(content))
}

fn version(chain: &Path, key: &Path) -> Result<Version> {
    let version = |path: &Path| -> Result<_> {
        let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        Ok((metadata.modified().ok(), metadata.len()))
    };
    Ok([version(chain)?, version(key)?])
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::usage(format!(
        "the file {} of the client certificate cannot be read: {error}",
        path.display()
    ))
}
