//! Plain texts in which `*` stands for anything.

/// A text to compare with; most have no star and are compared as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    text: String,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether all of `value` is what the pattern says.
    pub(super) fn matches(&self, value: &[u8]) -> bool {
        let Some((head, rest)) = self.text.split_once('*') else {
            return self.text.as_bytes() == value;
        };
        let Some(mut left) = value.strip_prefix(head.as_bytes()) else {
            return false;
        };
        let mut parts = rest.split('*');
        let Some(tail) = parts.next_back() else {
            return false;
        };
        for part in parts.map(str::as_bytes) {
            // The first place is as good as any: what follows may begin anywhere behind it.
            let Some(at) = find(left, part) else {
                return false;
            };
            left = left.get(at + part.len()..).unwrap_or_default();
        }
        left.ends_with(tail.as_bytes())
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() {
        return Some(0);
    }
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, value, expected) in [
            ("nginx", "nginx", true),
            ("nginx", "nginx2", false),
            ("", "", true),
            ("*", "", true),
            ("*", "x", true),
            ("php-fpm*", "php-fpm8.2", true),
            ("php-fpm*", "php-fp", false),
            ("*.service", "a.service", true),
            ("*.service", "service", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("a**c", "abc", true),
            ("*ab*ab*", "ab", false),
            ("*ab*ab*", "xabyabz", true),
        ] {
            let found = Pattern::new(pattern).matches(value.as_bytes());
            assert_eq!(found, expected, "{pattern} {value}");
        }
    }
}
