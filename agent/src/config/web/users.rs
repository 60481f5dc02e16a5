//! `basic_auth_users`: names and bcrypt hashes of passwords.

use std::fmt;

use bcrypt::HashParts;

use super::super::{
    error::Fault,
    node::Entry,
    value::{map, text},
};

/// Highest cost of a hash, a power of two: one check at 18 takes some 20 s.
const HIGHEST_COST: u32 = 18;
/// Lowest that bcrypt knows.
const LOWEST_COST: u32 = 4;
/// More are not a few people any more.
const MOST_USERS: usize = 100;

/// Users and the hashes of their passwords.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Users {
    users: Vec<(String, String)>,
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.users.iter().map(|(name, _)| name);
        f.debug_set().entries(names).finish()
    }
}

impl Users {
    /// Whether nobody needs a password.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// The bcrypt hash of a user's password.
    pub fn hash(&self, name: &str) -> Option<&str> {
        let mut users = self.users.iter();
        users.find(|user| user.0 == name).map(|user| &*user.1)
    }

    /// Somebody's hash, chosen by `number`: what a check for nobody is made to cost.
    pub fn any_hash(&self, number: usize) -> Option<&str> {
        let at = number.checked_rem(self.users.len())?;
        self.users.get(at).map(|(_, hash)| &**hash)
    }

    pub(super) fn parse(entry: &Entry) -> Result<Self, Fault> {
        let entries = map(entry)?;
        if entries.len() > MOST_USERS {
            return Err(Fault::at(
                entry.line,
                format!("{} users are more than {MOST_USERS}", entries.len()),
                "let clients show certificates, or put a proxy in front",
            ));
        }
        let user = |entry: &Entry| {
            let hash = text(entry)?;
            let cost = hash.parse::<HashParts>().ok().map(|parts| parts.get_cost());
            let line = entry.value.line;
            match cost {
                Some(LOWEST_COST..=HIGHEST_COST) => Ok((entry.key.clone(), hash.to_owned())),
                Some(cost) => Err(Fault::at(
                    line,
                    format!("the hash of {} has cost {cost}", entry.key),
                    format!("make one of cost {LOWEST_COST} to {HIGHEST_COST}; 10 is usual"),
                )),
                // Never the text itself: it may be the password.
                None => Err(Fault::at(
                    line,
                    format!("what {} has is no bcrypt hash", entry.key),
                    "make one: htpasswd -nBC 10 '' | tr -d ':\\n'",
                )),
            }
        };
        let users = entries.iter().map(user).collect::<Result<_, _>>()?;
        Ok(Self { users })
    }
}
