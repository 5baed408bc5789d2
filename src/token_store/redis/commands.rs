//! Commands of a token store in Redis, and their answers.
//!
//! A row is a hash: `version`, `token`, `fence` (the lease under which it was saved last) and
//! `leased` (the last lease that was granted). What reads and writes is a script, so that it is one
//! step for the server. A repeated script has the same answer, so a command whose answer was lost
//! is sent again.

use std::time::Duration;

use super::{RedisKeys, row, sealing_keys::SealingKeys};
use crate::{
    error::{BoxError, one_line},
    token_store::StoredToken,
};
use redis::{Cmd, ErrorKind, RedisError, Value};
use zeroize::Zeroizing;

/// The row; who reads it uses it, so it is kept for another while.
const LOAD: &str = "\
if tonumber(ARGV[1]) > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return redis.call('HMGET', KEYS[1], 'version', 'token', 'fence')";

/// The fencing number of a lease, or nil if another owner holds it. The number grows from lease to
/// lease; the server's clock makes it grow even if the row was lost.
const LEASE: &str = "\
local owner = redis.call('GET', KEYS[2])
if owner and owner ~= ARGV[1] then return false end
local time = redis.call('TIME')
local fence = time[1] * 1000000 + time[2]
local row = redis.call('HMGET', KEYS[1], 'version', 'leased', 'fence')
for n = 2, 3 do
  local last = tonumber(row[n] or '0')
  if fence <= last then fence = last + 1 end
end
fence = string.format('%.0f', fence)
if row[1] then redis.call('HSET', KEYS[1], 'leased', fence) end
redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2])
return fence";

/// Whether the row has the next version now: compare and swap, and never over what was saved under
/// a later lease than the latest that this store knows of.
const SAVE: &str = "\
local row = redis.call('HMGET', KEYS[1], 'version', 'fence', 'token')
if row[1] == ARGV[2] and row[3] == ARGV[4] then return 1 end
if (row[1] or '0') ~= ARGV[1] then return 0 end
if tonumber(row[2] or '0') > tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'token', ARGV[4], 'fence', ARGV[3])
if tonumber(ARGV[5]) > 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
else
  redis.call('PERSIST', KEYS[1])
end
return 1";

/// The end of a lease, if its owner holds it.
const RELEASE: &str = "\
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

const WRONG_CREDENTIALS: &str = "; check the credentials in the URL";

/// Commands about one token.
#[derive(Clone, Debug)]
pub(crate) struct Commands {
    pub(crate) keys: RedisKeys,
    pub(crate) sealing: Option<SealingKeys>,
    /// How long a row is kept after its last use.
    pub(crate) expire_after: Option<Duration>,
}

impl Commands {
    pub(crate) fn load(&self) -> Cmd {
        let mut command = script(LOAD, &[&self.keys.row]);
        command.arg(self.expiry());
        command
    }

    /// The row, and the fencing number that it was saved under.
    pub(crate) fn loaded(&self, answer: Value) -> Result<(Option<StoredToken>, u64), BoxError> {
        type Row = (Option<u64>, Option<Vec<u8>>, Option<u64>);
        let unreadable = || self.about("is not of this library");
        let (version, content, fence): Row = read(answer).ok_or_else(unreadable)?;
        let Some(version) = version else {
            return Ok((None, 0));
        };
        let content = Zeroizing::new(content.unwrap_or_default());
        let token = row::token(&content, version, &self.keys.row, self.sealing.as_ref());
        let token = token.map_err(|error| self.about(&error.to_string()))?;
        Ok((Some(StoredToken::new(token, version)), fence.unwrap_or(0)))
    }

    pub(crate) fn save(&self, next: &StoredToken, fence: u64) -> Result<Cmd, BoxError> {
        let content = row::content(next, &self.keys.row, self.sealing.as_ref())?;
        let mut command = script(SAVE, &[&self.keys.row]);
        command.arg(next.replaces()).arg(next.version).arg(fence);
        command.arg(&content[..]).arg(self.expiry());
        Ok(command)
    }

