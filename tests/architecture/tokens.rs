//! Source text as a flat list of tokens, without its comments and docs.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A piece of source: a word, a sign, a bracket, a literal.
#[derive(Debug)]
pub struct Token {
    pub line: usize,
    pub text: String,
    pub literal: bool,
}

impl Token {
    /// Its text, unless it is a literal.
    pub fn text(&self) -> &str {
        if self.literal { "" } else { &self.text }
    }

    pub fn is(&self, text: &str) -> bool {
        self.text() == text
    }
}

pub trait Words {
    fn starts_with_words(&self, words: &[&str]) -> bool;
}

impl Words for [Token] {
    fn starts_with_words(&self, words: &[&str]) -> bool {
        self.len() >= words.len() && self.iter().zip(words).all(|(token, word)| token.is(word))
    }
}

/// `::a`, or `::{a::b, c}`: the first names.
pub fn names_after(tokens: &[Token], at: usize) -> Vec<(usize, String)> {
    if !tokens[at..].starts_with_words(&[":", ":"]) {
        return Vec::new();
    }
    group(&tokens[at + 2..])
}

/// `a::b`, or `{a::b, c as d}`: the first names.
fn group(tokens: &[Token]) -> Vec<(usize, String)> {
    let name = |token: &Token| (token.line, token.text.clone());
    match tokens {
        [first, ..] if first.is("{") => {
            let (mut depth, mut start, mut names) = (0, false, Vec::new());
            for token in tokens {
                match token.text() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ if start && depth == 1 => names.push(name(token)),
                    _ => {}
                }
                start = depth == 1 && (token.is("{") || token.is(","));
                if depth == 0 {
                    break;
                }
            }
            names
        }
        [first, ..] => vec![name(first)],
        [] => Vec::new(),
    }
}

/// The tokens of a file, flat and without its comments and docs.
pub fn lex(text: &str) -> Vec<Token> {
    let stream: TokenStream = text.parse().expect("Rust");
    let mut tokens = Vec::new();
    flatten(stream, &mut tokens);
    tokens
}

fn flatten(stream: TokenStream, into: &mut Vec<Token>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let line = tree.span().start().line;
        let mut push = |text: String, literal| {
            into.push(Token {
                line,
                text,
                literal,
            })
        };
        match tree {
            TokenTree::Ident(ident) => push(ident.to_string(), false),
            TokenTree::Literal(literal) => push(literal.to_string(), true),
            TokenTree::Punct(hash) if hash.as_char() == '#' => {
                let inner = trees.next_if(|tree| tree.to_string() == "!");
                if trees.next_if(is_doc).is_none() {
                    push("#".to_owned(), false);
                    if inner.is_some() {
                        push("!".to_owned(), false);
                    }
                }
            }
            TokenTree::Punct(punct) => push(punct.as_char().to_string(), false),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                push(open.to_owned(), false);
                flatten(group.stream(), into);
                let line = group.span_close().end().line;
                into.push(Token {
                    line,
                    text: close.to_owned(),
                    literal: false,
                });
            }
        }
    }
}

/// Whether these are the brackets of `#[doc …]`.
fn is_doc(tree: &TokenTree) -> bool {
    let TokenTree::Group(group) = tree else {
        return false;
    };
    let first = group.stream().into_iter().next();
    first.is_some_and(|first| first.to_string() == "doc")
}
