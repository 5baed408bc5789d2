//! Token stores of the blocking clients.

use oauth_twin::{ErrorKind, Token};

use crate::{
    cases::{
        TestResult, builder, provider,
        token_store::{Fault, Shelf},
    },
    mode::test,
};

#[test]
fn set_token_tells_that_the_token_could_not_be_stored() -> TestResult {
    let (shelf, server) = (Shelf::default(), provider(600));
    let client = builder(&server).token_store(shelf.clone()).build()?;
    shelf.fail([Fault::Save]);
    let error = client.set_token(Token::new("given")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    assert_eq!(client.token(), Some(Token::new("given")));
    client.close()?;
    assert_eq!(shelf.held(), "1:given");
    Ok(())
}