    pub(crate) fn lease(&self, owner: &str, time: Duration) -> Cmd {
        let mut command = script(LEASE, &[&self.keys.row, &self.keys.lease]);
        command.arg(owner).arg(milliseconds(time));
        command
    }

    /// The fencing number; none if another owner holds the lease.
    pub(crate) fn leased(&self, answer: Value) -> Result<Option<u64>, BoxError> {
        let fence: Option<Option<u64>> = read(answer);
        fence.ok_or_else(|| self.about("got an unknown answer about its lease"))
    }

    pub(crate) fn release(&self, owner: &str) -> Cmd {
        let mut command = script(RELEASE, &[&self.keys.lease]);
        command.arg(owner);
        command
    }

    /// Whether a script answered yes.
    pub(crate) fn is_done(&self, answer: Value) -> Result<bool, BoxError> {
        let done: Option<u64> = read(answer);
        let done = done.ok_or_else(|| self.about("got an unknown answer"))?;
        Ok(done == 1)
    }

    pub(super) fn expiry(&self) -> u64 {
        self.expire_after.map_or(0, milliseconds)
    }

    fn about(&self, what: &str) -> BoxError {
        format!("the token under the key {} in Redis {what}", self.keys.row).into()
    }
}

pub(super) fn script(text: &str, keys: &[&str]) -> Cmd {
    // EVAL and not EVALSHA: nothing depends on what a server that was restarted still knows.
    let mut command = redis::cmd("EVAL");
    command.arg(text).arg(keys.len()).arg(keys);
    command
}

/// At least one.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis())
        .unwrap_or(u64::MAX >> 10)
        .max(1)
}

/// An answer of that form. The crate's own error would quote it.
pub(super) fn read<T: redis::FromRedisValue>(answer: Value) -> Option<T> {
    T::from_redis_value(answer).ok()
}

/// Whether a URL of Redis asks for TLS.
pub(crate) fn is_encrypted(url: &str) -> bool {
    url.starts_with("rediss:") || url.starts_with("valkeys:")
}

/// What is wrong with a URL, which may contain a password.
pub(crate) fn explained_url(url: &str, error: &RedisError) -> String {
    if is_encrypted(url) && cfg!(not(feature = "rustls")) {
        return "the URL of Redis is rediss://, which needs the feature rustls of oauth-twin"
            .into();
    }
    let kind = error.kind();
    format!(
        "the URL of Redis is invalid ({kind:?}); write redis://host:6379/0, or rediss:// for TLS"
    )
}

