//! What a program needs that sends the form of a token request and reads the JSON itself.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let endpoint = std::env::args().nth(1).ok_or("the endpoint?")?;
    let request = reqwest::Client::new().post(endpoint);
    let request = request.basic_auth("id", Some("secret"));
    let form = [("grant_type", "client_credentials")];
    let answer = request.form(&form).send().await?;
    let answer = answer.json::<serde_json::Value>().await?;
    println!("{}", answer["access_token"]);
    Ok(())
}
