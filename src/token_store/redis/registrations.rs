//! Registrations of the client in Redis: a hash beside the row of the token, with a field for each
//! issuer.

use redis::{Cmd, Value};
use zeroize::Zeroizing;

use super::{
    commands::{Commands, read, script},
    row,
};
use crate::{error::BoxError, oauth2::client::RegisteredClient};

/// The registration; who reads it uses it, so all are kept for another while.
const LOAD: &str = "\
if tonumber(ARGV[2]) > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return redis.call('HMGET', KEYS[1], ARGV[1])";

const SAVE: &str = "\
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
if tonumber(ARGV[2]) > 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
else
  redis.call('PERSIST', KEYS[1])
end
return 1";

const REMOVE: &str = "return redis.call('HDEL', KEYS[1], ARGV[1])";

impl Commands {
    pub(crate) fn load_registration(&self, issuer: &str) -> Cmd {
        let mut command = script(LOAD, &[&self.keys.clients]);
        command.arg(issuer).arg(self.expiry());
        command
    }

    pub(crate) fn loaded_registration(
        &self,
        issuer: &str,
        answer: Value,
    ) -> Result<Option<RegisteredClient>, BoxError> {
        let unreadable = || self.about_clients("are not of this library");
        let (content,): (Option<Vec<u8>>,) = read(answer).ok_or_else(unreadable)?;
        let Some(content) = content.map(Zeroizing::new) else {
            return Ok(None);
        };
        let place = self.place_of_client(issuer);
        let json = row::opened(&content, &place, self.sealing.as_ref());
        let json = json.map_err(|error| self.about_clients(&format!("have one that {error}")))?;
        // The error may quote the content.
        let client: Option<RegisteredClient> = serde_json::from_slice(&json).ok();
        let client = client.ok_or_else(|| self.about_clients("have one that is none"))?;
        // Whoever writes to Redis could move a registration to another server.
        Ok(Some(client).filter(|client| client.issuer() == issuer))
    }

    /// Keeps the registration at this issuer, or removes it.
    pub(crate) fn save_registration(
        &self,
        issuer: &str,
        registration: Option<&RegisteredClient>,
    ) -> Result<Cmd, BoxError> {
        let Some(registration) = registration else {
            let mut command = script(REMOVE, &[&self.keys.clients]);
            command.arg(issuer);
            return Ok(command);
        };
        let json = Zeroizing::new(serde_json::to_vec(registration)?);
        let place = self.place_of_client(issuer);
        let content = row::sealed(json, &place, self.sealing.as_ref())?;
        let mut command = script(SAVE, &[&self.keys.clients]);
        command.arg(issuer).arg(self.expiry()).arg(&content[..]);
        Ok(command)
    }

    /// What a sealed registration is bound to. No token is bound to such a place, whose first word is
    /// a number. The length keeps key and issuer apart.
    fn place_of_client(&self, issuer: &str) -> String {
        let key = &self.keys.clients;
        format!("client {} {key} {issuer}", key.len())
    }

    fn about_clients(&self, what: &str) -> BoxError {
        let key = &self.keys.clients;
        format!("the registrations under the key {key} in Redis {what}").into()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{RedisKeys, SealingKeys},
        *,
    };

    const ISSUER: &str = "https://id.example";

    fn commands(sealing: Option<SealingKeys>) -> Commands {
        Commands {
            keys: RedisKeys::new("tokens:{alice}".to_owned()).expect("keys"),
            sealing,
            expire_after: None,
        }
    }

    fn keys() -> Option<SealingKeys> {
        Some(SealingKeys::new("1", &[1; 32]))
    }

    fn client() -> RegisteredClient {
        let json = serde_json::json!({
            "issuer": ISSUER, "client_id": "c", "client_secret": "hunter2",
        });
        serde_json::from_value(json).expect("a client")
    }

    /// The arguments behind the script and the number of keys.
    fn arguments(command: &Cmd) -> Vec<String> {
        let packed = String::from_utf8(command.get_packed_command()).expect("text");
        let lines = packed.split("\r\n").skip(2).step_by(2);
        lines.skip(3).map(str::to_owned).collect()
    }

    /// What is stored by a save.
    fn content(commands: &Commands) -> String {
        let save = commands.save_registration(ISSUER, Some(&client()));
        arguments(&save.expect("a command")).pop().expect("content")
    }

    fn answer(content: &str) -> Value {
        Value::Array(vec![Value::BulkString(content.as_bytes().to_vec())])
    }

    #[test]
    fn a_registration_is_read_as_it_was_kept() {
        for sealing in [None, keys()] {
            let commands = commands(sealing.clone());
            let content = content(&commands);
            assert_eq!(content.contains("hunter2"), sealing.is_none());
            let found = commands.loaded_registration(ISSUER, answer(&content));
            assert_eq!(found.expect("readable"), Some(client()));
            let none = commands.loaded_registration(ISSUER, Value::Array(vec![Value::Nil]));
            assert_eq!(none.expect("readable"), None);
        }
    }

    #[test]
    fn a_registration_of_another_issuer_is_not_used() {
        let evil = "https://evil.example";
        let plain = commands(None);
        let found = plain.loaded_registration(evil, answer(&content(&plain)));
        assert_eq!(found.expect("readable"), None);
        let sealed = commands(keys());
        let found = sealed.loaded_registration(evil, answer(&content(&sealed)));
        assert!(found.is_err(), "it is sealed for its issuer");
        // Nor one that nobody sealed, or that nobody here can open.
        let found = sealed.loaded_registration(ISSUER, answer(&content(&plain)));
        assert!(found.is_err());
        let found = plain.loaded_registration(ISSUER, answer(&content(&sealed)));
        assert!(found.is_err());
    }

    #[test]
    fn errors_name_the_key_and_quote_nothing() {
        for answer in [
            answer("hunter2"),
            answer("{\"issuer\": hunter2}"),
            Value::BulkString(b"hunter2".to_vec()),
            Value::Nil,
        ] {
            let found = commands(None).loaded_registration(ISSUER, answer);
            let error = found.expect_err("unreadable").to_string();
            assert!(error.contains("tokens:{alice}:clients"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn commands_are_about_one_issuer_under_a_key_of_their_own() {
        let commands = commands(None);
        let load = commands.load_registration(ISSUER);
        assert_eq!(arguments(&load), ["tokens:{alice}:clients", ISSUER, "0"]);
        let remove = commands.save_registration(ISSUER, None).expect("a command");
        assert_eq!(arguments(&remove), ["tokens:{alice}:clients", ISSUER]);
    }
}
