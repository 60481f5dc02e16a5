//! Passwords: checked by bcrypt, one at a time and away from the runtime; those accepted last are
//! remembered, so that a scraper pays once.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hyper::header::HeaderValue;
use ring::{
    hmac::{self, HMAC_SHA256, Tag},
    rand::SystemRandom,
};
use tokio::sync::Semaphore;

use crate::config::WebConfig;

/// Checks that may wait for their turn, the one that has it included.
const WAITING: usize = 16;

/// Whether someone may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Welcome,
    /// No name and password, or wrong ones.
    Unknown,
    /// Too many passwords are being checked.
    Busy,
}

/// Checks passwords.
pub(super) struct Passwords {
    /// One check at a time: each takes a core for as long as it lasts.
    turn: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    accepted: Arc<Accepted>,
}

impl Passwords {
    /// Nobody is known yet.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            turn: Arc::new(Semaphore::new(1)),
            waiting: Arc::default(),
            accepted: Arc::new(Accepted::new()?),
        })
    }

    /// Looks at the value of a request's `Authorization`.
    pub(super) async fn check(
        &self,
        config: &Arc<WebConfig>,
        authorization: Option<&HeaderValue>,
    ) -> Verdict {
        let Some((name, password)) = authorization.and_then(credentials) else {
            return Verdict::Unknown;
        };
        if self.accepted.knows(config, &name, &password) {
            return Verdict::Welcome;
        }
        let Some(_place) = Place::take(&self.waiting) else {
            return Verdict::Busy;
        };
        let Ok(turn) = Arc::clone(&self.turn).acquire_owned().await else {
            return Verdict::Busy;
        };
        let (config, accepted) = (Arc::clone(config), Arc::clone(&self.accepted));
        // The turn goes with the work, which is not given up when the client goes away.
        let checked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            // Whoever was before us may have had the same.
            accepted.knows(&config, &name, &password) || accepted.check(&config, &name, &password)
        });
        match checked.await {
            Ok(true) => Verdict::Welcome,
            Ok(false) => Verdict::Unknown,
            Err(error) => {
                tracing::error!("a password could not be checked: {error}");
                Verdict::Busy
            }
        }
    }
}

/// Name and password out of `Basic BASE64`.
fn credentials(authorization: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = authorization.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

/// A place among those who wait; given back when dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(waiting: &Arc<AtomicUsize>) -> Option<Self> {
        let more = |waiting| (waiting < WAITING).then_some(waiting + 1);
        waiting.fetch_update(Relaxed, Relaxed, more).ok()?;
        Some(Self(Arc::clone(waiting)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// What was accepted last of each user: not the password but a tag of it, made with a key that
/// only this process has.
struct Accepted {
    key: hmac::Key,
    tags: Mutex<HashMap<String, Tag>>,
}

impl Accepted {
    fn new() -> anyhow::Result<Self> {
        let key = hmac::Key::generate(HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| anyhow::anyhow!("the system has no random numbers"))?;
        Ok(Self {
            key,
            tags: Mutex::default(),
        })
    }

    /// Whether it was accepted and the user's hash is still the same.
    fn knows(&self, config: &WebConfig, name: &str, password: &str) -> bool {
        let Some(hash) = config.users.hash(name) else {
            return false;
        };
        let message = message(name, hash, password);
        let tags = self.lock();
        // Compared in constant time.
        tags.get(name)
            .is_some_and(|tag| hmac::verify(&self.key, &message, tag.as_ref()).is_ok())
    }

    /// Asks bcrypt. For a name that nobody has the answer is no, after the same work.
    fn check(&self, config: &WebConfig, name: &str, password: &str) -> bool {
        let users = &config.users;
        let known = users.hash(name);
        let nobody = || users.any_hash(self.number(name));
        let Some(hash) = known.or_else(nobody) else {
            return false;
        };
        let right = bcrypt::verify(password, hash).unwrap_or(false) && known.is_some();
        if right {
            let tag = hmac::sign(&self.key, &message(name, hash, password));
            let mut tags = self.lock();
            tags.retain(|name, _| users.hash(name).is_some());
            tags.insert(name.to_owned(), tag);
        }
        right
    }

    /// A number that is always the same for a name, and that nobody can foresee.
    fn number(&self, name: &str) -> usize {
        let tag = hmac::sign(&self.key, name.as_bytes());
        tag.as_ref()
            .iter()
            .take(4)
            .fold(0, |number, byte| number << 8 | usize::from(*byte))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Tag>> {
        // Every change is complete before the lock is released, even by a panic.
        self.tags.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The three, each with its length before it, so that none runs into the next.
fn message(name: &str, hash: &str, password: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(24 + name.len() + hash.len() + password.len());
    for part in [name, hash, password] {
        message.extend_from_slice(&(part.len() as u64).to_le_bytes());
        message.extend_from_slice(part.as_bytes());
    }
    message
}
