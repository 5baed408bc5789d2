//! Algorithms of what the server signs.

use crate::jose::Algorithm;

/// The algorithms with public keys that the server lists; `RS256` if it lists none. Unknown names
/// narrow nothing.
pub(crate) fn offered_algorithms(listed: Option<Vec<&str>>) -> Vec<Algorithm> {
    let listed = listed.filter(|listed| !listed.is_empty());
    let Some(listed) = listed else {
        return vec![Algorithm::RS256];
    };
    let known: Vec<Algorithm> = listed.iter().filter_map(|name| name.parse().ok()).collect();
    let is_public = |algorithm: &Algorithm| !algorithm.is_symmetric();
    match known.is_empty() {
        true => Algorithm::ALL.into_iter().filter(is_public).collect(),
        false => known.into_iter().filter(is_public).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_algorithms_are_those_of_the_metadata_that_have_public_keys() {
        let names = |listed: &[&str]| {
            let offered = offered_algorithms(Some(listed.to_vec())).into_iter();
            offered.map(Algorithm::as_str).collect::<Vec<_>>()
        };
        assert_eq!(offered_algorithms(None), [Algorithm::RS256]);
        assert_eq!(names(&[]), ["RS256"]);
        assert_eq!(
            names(&["none", "HS256", "ES256", "Ed25519"]),
            ["ES256", "EdDSA"]
        );
        assert_eq!(names(&["HS256"]), <[&str; 0]>::default());
        let all = names(&["of-the-future"]);
        assert!(all.contains(&"PS512") && !all.contains(&"HS256"));
    }
}
