//! The device codes of the provider. Every user is Alice, who takes a second to enter hers.

use std::collections::HashMap;

use serde_json::{Value, json};

pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Codes that were issued, with the number of polls so far.
#[derive(Default)]
pub struct Devices(HashMap<String, usize>);

impl Devices {
    /// A response with this code.
    pub fn issue(&mut self, device_code: &str) -> Value {
        self.0.insert(device_code.to_owned(), 0);
        json!({
            "device_code": device_code,
            "user_code": "WDJB-MJHT",
            "verification_uri": "https://id.example.com/device",
            "expires_in": 600,
            "interval": 1,
        })
    }

    /// Whether the user has decided, or the error code.
    pub fn poll(&mut self, device_code: &str) -> Result<(), &'static str> {
        let polls = self.0.get_mut(device_code).ok_or("invalid_grant")?;
        *polls += 1;
        if *polls == 1 {
            return Err("authorization_pending");
        }
        self.0.remove(device_code);
        Ok(())
    }
}