/// What a failed command says, and what to do.
pub(crate) fn explained(error: &RedisError) -> String {
    let advice = match error.code() {
        Some("MOVED" | "ASK" | "CLUSTERDOWN") => {
            "; connect to a proxy of the cluster, as this store knows one address"
        }
        Some("READONLY") => "; connect to the primary",
        Some("NOAUTH" | "WRONGPASS") => WRONG_CREDENTIALS,
        Some("NOPERM") => {
            "; the user needs EVAL, GET, SET, DEL, HMGET, HSET, HDEL, PEXPIRE, PERSIST and TIME"
        }
        _ if error.kind() == ErrorKind::AuthenticationFailed => WRONG_CREDENTIALS,
        _ => "",
    };
    format!("Redis: {}{advice}", one_line(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth2::token::Token;

    fn commands() -> Commands {
        Commands {
            keys: RedisKeys::new("tokens:{alice}".to_owned()).expect("keys"),
            sealing: None,
            expire_after: None,
        }
    }

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn row(version: &str, token: &str, fence: &str) -> Value {
        Value::Array([version, token, fence].map(bulk).into())
    }

    /// The arguments behind the script and the number of keys.
    fn arguments(command: &Cmd) -> Vec<String> {
        let packed = String::from_utf8(command.get_packed_command()).expect("text");
        let lines = packed.split("\r\n").skip(2).step_by(2);
        lines.skip(3).map(str::to_owned).collect()
    }

    #[test]
    fn rows_are_read() {
        let answer = row("3", r#"{"access_token":"t"}"#, "17");
        let (stored, fence) = commands().loaded(answer).expect("a row");
        let expected = StoredToken::new(Some(Token::new("t")), 3);
        assert_eq!((stored, fence), (Some(expected), 17));
        let revoked = commands().loaded(row("4", "", "18")).expect("a row");
        assert_eq!(revoked, (Some(StoredToken::new(None, 4)), 18));
        // A row that has a lease and nothing else, and none at all.
        let none = Value::Array(vec![Value::Nil, Value::Nil, Value::Nil]);
        assert_eq!(commands().loaded(none).expect("none"), (None, 0));
    }

    #[test]
    fn errors_about_rows_name_the_key_and_quote_nothing() {
        for answer in [
            row("hunter2", "{}", "1"),
            row("3", "hunter2", "1"),
            row("3", r#"{"access_token":"t"}"#, "hunter2"),
            row("-3", "{}", "1"),
            bulk("hunter2"),
            Value::Int(2),
            Value::Nil,
        ] {
            let error = commands().loaded(answer).expect_err("no row").to_string();
            assert!(error.contains("tokens:{alice}"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(commands().leased(bulk("hunter2")).is_err());
        assert!(commands().is_done(bulk("hunter2")).is_err());
    }

    #[test]
    fn a_url_with_tls_is_refused_where_there_is_none() {
        for url in ["rediss://:hunter2@h", "valkeys://:hunter2@h:1/0"] {
            let opened = redis::Client::open(url);
            assert_eq!(opened.is_ok(), cfg!(feature = "rustls"), "{url}");
            if let Err(error) = opened {
                let explained = explained_url(url, &error);
                assert!(explained.contains("the feature rustls"), "{explained}");
                assert!(!explained.contains("hunter2"), "{explained}");
            }
        }
        let error = redis::Client::open("http://:hunter2@h").expect_err("no URL of Redis");
        let explained = explained_url("http://:hunter2@h", &error);
        assert!(!explained.contains("feature"), "{explained}");
        assert!(!explained.contains("hunter2"), "{explained}");
    }

    #[test]
    fn answers_of_scripts_are_read() {
        let leased = |answer| commands().leased(answer).expect("an answer");
        assert_eq!(
            leased(bulk("1790000000000000")),
            Some(1_790_000_000_000_000)
        );
        assert_eq!(leased(Value::Nil), None);
        let is_done = |answer| commands().is_done(Value::Int(answer)).expect("an answer");
        assert!(is_done(1) && !is_done(0));
    }

    #[test]
    fn a_save_names_both_versions_the_fence_and_the_expiry() {
        let next = StoredToken::new(Some(Token::new("t")), u64::MAX);
        let mut commands = commands();
        let save = commands.save(&next, 17).expect("a command");
        let [key, replaces, version, fence, token, expiry] = &arguments(&save)[..] else {
            panic!("{save:?}");
        };
        assert_eq!(key, "tokens:{alice}");
        // As text: a number in Lua has 53 bits.
        assert_eq!(*replaces, (u64::MAX - 1).to_string());
        assert_eq!(*version, u64::MAX.to_string());
        assert_eq!((&**fence, &**expiry), ("17", "0"));
        assert!(token.contains(r#""access_token":"t""#));
        commands.expire_after = Some(Duration::from_micros(1));
        let load = commands.load();
        assert_eq!(arguments(&load), ["tokens:{alice}", "1"]);
    }

    #[test]
    fn a_lease_has_an_owner_and_a_time() {
        let lease = commands().lease("me", Duration::from_secs(90));
        assert_eq!(
            arguments(&lease),
            ["tokens:{alice}", "tokens:{alice}:lease", "me", "90000"]
        );
        let release = commands().release("me");
        assert_eq!(arguments(&release), ["tokens:{alice}:lease", "me"]);
    }
}
