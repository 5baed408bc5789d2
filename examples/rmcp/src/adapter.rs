//! The HTTP client of rmcp's transport: an `AsyncOAuth2Client`.

use std::{collections::HashMap, io, sync::Arc};

use futures_util::{StreamExt, stream, stream::BoxStream};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER},
};
use oauth_twin::{AsyncOAuth2Client, AsyncRequestBuilder, Error, reqwest::Response};
use rmcp::{
    model::ClientJsonRpcMessage,
    transport::{
        common::http_header::{
            EVENT_STREAM_MIME_TYPE, HEADER_LAST_EVENT_ID, HEADER_SESSION_ID, JSON_MIME_TYPE,
        },
        streamable_http_client::{
            HttpStatusError, SseError, StreamableHttpClient, StreamableHttpError,
            StreamableHttpPostResponse, StreamableHttpResponseLimits,
        },
    },
};
use sse_stream::{Sse, SseStream};

type Failure = StreamableHttpError<Error>;
type Events = BoxStream<'static, Result<Sse, SseError>>;
type Headers = HashMap<HeaderName, HeaderValue>;

/// The requests of rmcp, sent with the tokens of a client. A token of rmcp's own is ignored.
#[derive(Clone)]
pub(crate) struct AuthorizedHttp(pub(crate) AsyncOAuth2Client);

impl AuthorizedHttp {
    async fn send(
        &self,
        request: AsyncRequestBuilder,
        session: Option<Arc<str>>,
        headers: Headers,
    ) -> Result<Response, Failure> {
        let mut headers: HeaderMap = headers.into_iter().collect();
        let accepted = HeaderValue::from_static("text/event-stream, application/json");
        headers.insert(ACCEPT, accepted);
        let mut request = request.headers(headers);
        if let Some(session) = session {
            request = request.header(HEADER_SESSION_ID, &*session);
        }
        request.send().await.map_err(Failure::Client)
    }
}

impl StreamableHttpClient for AuthorizedHttp {
    type Error = Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        token: Option<String>,
        headers: Headers,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(uri, message, session, token, headers, limits).await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        _: Option<String>,
        headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let is_request = matches!(message, ClientJsonRpcMessage::Request(_));
        let had_session = session.is_some();
        let request = self.0.post(&*uri).json(&message);
        let response = self.send(request, session, headers).await?;
        let session = header(&response, HEADER_SESSION_ID);
        match (response.status().as_u16(), media_type(&response).as_deref()) {
            (404, _) if had_session => Err(Failure::SessionExpired),
            (202 | 204, _) => Ok(StreamableHttpPostResponse::Accepted),
            // Only a request has an answer to read.
            (200..300, _) if !is_request => Ok(StreamableHttpPostResponse::Accepted),
            (200..300, Some(EVENT_STREAM_MIME_TYPE)) => {
                let events = events(response, limits.max_sse_event_size);
                Ok(StreamableHttpPostResponse::Sse(events, session))
            }
            (status, Some(JSON_MIME_TYPE)) if !matches!(status, 401 | 403) => {
                let failure = failure(&response);
                let body = body(response, limits.max_json_response_size).await?;
                match serde_json::from_slice(&body) {
                    Ok(answer) => Ok(StreamableHttpPostResponse::Json(answer, session)),
                    Err(error) if (200..300).contains(&status) => Err(error.into()),
                    Err(_) => Err(failure),
                }
            }
            (200..300, other) => Err(Failure::UnexpectedContentType(other.map(str::to_owned))),
            _ => Err(failure(&response)),
        }
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        _: Option<String>,
        headers: Headers,
    ) -> Result<(), Failure> {
        let response = self.send(self.0.delete(&*uri), Some(session), headers).await?;
        match response.status().as_u16() {
            // A server need not let its sessions be ended.
            200..300 | 405 => Ok(()),
            _ => Err(failure(&response)),
        }
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        token: Option<String>,
        headers: Headers,
    ) -> Result<Events, Failure> {
        let limit = StreamableHttpResponseLimits::default().max_sse_event_size;
        self.get_stream_with_max_sse_event_size(uri, session, last_event, token, headers, limit)
            .await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        _: Option<String>,
        headers: Headers,
        limit: usize,
    ) -> Result<Events, Failure> {
        let mut request = self.0.get(&*uri);
        if let Some(event) = last_event {
            request = request.header(HEADER_LAST_EVENT_ID, event);
        }
        let response = self.send(request, session, headers).await?;
        match (response.status().as_u16(), media_type(&response).as_deref()) {
            (405, _) => Err(Failure::ServerDoesNotSupportSse),
            (200..300, Some(EVENT_STREAM_MIME_TYPE)) => Ok(events(response, limit)),
            (200..300, other) => Err(Failure::UnexpectedContentType(other.map(str::to_owned))),
            _ => Err(failure(&response)),
        }
    }
}

fn header(response: &Response, name: &str) -> Option<String> {
    let value = response.headers().get(name)?;
    value.to_str().ok().map(str::to_owned)
}

/// The content type without its parameters.
fn media_type(response: &Response) -> Option<String> {
    let value = header(response, CONTENT_TYPE.as_str())?;
    let media_type = value.split(';').next()?;
    Some(media_type.trim().to_ascii_lowercase())
}

fn failure(response: &Response) -> Failure {
    let retry_after = header(response, RETRY_AFTER.as_str());
    HttpStatusError::new(response.status().as_u16(), retry_after).into()
}

/// The body of a response, of at most `limit` bytes.
async fn body(mut response: Response, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Failure::Client(error.into()))? {
        if body.len() + chunk.len() > limit {
            return Err(Failure::ResponseBodyTooLarge { max_size: limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The events of a response, each of at most `limit` bytes.
fn events(response: Response, limit: usize) -> Events {
    // The response, the size of the event by now, and whether a line begins here.
    let start = (response, 0, true);
    let chunks =
        stream::try_unfold(start, move |(mut response, mut size, mut begins)| async move {
            let Some(chunk) = response.chunk().await.map_err(io::Error::other)? else {
                return Ok(None);
            };
            for byte in &chunk {
                size += 1;
                match byte {
                    // An empty line ends the event.
                    b'\n' if begins => size = 0,
                    b'\n' => begins = true,
                    b'\r' => {}
                    _ => begins = false,
                }
                if size > limit {
                    return Err(io::Error::other(format!("an event has more than {limit} bytes")));
                }
            }
            Ok(Some((chunk, (response, size, begins))))
        });
    SseStream::from_bytes_stream(chunks).boxed()
}
