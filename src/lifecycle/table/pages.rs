//! Tokens that came for used refresh tokens, and which no slot uses any more: in pages, as they end in
//! about the order in which they came.

use std::collections::VecDeque;

use super::spent::Until;
use crate::{
    lifecycle::now::Now,
    oauth2::token::{Token, packed::PackedTokens},
};

/// Bytes of the first page. Each has room for twice of what the one before it has taken …
const SMALLEST: usize = 512;
/// … up to this.
const LARGEST: usize = 16 * 1024;
/// Pages that one insertion into the table may free, so that none takes long.
const FREED: usize = 2;

/// Pages of tokens, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pages: VecDeque<TokenPage>,
    /// The number of the first page, which counts those before it.
    first: u32,
}

#[derive(Debug)]
struct TokenPage {
    tokens: PackedTokens,
    /// When its first token ends. The others end at most a minute before or after it, so that none
    /// stays for much longer than it leads anywhere.
    first_end: Until,
    last_end: Until,
}

/// TokenPage, and the place of a token there.
#[derive(Clone, Copy, Debug)]
pub(super) struct PagePlace {
    page: u32,
    at: u32,
}

impl Pages {
    /// Keeps a token until then. None if it is too long.
    pub(super) fn keep(&mut self, token: &Token, until: Until) -> Option<PagePlace> {
        let size = PackedTokens::size_of(token)?;
        let last = self.pages.back_mut();
        let at = match last.filter(|page| until.is_near(page.first_end)) {
            Some(page) => {
                page.last_end = page.last_end.max(until);
                page.tokens.push(token)
            }
            None => None,
        };
        let at = match at {
            Some(at) => at,
            None => self.add(size, until).tokens.push(token)?,
        };
        let before = u32::try_from(self.pages.len() - 1).ok()?;
        let page = self.first.wrapping_add(before);
        Some(PagePlace { page, at })
    }

    fn add(&mut self, size: usize, until: Until) -> &mut TokenPage {
        let taken = self.pages.back().map_or(0, |page| page.tokens.len());
        let capacity = (2 * taken).clamp(SMALLEST, LARGEST).max(size);
        self.pages.push_back(TokenPage {
            tokens: PackedTokens::with_capacity(capacity),
            first_end: until,
            last_end: until,
        });
        let last = self.pages.len() - 1;
        &mut self.pages[last]
    }

    /// The token that is kept there, if its time is not over.
    pub(super) fn get(&self, place: PagePlace) -> Option<Token> {
        let page = place.page.wrapping_sub(self.first);
        self.pages.get(page as usize)?.tokens.get(place.at)
    }

    /// Frees the first pages if the time of all tokens there is over.
    #[inline]
    pub(super) fn sweep(&mut self, now: Now) {
        for _ in 0..FREED {
            let first = self.pages.front();
            if !first.is_some_and(|page| page.last_end.is_over(now)) {
                return;
            }
            self.pages.pop_front();
            self.first = self.first.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::{
        table::spent::SPENT,
        testing::{at, token},
    };

    /// Tokens, each with the seconds of its use.
    fn keep(pages: &mut Pages, uses: impl IntoIterator<Item = u64>) -> Vec<(u64, PagePlace)> {
        let uses = uses.into_iter();
        uses.map(|used| {
            let token = token(&used.to_string(), "r", used);
            let place = pages.keep(&token, Until::spent(at(used)));
            (used, place.expect("a short token"))
        })
        .collect()
    }

    #[test]
    fn a_token_is_kept_until_its_end_and_not_for_much_longer() {
        let mut pages = Pages::default();
        // Those whose handles went late end before those that came before.
        let kept = keep(&mut pages, (0..1000).flat_map(|n| [n, n + 40, n / 2 + 30]));
        let spent = SPENT.as_secs();
        for now in 0..1200 {
            pages.sweep(at(now));
            // A twelfth of them each second, another one each time: they are many.
            for (used, place) in kept.iter().skip(now as usize % 12).step_by(12) {
                let found = pages.get(*place);
                if now < used + spent {
                    assert_eq!(found, Some(token(&used.to_string(), "r", *used)), "{now}");
                }
            }
        }
        for _ in 0..1000 {
            pages.sweep(at(1040 + 3 * spent));
        }
        assert!(pages.pages.is_empty());
        assert!(kept.iter().all(|(_, place)| pages.get(*place).is_none()));
    }

    #[test]
    fn a_page_ends_although_tokens_keep_coming() {
        let mut pages = Pages::default();
        for used in 0..1000 {
            let [(_, place)] = keep(&mut pages, [used])[..] else {
                panic!("one token");
            };
            pages.sweep(at(used));
            assert!(pages.get(place).is_some());
            assert!(pages.pages.len() <= 2 * 2 + 1, "{}", pages.pages.len());
        }
    }

    #[test]
    fn pages_grow_with_what_comes_and_one_sweep_frees_two_of_them() {
        let mut pages = Pages::default();
        keep(&mut pages, [7; 1]);
        assert!(pages.pages[0].tokens.len() < SMALLEST);
        keep(&mut pages, [7; 1000]);
        let count = pages.pages.len();
        assert!((4..20).contains(&count), "{count}");
        let long = token(&"x".repeat(2 * LARGEST), "r", 7);
        let place = pages.keep(&long, Until::spent(at(7))).expect("a place");
        assert_eq!(pages.get(place), Some(long));
        pages.sweep(at(7));
        assert_eq!(pages.pages.len(), count + 1);
        pages.sweep(at(7 + SPENT.as_secs()));
        assert_eq!(pages.pages.len(), count + 1 - FREED);
        assert!(pages.get(place).is_some());
    }
}
